#include "cache/purge.h"

#include <gmock/gmock.h>
#include <fstream>

#include "cache/digest_search.h"
#include "cache_fixture.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// What a night leaves of anna and ben, who share a photo: a training each, with previews; masks of the shared photo, a
// key of both; outputs; and a style that is the batch's. The photos lie below `studio`.
class PurgeTest : public CacheFixture {
 protected:
  static inline const Digest kAnna = key_of(1), kBen = key_of(2), kShared = key_of(3), kStyle = key_of(4);
  const Digest shared_photo = sha256("the photo of both"), anna_photo = sha256("anna alone"),
               ben_photo = sha256("ben alone");
  fs::path studio = folder.path() / "studio", out = folder.path() / "out";

  void live_a_night(Cache& cache) {
    for (const auto& [id, key] : {std::pair<std::string, Digest>{"anna", kAnna}, {"ben", kBen}}) {
      const std::string owner = id + "@night";
      make(cache, key, outputs_of(1000, static_cast<std::uint8_t>(id.size())), {owner});
      show(cache, key, {owner});
      const Digest lora = digest_of(outputs_of(1000, static_cast<std::uint8_t>(id.size())).at("out"));
      const Digest tree = sha256("tree of " + id);
      write(out / id / "lora.safetensors", "weights");
      ASSERT_TRUE(cache.ledger().remember_output(out / id / "lora.safetensors", {lora, tree}));
      ASSERT_TRUE(cache.ledger().remember_steps(
          "night", {{id, "person", {key, 3, {}, {{"photos", sha256("photos of " + id).hex()}}}}}));
      remember(cache, studio / id / "shared.jpg", shared_photo);
      remember(cache, studio / id / "own.jpg", id == "anna" ? anna_photo : ben_photo);
      const std::vector<OwnedPath> paths{{PathKind::input, studio / id, owner},
                                         {PathKind::output, out / id / "lora.safetensors", owner},
                                         {PathKind::run, out / "runs/1", owner}};
      ASSERT_TRUE(cache.ledger_on_disk().own_paths(paths));
    }
    make(cache, kShared, outputs_of(500, 9), {"anna@night", "ben@night"}, "segment");
    make(cache, kStyle, outputs_of(500, 10), {"", "anna@night"});
    use(cache, {kAnna, kBen, kShared, kStyle});
  }
  static void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void remember(Cache& cache, const fs::path& photo, const Digest& digest) const {
    write(photo, digest.hex());
    const auto stat = files->stat(photo).value().value();
    cache.ledger().remember_file(photo, stat.size_bytes, stat.modified_ns, stat.inode, digest);
  }

  std::unique_ptr<Purge> begin(Cache& cache, const std::string& customer) {
    auto purge = Purge::begin(*files, cache, customer);
    if (!purge) throw std::runtime_error(purge.error().message);
    return std::move(*purge);
  }
  PurgePlan purge(Cache& cache, const std::string& customer) {
    const auto purge = begin(cache, customer);
    EXPECT_TRUE(purge->remove_files());
    EXPECT_TRUE(purge->forget());
    EXPECT_THAT(purge->traces().value(), IsEmpty());
    return purge->plan();
  }
  // Whether the digest stands anywhere in the ledger's files, or names a file of the cache.
  bool is_anywhere(const Digest& digest) const {
    const DigestSearch search({digest});
    for (const auto& entry : fs::recursive_directory_iterator(place)) {
      if (entry.path().filename().string().find(digest.hex()) != std::string::npos) return true;
      if (!entry.path().filename().string().starts_with("ledger.sqlite")) continue;
      if (!search.found_in(files->read(entry.path()).value()->bytes()).empty()) return true;
    }
    return false;
  }
};

TEST_F(PurgeTest, OfTwoCustomersWhoShareAPhotoOneGoesWholeAndTheOtherStaysWhole) {
  const auto cache = open();
  live_a_night(*cache);
  const auto plan = purge(*cache, "anna");
  EXPECT_THAT(plan.keys, ::testing::UnorderedElementsAre(kAnna, shown_key(kAnna)));
  EXPECT_THAT(plan.outputs, ElementsAre(out / "anna/lora.safetensors"));
  EXPECT_THAT(plan.runs, ElementsAre(out / "runs/1"));
  EXPECT_EQ(plan.memories, 1u);

  for (const auto& gone : {kAnna, shown_key(kAnna), anna_photo, sha256("photos of anna"), sha256("tree of anna"),
                           digest_of(outputs_of(1000, 4).at("out"))}) {
    EXPECT_THAT(plan.digests, Contains(gone));
    EXPECT_FALSE(is_anywhere(gone)) << gone.hex();
  }
  for (const auto& stays : {kBen, shown_key(kBen), kShared, kStyle, ben_photo, shared_photo, sha256("photos of ben")}) {
    EXPECT_THAT(plan.digests, Not(Contains(stays)));
    EXPECT_TRUE(is_anywhere(stays)) << stays.hex();
  }
  EXPECT_FALSE(fs::exists(out / "anna"));
  EXPECT_TRUE(fs::exists(out / "ben/lora.safetensors"));
  EXPECT_TRUE(fs::exists(studio / "anna/own.jpg")) << "photos are the studio's, not the cache's";
  for (const auto& key : {kBen, shown_key(kBen), kShared, kStyle}) EXPECT_TRUE(cache->store().get(key));
  EXPECT_FALSE(cache->ledger().find(kAnna)) << "in memory too";
  EXPECT_FALSE(open()->ledger().find(kAnna));
  EXPECT_TRUE(open()->ledger().last_step("night", "ben", "person"));
  EXPECT_FALSE(open()->ledger().last_step("night", "anna", "person"));
}

