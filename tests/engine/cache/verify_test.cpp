#include "cache/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "random_artifact.h"
#include "support/memory_files.h"
#include "support/memory_ledger.h"

namespace atelier {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class VerifyTest : public ::testing::Test {
 protected:
  void make(const Digest& key, const Outputs& outputs) {
    ASSERT_TRUE(store->put(key, outputs, {}));
    ASSERT_TRUE(ledger.commit(record_of(key, outputs), {}));
  }
  static Record record_of(const Digest& key, const Outputs& outputs) {
    Record record;
    record.key = key;
    for (const auto& [port, artifact] : outputs) record.outputs[port] = {digest_of(artifact), artifact.size_bytes()};
    return record;
  }
  VerifyResult verify(int threads = 1) {
    return verify_cache(files, "/cache", *store, ledger, {.threads = threads}).value();
  }
  std::vector<std::string> reasons(const VerifyResult& result) const {
    std::vector<std::string> all;
    for (const auto& damaged : result.damaged) all.push_back(damaged.reason);
    return all;
  }
  static Outputs small() {
    Artifact artifact;
    artifact.tensors["t"] = Tensor::of<std::uint8_t>({2}, std::vector<std::uint8_t>{1, 2});
    return {{"out", artifact}};
  }

  MemoryFiles files;
  MemoryLedger ledger;
  std::vector<std::string> told;
  std::unique_ptr<Hdf5Store> store =
      Hdf5Store::open(files, "/cache", [this](const std::string& s) { told.push_back(s); }).value();
};

TEST_F(VerifyTest, WhatIsWholeIsCheckedAndStays) {
  std::uint64_t bytes = 0;
  for (std::int64_t n = 0; n < 40; ++n) {
    make(key_of(n), random_outputs(n));
    ASSERT_TRUE(store->put_checkpoint(key_of(n), random_outputs(n).begin()->second));
    bytes += files.text(store->content_path(key_of(n)))->size() + files.text(store->checkpoint_path(key_of(n)))->size();
  }
  const auto result = verify(4);
  EXPECT_EQ(result.checked, 80u);
  EXPECT_EQ(result.checked_bytes, bytes);
  EXPECT_EQ(result.without_record, 0u);
  EXPECT_THAT(reasons(result), IsEmpty());
  EXPECT_TRUE(store->has(key_of(0)));
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(VerifyTest, AFlippedBitInAnyByteOfAFileIsFound) {
  make(key_of(1), small());
  const auto path = store->content_path(key_of(1));
  const std::string whole = files.text(path).value();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    files.put(path, damaged);
    const auto result = verify();
    ASSERT_EQ(result.damaged.size(), 1u) << "byte " << at;
    ASSERT_EQ(files.text(result.damaged[0].now), damaged) << "byte " << at;
    ASSERT_FALSE(files.exists(path)) << "byte " << at;
  }
  files.put(path, whole);
  EXPECT_THAT(verify().damaged, IsEmpty());
}

TEST_F(VerifyTest, DamagedFilesOfAllKindsAreToldByNameInTheirOrder) {
  for (std::int64_t n = 0; n < 20; ++n) make(key_of(n), small());
  ASSERT_TRUE(store->put_checkpoint(key_of(3), small().at("out")));
  files.put(store->content_path(key_of(7)), std::string(600, 'x'));
  files.put(store->checkpoint_path(key_of(3)), "short");
  const auto result = verify(3);
  EXPECT_EQ(result.checked, 21u);
  ASSERT_EQ(result.damaged.size(), 2u);
  EXPECT_EQ(result.damaged[0].file.path, store->checkpoint_path(key_of(3)));
  EXPECT_EQ(result.damaged[0].now, "/cache/quarantine/" + key_of(3).hex() + ".checkpoint.h5");
  EXPECT_EQ(result.damaged[1].now, "/cache/quarantine/" + key_of(7).hex() + ".content.h5");
  EXPECT_THAT(reasons(result), ElementsAre("it is cut short", "it is not a file of this cache"));
  EXPECT_EQ(told.size(), 2u);
  EXPECT_EQ(verify().checked, 19u);
}

TEST_F(VerifyTest, ContentThatTheRecordDoesNotKnowIsDamaged) {
  make(key_of(1), small());
  make(key_of(2), small());
  make(key_of(3), small());
  Record other = record_of(key_of(1), small()), more = record_of(key_of(2), small()), fewer = record_of(key_of(3), {});
  other.outputs["out"].digest = key_of(9);
  more.outputs["lora"] = {key_of(9), 1};
  for (const auto& record : {other, more, fewer}) ASSERT_TRUE(ledger.commit(record, {}));
  EXPECT_THAT(reasons(verify()), ::testing::UnorderedElementsAre("its output 'out' is not the ledger's",
                                                                 "it lacks the output 'lora', which the ledger knows",
                                                                 "it has outputs that the ledger does not know"));
}

TEST_F(VerifyTest, ContentThatARunIsMakingIsNotComparedWithItsRecord) {
  make(key_of(1), small());
  Record other = record_of(key_of(1), {});
  ASSERT_TRUE(ledger.commit(other, {}));
  {
    const auto claim = store->try_claim(key_of(1)).value();
    EXPECT_THAT(reasons(verify()), IsEmpty());
  }
  EXPECT_EQ(verify().damaged.size(), 1u);
}

TEST_F(VerifyTest, ContentWithoutARecordIsCounted) {
  ASSERT_TRUE(store->put(key_of(1), small(), {}));
  EXPECT_EQ(verify().without_record, 1u);
  EXPECT_THAT(reasons(verify()), IsEmpty());
}

TEST_F(VerifyTest, WhatCannotBeReadIsDamaged) {
  make(key_of(1), small());
  files.fail_next(store->content_path(key_of(1)), {ErrorKind::transient, "the disk says no"});
  EXPECT_THAT(reasons(verify()), ElementsAre("it cannot be read: the disk says no"));
}

TEST_F(VerifyTest, ProgressEndsWithAllBytes) {
  for (std::int64_t n = 0; n < 5; ++n) make(key_of(n), random_outputs(n));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
  const auto result = verify_cache(
      files, "/cache", *store, ledger,
      {.threads = 3, .progress = [&](std::uint64_t done, std::uint64_t all) { seen.emplace_back(done, all); }});
  ASSERT_EQ(seen.size(), 5u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(seen.back().first, result->checked_bytes);
  EXPECT_EQ(seen.back().second, result->checked_bytes);
}

TEST_F(VerifyTest, AFolderThatCannotBeListedIsAnError) {
  files.fail_next("/cache/checkpoints", {ErrorKind::transient, "the disk says no"});
  EXPECT_EQ(verify_cache(files, "/cache", *store, ledger, {}).error().message, "the disk says no");
}

}  // namespace
}  // namespace atelier
