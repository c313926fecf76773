#include "cache/entries.h"

#include <gmock/gmock.h>

#include "cache_fixture.h"

namespace atelier {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EntriesTest : public CacheFixture {
 protected:
  CacheEntry entry_of(Cache& cache, const Digest& key) const {
    const auto entries = list_entries(*files, cache).value();
    const auto found = std::ranges::find(entries, key, &CacheEntry::key);
    if (found == entries.end()) throw std::runtime_error("no such entry");
    return *found;
  }
};

TEST_F(EntriesTest, AnEmptyCacheHasNone) { EXPECT_THAT(list_entries(*files, *open()).value(), IsEmpty()); }

TEST_F(EntriesTest, AKeyIsListedWithItsTaskOwnersStepsAndFiles) {
  const auto cache = open();
  make(*cache, key_of(1), outputs_of(1000), {"ben@place", "anna@place", "anna@other", ""});
  ASSERT_TRUE(cache->ledger().remember_steps("place", {{"anna", "person", {key_of(1), 3, {}, {}}}}));
  clock.set_wall(Clock::WallTime(std::chrono::seconds(1'800'000'000)));
  use(*cache, {key_of(1)});
  const auto entry = entry_of(*cache, key_of(1));
  EXPECT_EQ(entry.node(), "train");
  EXPECT_EQ(entry.record->node_version, 3);
  EXPECT_THAT(entry.customers, ElementsAre("anna", "ben"));
  EXPECT_TRUE(entry.for_batch);
  EXPECT_THAT(entry.steps, ElementsAre("person"));
  ASSERT_TRUE(entry.content);
  EXPECT_EQ(entry.content->path, cache->store_on_disk().content_path(key_of(1)));
  EXPECT_EQ(entry.size_bytes(), std::filesystem::file_size(entry.content->path));
  EXPECT_EQ(entry.made_ns, entry.content->modified_ns);
  EXPECT_EQ(entry.used_ns, 1'800'000'000'000'000'000);
}

TEST_F(EntriesTest, ARecordOutlivesItsContent) {
  const auto cache = open();
  make(*cache, key_of(1), outputs_of(10), {"anna@place"});
  cache->store().drop(key_of(1));
  const auto entry = entry_of(*cache, key_of(1));
  EXPECT_EQ(entry.size_bytes(), 0u);
  EXPECT_EQ(entry.made_ns, 0);
  EXPECT_EQ(entry.record->outputs.at("out").size_bytes, 10u);
}

TEST_F(EntriesTest, WhatATaskShowedNamesTheTask) {
  const auto cache = open();
  make(*cache, key_of(1), outputs_of(10), {"anna@place"});
  show(*cache, key_of(1), {"anna@place"});
  EXPECT_EQ(entry_of(*cache, shown_key(key_of(1))).shown_by, key_of(1));
  EXPECT_EQ(entry_of(*cache, key_of(1)).shown_by, std::nullopt);
}

TEST_F(EntriesTest, CheckpointsAndQuarantineAreListedWithoutARecordToo) {
  const auto cache = open();
  ASSERT_TRUE(cache->store().put_checkpoint(key_of(1), outputs_of(10).at("out")));
  ASSERT_TRUE(cache->store().put(key_of(2), outputs_of(10), {}));
  ASSERT_TRUE(write_file(*files, cache->store_on_disk().content_path(key_of(2)), "damaged"));
  EXPECT_EQ(cache->store().get(key_of(2)), std::nullopt);
  EXPECT_TRUE(entry_of(*cache, key_of(1)).checkpoint);
  EXPECT_EQ(entry_of(*cache, key_of(1)).node(), "unknown");
  const auto damaged = entry_of(*cache, key_of(2));
  EXPECT_FALSE(damaged.content);
  ASSERT_EQ(damaged.quarantined.size(), 1u);
  EXPECT_EQ(damaged.size_bytes(), 7u);
}

TEST_F(EntriesTest, TheLatestUsedComesFirst) {
  const auto cache = open();
  for (const std::int64_t n : {1, 2, 3}) make(*cache, key_of(n), outputs_of(10), {});
  clock.set_wall(Clock::WallTime(std::chrono::seconds(4'000'000'000)));
  for (const std::int64_t n : {3, 1, 2}) {
    use(*cache, {key_of(n)});
    clock.advance(std::chrono::seconds(1));
  }
  std::vector<Digest> order;
  const auto entries = list_entries(*files, *cache).value();
  for (const auto& entry : entries) order.push_back(entry.key);
  EXPECT_THAT(order, ElementsAre(key_of(2), key_of(1), key_of(3)));
}

TEST_F(EntriesTest, FilesOfOtherNamesAreStrangersAndNoEntries) {
  const auto cache = open();
  ASSERT_TRUE(write_file(*files, place / "quarantine/notes.txt", "x"));
  ASSERT_TRUE(write_file(*files, place / "checkpoints" / (key_of(1).hex() + ".h5.bak"), "x"));
  const auto stored = stored_files(*files, place).value();
  EXPECT_THAT(stored.files, IsEmpty());
  EXPECT_THAT(stored.strangers,
              ElementsAre(place / "checkpoints" / (key_of(1).hex() + ".h5.bak"), place / "quarantine/notes.txt"));
}

TEST_F(EntriesTest, APrefixFindsAKeyWhereItMeansOne) {
  std::vector<CacheEntry> entries(3);
  entries[0].key = Digest::from_hex(std::string(64, 'a')).value();
  entries[1].key = Digest::from_hex("aab" + std::string(61, '0')).value();
  entries[2].key = Digest::from_hex("b" + std::string(63, '0')).value();
  EXPECT_EQ(find_entry(entries, "b").value(), &entries[2]);
  EXPECT_EQ(find_entry(entries, "aaa").value(), &entries[0]);
  EXPECT_EQ(find_entry(entries, entries[1].key.hex()).value(), &entries[1]);
  EXPECT_EQ(find_entry(entries, "aa").error().message,
            "2 keys begin with 'aa': aaaaaaaaaaaaaaaaaaaa, aab00000000000000000; give more digits");
  EXPECT_EQ(find_entry(entries, "c").error().message, "no key of this cache begins with 'c'");
  for (const auto& wrong : std::vector<std::string>{"", "xyz", "AA", std::string(65, 'a')})
    EXPECT_EQ(find_entry(entries, wrong).error().message,
              "'" + wrong + "' is no key: expected up to 64 hexadecimal digits, as `atelier cache ls` shows them");
}

}  // namespace
}  // namespace atelier