TEST_F(PurgeTest, WhatOthersOwnTooIsKeptAndToldAndNoLongerHers) {
  const auto cache = open();
  live_a_night(*cache);
  const auto plan = purge(*cache, "anna");
  std::map<Digest, std::vector<std::string>> kept;
  for (const auto& one : plan.kept) kept[one.key] = one.customers;
  EXPECT_EQ(kept, (std::map<Digest, std::vector<std::string>>{{kShared, {"ben"}}, {kStyle, {}}}));
  const auto facts = read_facts(cache->ledger_on_disk()).value();
  EXPECT_EQ(facts.owners.at(kShared), std::set<std::string>{"ben@night"});
  EXPECT_EQ(facts.owners.at(kStyle), std::set<std::string>{""});
  EXPECT_THAT(purge(*cache, "ben").keys, Contains(kShared));
  EXPECT_FALSE(cache->store().has(kShared));
  EXPECT_FALSE(is_anywhere(shared_photo));
  EXPECT_TRUE(cache->store().has(kStyle));
}

TEST_F(PurgeTest, ACustomerWhosePhotosAreGoneIsForgottenToo) {
  const auto cache = open();
  live_a_night(*cache);
  fs::remove_all(studio / "anna");
  fs::remove_all(out / "anna");
  const auto plan = purge(*cache, "anna");
  EXPECT_THAT(plan.file_digests, ElementsAre(studio / "anna/own.jpg", studio / "anna/shared.jpg"));
  EXPECT_FALSE(is_anywhere(anna_photo));
  EXPECT_TRUE(is_anywhere(ben_photo));
}

TEST_F(PurgeTest, QuarantineAndCheckpointsGoWithTheirKey) {
  const auto cache = open();
  live_a_night(*cache);
  for (const auto& key : {kAnna, kBen}) {
    ASSERT_TRUE(cache->store().put_checkpoint(key, outputs_of(10).at("out")));
    ASSERT_TRUE(write_file(*files, cache->store_on_disk().content_path(key), "damaged"));
    EXPECT_FALSE(cache->store().get(key));
  }
  purge(*cache, "anna");
  EXPECT_THAT(files->list(place / "quarantine").value(), ElementsAre(kBen.hex() + ".content.h5"));
  EXPECT_THAT(files->list(place / "checkpoints").value(), ElementsAre(kBen.hex() + ".h5"));
}

TEST_F(PurgeTest, ATrainingThatWasCutOffIsItsOwnersWithoutARecord) {
  const auto cache = open();
  const Digest key = key_of(7);
  ASSERT_TRUE(cache->ledger().add_owners(key, {"anna@night"}));
  ASSERT_TRUE(cache->store().put_checkpoint(key, outputs_of(10).at("out")));
  ASSERT_TRUE(put_shown(cache->store(), key, outputs_of(10).at("out")));  // owned by whose the training is
  EXPECT_THAT(purge(*cache, "anna").files, ::testing::SizeIs(2));
  EXPECT_FALSE(is_anywhere(key));
  EXPECT_FALSE(is_anywhere(shown_key(key)));
}

TEST_F(PurgeTest, WhatNobodyOwnsGoesUnlessARunGoesOn) {
  const auto cache = open();
  live_a_night(*cache);
  ASSERT_TRUE(cache->store().put(key_of(8), outputs_of(10), {}));
  {
    const auto run = cache->leases().begin_run("ben", {"ben"}).value();
    EXPECT_THAT(begin(*cache, "anna")->plan().keys, Not(Contains(key_of(8))));
  }
  EXPECT_THAT(purge(*cache, "anna").keys, Contains(key_of(8)));
}

TEST_F(PurgeTest, IsRefusedWhileARunWorksForTheCustomer) {
  const auto cache = open(), other = open();
  live_a_night(*cache);
  const auto run = other->leases().begin_run("tonight", {"anna", "ben"}).value();
  EXPECT_EQ(Purge::begin(*files, *cache, "anna").error().message,
            "a run (process " + std::to_string(::getpid()) +
                ") works for anna; wait until it has ended, or stop it, and try again");
  EXPECT_TRUE(cache->store().has(kAnna));
}

TEST_F(PurgeTest, IsRefusedWhileARunUsesAResultOfTheCustomer) {
  const auto cache = open(), other = open();
  live_a_night(*cache);
  auto run = other->leases().begin_run("tonight", {"cleo"}).value();
  const std::vector<Digest> shared{kShared}, used{kAnna};
  ASSERT_TRUE(run->hold(shared));
  EXPECT_TRUE(Purge::begin(*files, *cache, "anna")) << "what ben owns too is not to go";
  ASSERT_TRUE(run->hold(used));
  EXPECT_EQ(Purge::begin(*files, *cache, "anna").error().message,
            "a run (process " + std::to_string(::getpid()) +
                ") uses results of anna; wait until it has ended, or stop it, and try again");
  run.reset();
  EXPECT_TRUE(Purge::begin(*files, *cache, "anna"));
}

