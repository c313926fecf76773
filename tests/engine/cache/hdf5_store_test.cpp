#include "cache/hdf5_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "random_artifact.h"
#include "support/memory_files.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Hdf5StoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Hdf5Store> open() {
    return Hdf5Store::open(*files, folder.path(), [this](const std::string& s) { told.push_back(s); }).value();
  }
  // Every file below the cache's folder, without its locks.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path()))
      if (entry.is_regular_file() && entry.path().parent_path().filename() != "locks")
        found.push_back(entry.path().lexically_relative(folder.path()).string());
    std::ranges::sort(found);
    return found;
  }

  TemporaryFolder folder;
  std::unique_ptr<Files> files = make_posix_files();
  std::vector<std::string> told;
};

TEST_F(Hdf5StoreTest, WhatWasNeverPutIsAMissAndNothingToTell) {
  const auto store = open();
  EXPECT_FALSE(store->has(key_of(1)));
  EXPECT_EQ(store->get(key_of(1)), std::nullopt);
  EXPECT_EQ(store->checkpoint(key_of(1)), std::nullopt);
  EXPECT_EQ(store->checkpoint_metadata(key_of(1)), std::nullopt);
  store->drop(key_of(1));
  store->drop_checkpoint(key_of(1));
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(Hdf5StoreTest, RandomArtifactsComeBackEqual) {
  const auto store = open();
  for (std::int64_t seed = 0; seed < 150; ++seed) {
    const Outputs outputs = random_outputs(seed);
    ASSERT_TRUE(store->put(key_of(seed), outputs, {{"device", "cpu:0"}}));
    const auto read = store->get(key_of(seed));
    ASSERT_TRUE(read) << seed;
    EXPECT_TRUE(same(outputs, *read)) << seed;
  }
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(Hdf5StoreTest, LargeTensorsComeBackEqualAmongSmallOnes) {
  const auto store = open();
  RandomStream random = stream_of(1);
  Artifact artifact;
  for (int i = 0; i < 40; ++i) {
    std::vector<float> values(1 + random.below(600'000));
    random.fill_uniform(values, -1, 1);
    const Tensor::Shape shape{static_cast<std::int64_t>(values.size())};
    artifact.tensors["t" + std::to_string(i)] = Tensor::of<float>(shape, std::move(values));
    artifact.tensors["alpha" + std::to_string(i)] = Tensor::of<float>({}, std::vector<float>{static_cast<float>(i)});
  }
  const Outputs outputs{{"lora", artifact}};
  ASSERT_TRUE(store->put(key_of(1), outputs, {}));
  EXPECT_TRUE(same(outputs, store->get(key_of(1)).value()));
}

TEST_F(Hdf5StoreTest, EveryTensorLiesAlignedInTheMappedFile) {
  const auto store = open();
  Artifact artifact;
  for (int i = 1; i < 200; ++i)
    artifact.tensors["t" + std::to_string(i)] =
        Tensor::of<std::uint8_t>({i}, std::vector<std::uint8_t>(static_cast<std::size_t>(i), 7));
  ASSERT_TRUE(store->put(key_of(1), {{"out", artifact}}, {}));
  const auto read = store->get(key_of(1)).value();
  for (const auto& [name, tensor] : read.at("out").tensors)  // a mapping starts on a page
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes().data()) % 64, 0u) << name;
}

TEST_F(Hdf5StoreTest, TensorsReferToTheMappingAndOutliveTheFile) {
  const auto store = open();
  const Outputs outputs = random_outputs(3);
  ASSERT_TRUE(store->put(key_of(1), outputs, {}));
  const auto read = store->get(key_of(1)).value();
  store->drop(key_of(1));
  EXPECT_FALSE(store->has(key_of(1)));
  EXPECT_TRUE(same(outputs, read));
}

TEST_F(Hdf5StoreTest, TheSameArtifactsMakeTheSameFile) {
  const auto store = open();
  ASSERT_TRUE(store->put(key_of(1), random_outputs(5), {{"threads", 2}}));
  const auto first = read_text(*files, store->content_path(key_of(1))).value();
  store->drop(key_of(1));
  ASSERT_TRUE(store->put(key_of(1), random_outputs(5), {{"threads", 2}}));
  EXPECT_EQ(first, read_text(*files, store->content_path(key_of(1))).value());
}

TEST_F(Hdf5StoreTest, ACheckpointReplacesTheOneBeforeAndGoesWhenDropped) {
  const auto store = open();
  Artifact first = random_outputs(7).begin()->second, second = first;
  first.metadata["step"] = 20;
  second.metadata["step"] = 40;
  ASSERT_TRUE(store->put_checkpoint(key_of(1), first));
  ASSERT_TRUE(store->put_checkpoint(key_of(1), second));
  EXPECT_EQ(digest_of(store->checkpoint(key_of(1)).value()), digest_of(second));
  EXPECT_EQ(store->checkpoint_metadata(key_of(1)).value()["step"], 40);
  EXPECT_FALSE(store->has(key_of(1)));
  store->drop_checkpoint(key_of(1));
  EXPECT_EQ(store->checkpoint(key_of(1)), std::nullopt);
}

TEST_F(Hdf5StoreTest, DamagedContentIsAMissAndLiesInQuarantine) {
  const auto store = open();
  ASSERT_TRUE(store->put(key_of(1), random_outputs(1), {}));
  auto text = read_text(*files, store->content_path(key_of(1))).value();
  text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
  ASSERT_TRUE(write_file(*files, store->content_path(key_of(1)), text));
  EXPECT_EQ(store->get(key_of(1)), std::nullopt);
  const auto kept = folder.path() / "quarantine" / (key_of(1).hex() + ".content.h5");
  EXPECT_THAT(told, ElementsAre("content " + key_of(1).brief() +
                                " does not verify: its bytes are not those that were written; it is now " +
                                kept.string() + " and will be made again"));
  EXPECT_FALSE(store->has(key_of(1)));
  EXPECT_EQ(read_text(*files, kept).value(), text);
  ASSERT_TRUE(store->put(key_of(1), random_outputs(1), {}));
  EXPECT_TRUE(store->get(key_of(1)));
}

TEST_F(Hdf5StoreTest, ContentUnderAnotherKeysNameIsNotThatKeysContent) {
  const auto store = open();
  ASSERT_TRUE(store->put(key_of(1), random_outputs(1), {}));
  ASSERT_TRUE(files->make_folders(store->content_path(key_of(2)).parent_path()));
  ASSERT_TRUE(files->rename(store->content_path(key_of(1)), store->content_path(key_of(2))));
  EXPECT_EQ(store->get(key_of(2)), std::nullopt);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(Hdf5StoreTest, ACheckpointIsNotContent) {
  const auto store = open();
  ASSERT_TRUE(store->put_checkpoint(key_of(1), random_outputs(1).begin()->second));
  ASSERT_TRUE(files->make_folders(store->content_path(key_of(1)).parent_path()));
  ASSERT_TRUE(files->rename(store->checkpoint_path(key_of(1)), store->content_path(key_of(1))));
  EXPECT_EQ(store->get(key_of(1)), std::nullopt);
}

TEST_F(Hdf5StoreTest, ForeignBytesAreToldAsSuch) {
  const auto store = open();
  ASSERT_TRUE(files->make_folders(store->content_path(key_of(1)).parent_path()));
  ASSERT_TRUE(write_file(*files, store->content_path(key_of(1)), std::string(5000, 'x')));
  EXPECT_EQ(store->get(key_of(1)), std::nullopt);
  ASSERT_TRUE(write_file(*files, store->content_path(key_of(1)), "short"));
  EXPECT_EQ(store->get(key_of(1)), std::nullopt);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_NE(told[0].find("it is not a file of this cache"), std::string::npos);
  EXPECT_NE(told[1].find("it is cut short"), std::string::npos);
}

TEST_F(Hdf5StoreTest, FilesThatAnArtifactRefersToAreKeptByNameAndDigestAndNotByPlace) {
  const auto store = open();
  Artifact model;
  model.files.push_back({"unet/config.json", sha256("config"), "/models/base/unet/config.json", 10});
  ASSERT_TRUE(store->put(key_of(1), {{"model", model}}, {}));
  const auto stored = store->get(key_of(1))->at("model");
  ASSERT_EQ(stored.files.size(), 1u);
  EXPECT_EQ(stored.files[0].name, "unet/config.json");
  EXPECT_EQ(stored.files[0].digest, sha256("config"));
  EXPECT_EQ(stored.files[0].path, "");
  EXPECT_EQ(stored.files[0].size_bytes, 10u);
  EXPECT_EQ(digest_of(stored), digest_of(model));
}

TEST_F(Hdf5StoreTest, MoreDimensionsThanHdf5KnowsAreRefused) {
  const auto store = open();
  Artifact artifact;
  artifact.tensors["deep"] = Tensor::of<float>(Tensor::Shape(33, 1), std::vector<float>{1});
  EXPECT_EQ(store->put(key_of(1), {{"out", artifact}}, {}).error().message,
            "port 'out': tensor 'deep' has 33 dimensions; HDF5 stores at most 32");
}

TEST_F(Hdf5StoreTest, MetadataThatIsNotUtf8IsRefused) {
  const auto store = open();
  Artifact artifact;
  artifact.metadata["caption"] = "\xff";
  const auto put = store->put(key_of(1), {{"out", artifact}}, {});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::fault);
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(Hdf5StoreTest, AClaimIsHeldByOneAndLeavesNoFile) {
  const auto store = open(), other = open();
  auto claim = store->try_claim(key_of(1)).value();
  ASSERT_TRUE(claim);
  EXPECT_FALSE(other->try_claim(key_of(1)).value());
  EXPECT_TRUE(other->try_claim(key_of(2)).value());
  claim.reset();
  EXPECT_TRUE(other->try_claim(key_of(1)).value());
  EXPECT_EQ(files->stat(folder.path() / "locks" / key_of(1).hex()).value(), std::nullopt);
}

TEST_F(Hdf5StoreTest, LeftoversOfTheDeadGoAndThoseOfTheLivingStay) {
  const auto living = open();  // has writer-0
  const auto shard = folder.path() / "content" / "ab";
  ASSERT_TRUE(files->make_folders(shard));
  ASSERT_TRUE(write_file(*files, shard / ".abcd.writer-0.tmp1", "the living one is writing"));
  ASSERT_TRUE(write_file(*files, shard / ".abcd.writer-10.tmp1", "so is this one"));
  ASSERT_TRUE(write_file(*files, shard / ".abcd.writer-1.tmp7", "half"));
  ASSERT_TRUE(write_file(*files, folder.path() / "checkpoints" / ".abcd.writer-1.tmp8", "half"));
  ASSERT_TRUE(write_file(*files, folder.path() / "locks" / "writer-1", ""));  // as death leaves it
  const auto next = open();
  EXPECT_THAT(names(), ElementsAre("content/ab/.abcd.writer-0.tmp1", "content/ab/.abcd.writer-10.tmp1"));
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(Hdf5StoreTest, ADeadProcessesClaimLeavesNoFileAndALivingOnesStays) {
  const auto living = open();
  const auto claim = living->try_claim(key_of(1)).value();
  const auto dead = folder.path() / "locks" / key_of(2).hex();
  ASSERT_TRUE(write_file(*files, dead, ""));  // as death leaves it
  const auto next = open();
  EXPECT_EQ(files->stat(dead).value(), std::nullopt);
  EXPECT_FALSE(next->try_claim(key_of(1)).value());
}

TEST_F(Hdf5StoreTest, ThreadsPutAndGetAtOnceTheirOwnKeysAndOneOfAll) {
  const auto store = open();
  std::vector<std::thread> threads;
  for (std::int64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::int64_t n = 0; n < 8; ++n) {
        const Outputs own = random_outputs(10 * t + n), shared = random_outputs(0);
        EXPECT_TRUE(store->put(key_of(10 * t + n + 1), own, {}));
        EXPECT_TRUE(store->put(key_of(0), shared, {}));
        EXPECT_TRUE(same(own, store->get(key_of(10 * t + n + 1)).value()));
        EXPECT_TRUE(same(shared, store->get(key_of(0)).value()));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(names().size(), 33u);
}

TEST_F(Hdf5StoreTest, ContentThatCannotBeReadInPassingIsNotLost) {
  MemoryFiles disk;
  const auto store = Hdf5Store::open(disk, "/cache", [this](const std::string& s) { told.push_back(s); }).value();
  ASSERT_TRUE(store->put(key_of(1), random_outputs(1), {}));
  disk.fail_next(store->content_path(key_of(1)), {ErrorKind::transient, "Input/output error"});
  EXPECT_TRUE(same(random_outputs(1), store->get(key_of(1)).value()));
  EXPECT_THAT(told, ::testing::IsEmpty());
}

TEST_F(Hdf5StoreTest, AFullDiskIsToldAndLeavesNothing) {
  MemoryFiles disk;
  const auto store = Hdf5Store::open(disk, "/cache", [this](const std::string& s) { told.push_back(s); }).value();
  disk.set_capacity(2000);
  const auto put = store->put(key_of(1), random_outputs(1), {});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::disk_full);
  EXPECT_EQ(disk.all_files(), (std::vector<fs::path>{"/cache/locks/writer-0"}));
  disk.set_capacity(10'000'000);
  EXPECT_TRUE(store->put(key_of(1), random_outputs(1), {}));
  EXPECT_TRUE(same(random_outputs(1), store->get(key_of(1)).value()));
}

TEST_F(Hdf5StoreTest, AFolderThatCannotBeMadeIsTold) {
  ASSERT_TRUE(write_file(*files, folder.path() / "taken", "x"));
  const auto store = Hdf5Store::open(*files, folder.path() / "taken", [](const std::string&) {});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().message,
            (folder.path() / "taken/content").string() + ": the folder cannot be made: Not a directory");
}

}  // namespace
}  // namespace atelier