TEST_F(PurgeTest, NoRunBeginsWhileItGoesOn) {
  const auto cache = open(), other = open();
  const auto going_on = begin(*cache, "anna");
  EXPECT_FALSE(files->try_lock(place / "locks/cache").value());
}

TEST_F(PurgeTest, ASecondPurgeFindsNothing) {
  const auto cache = open();
  live_a_night(*cache);
  EXPECT_TRUE(purge(*cache, "anna").known);
  const auto again = purge(*open(), "anna");
  EXPECT_FALSE(again.known);
  EXPECT_THAT(again.keys, IsEmpty());
  EXPECT_THAT(again.outputs, IsEmpty());
  EXPECT_THAT(again.digests, IsEmpty());
  EXPECT_TRUE(cache->store().has(kBen));
}

TEST_F(PurgeTest, APurgeThatWasCutOffBeforeTheLedgerIsDoneByTheNext) {
  const auto cache = open();
  live_a_night(*cache);
  ASSERT_TRUE(begin(*cache, "anna")->remove_files());
  EXPECT_TRUE(purge(*cache, "anna").known);
  EXPECT_FALSE(is_anywhere(kAnna));
}

TEST_F(PurgeTest, AnIdThatBeginsAnotherIsNotThatOther) {
  const auto cache = open();
  make(*cache, key_of(1), outputs_of(10, 1), {"anna@night"});
  make(*cache, key_of(2), outputs_of(10, 2), {"annabel@night"});
  make(*cache, key_of(3), outputs_of(10, 3), {"an@night"});
  EXPECT_THAT(purge(*cache, "anna").keys, ElementsAre(key_of(1)));
}

TEST_F(PurgeTest, OfALedgerBeforeFormat2OutputsAndPhotosAreFoundByWhatTheyAre) {
  const auto cache = open();
  make(*cache, kAnna, outputs_of(10), {"anna@night"});
  const Digest lora = digest_of(outputs_of(10).at("out"));
  write(out / "anna/lora.safetensors", "weights");
  ASSERT_TRUE(cache->ledger().remember_output(out / "anna/lora.safetensors", {lora, sha256("tree")}));
  remember(*cache, studio / "anna/own.jpg", anna_photo);
  remember(*cache, studio / "ben/own.jpg", ben_photo);
  const auto plan = purge(*cache, "anna");
  EXPECT_THAT(plan.outputs, ElementsAre(out / "anna/lora.safetensors"));
  EXPECT_THAT(plan.file_digests, ElementsAre(studio / "anna/own.jpg"));
}

TEST_F(PurgeTest, AnOutputOfTwoCustomersIsKeptAndTold) {
  const auto cache = open();
  live_a_night(*cache);
  const fs::path sheet = out / "sheet.png";
  write(sheet, "both");
  const std::vector<OwnedPath> paths{{PathKind::output, sheet, "anna@night"}, {PathKind::output, sheet, "ben@night"}};
  ASSERT_TRUE(cache->ledger_on_disk().own_paths(paths));
  EXPECT_THAT(purge(*cache, "anna").kept_outputs, ElementsAre(sheet));
  EXPECT_TRUE(fs::exists(sheet));
  purge(*cache, "ben");
  EXPECT_FALSE(fs::exists(sheet));
}

TEST_F(PurgeTest, ADigestThatIsLeftIsFound) {
  const auto cache = open();
  live_a_night(*cache);
  const auto purge = begin(*cache, "anna");
  const auto traces = purge->traces().value();
  EXPECT_THAT(traces, Contains((place / "ledger.sqlite-wal").string() + " still holds " + kAnna.hex()));
  EXPECT_THAT(traces, Contains(cache->store_on_disk().content_path(kAnna).string() + " is still there"));
}

TEST(DigestSearch, FindsDigestsAsBytesAndAsTextWhereverTheyStand) {
  const Digest one = sha256("one"), two = sha256("two"), three = sha256("three");
  const DigestSearch search({one, two});
  std::string text = "x" + one.hex() + "yy";
  text.append(reinterpret_cast<const char*>(two.bytes.data()), two.bytes.size());
  text.append(reinterpret_cast<const char*>(three.bytes.data()), three.bytes.size());
  EXPECT_EQ(search.found_in(std::as_bytes(std::span(text))), (std::set<Digest>{one, two}));
  const std::string digits = "0" + two.hex() + "0", cut = one.hex().substr(1);
  EXPECT_EQ(search.found_in(std::as_bytes(std::span(digits))), std::set<Digest>{two});
  EXPECT_THAT(search.found_in(std::as_bytes(std::span(cut))), IsEmpty());
  EXPECT_THAT(search.found_in({}), IsEmpty());
}

}  // namespace
}  // namespace atelier
