// `atelier cache` and `atelier purge` on caches of the test's own, and after a night.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fstream>

#include "artifact/shown.h"
#include "cache/cache.h"
#include "support/manual_clock.h"
#include "tiny_night.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

Digest key_of(std::int64_t n) { return Encoder().text("key").integer(n).finish(); }

// Two trainings: anna's, with content, and ben's, whose content is no longer there.
class CacheCommand : public testing::Test {
 protected:
  CacheCommand() {
    const auto opened = open_cache(*files, cache(), [](const std::string&) {}, clock);
    Artifact lora;
    lora.tensors["it's down"] = Tensor::of<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
    const Outputs outputs{{"lora", lora}};
    for (const auto& [n, owner] : {std::pair{1, "anna@night"}, {2, "ben@night"}}) {
      Record record{key_of(n), "train", 7, {{"lora", {digest_of(lora), lora.size_bytes()}}}, {}, {}, 12.5};
      EXPECT_TRUE((*opened)->store().put(key_of(n), outputs, {}));
      EXPECT_TRUE((*opened)->ledger().commit(record, {owner}));
      EXPECT_TRUE((*opened)->ledger().remember_steps("night", {{"anna", "person", {key_of(1), 7, {}, {}}}}));
    }
    (*opened)->store().drop(key_of(2));
    content = (*opened)->store_on_disk().content_path(key_of(1));
  }
  Finished run(std::vector<std::string> words) const {
    words.insert(words.end(), {"--cache", cache().string()});
    return atelier(words);
  }
  fs::path cache() const { return folder.path() / "cache"; }

  TemporaryFolder folder;
  std::unique_ptr<Files> files = make_posix_files();
  ManualClock clock;
  fs::path content;
};

TEST_F(CacheCommand, LsTellsEachKeyAndTheTotal) {
  const auto ls = run({"cache", "ls"});
  EXPECT_EQ(ls.exit_code, 0) << ls.err;
  EXPECT_THAT(ls.out, testing::MatchesRegex("KEY +NODE +STEPS +WHOSE +SIZE +MADE +WHAT IS THERE\n"
                                            "[0-9a-f]{12} .*\n[0-9a-f]{12} .*\n.*: 2 keys, 1 with content, .*\n"));
  EXPECT_THAT(ls.out, HasSubstr(key_of(1).brief() + "  train 7  person  anna   "));
  EXPECT_THAT(ls.out, HasSubstr(key_of(2).brief() + "  train 7          ben    -"));
  EXPECT_THAT(ls.out, HasSubstr("record only"));
  const auto json = run({"cache", "ls", "--json"});
  std::istringstream lines(json.out);
  std::map<std::string, nlohmann::json> entries;
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    entries[entry["key"]] = entry;
  }
  EXPECT_EQ(entries.size(), 2u);
  const auto& anna = entries[key_of(1).hex()];
  EXPECT_EQ(anna["customers"], nlohmann::json({"anna"}));
  EXPECT_EQ(anna["node_version"], 7);
  EXPECT_EQ(anna["bytes"], fs::file_size(content));
  EXPECT_EQ(anna["content"]["path"], content.string());
  EXPECT_FALSE(entries[key_of(2).hex()].contains("content"));
}

TEST_F(CacheCommand, ShowTellsTensorsAndHowToOpenThem) {
  const auto show = run({"cache", "show", key_of(1).hex().substr(0, 8)});
  EXPECT_EQ(show.exit_code, 0) << show.err;
  EXPECT_THAT(show.out, testing::StartsWith(key_of(1).hex() +
                                            "\n  node    train, version 7\n  steps   person\n  whose   anna\n"));
  EXPECT_THAT(show.out, HasSubstr("   lora: 24 B, digest "));
  EXPECT_THAT(show.out, HasSubstr("    it's down: f32 [2, 3]\n"));
  EXPECT_THAT(show.out, HasSubstr("    h5dump --header '" + content.string() + "'\n"));
  EXPECT_THAT(show.out, HasSubstr("'/outputs/lora/tensors/it'\\''s down'\n"));
  const auto json = nlohmann::json::parse(run({"cache", "show", key_of(1).hex(), "--json"}).out);
  EXPECT_EQ(json["tensors"]["lora"]["it's down"], (nlohmann::json{{"dtype", "f32"}, {"shape", {2, 3}}}));
  EXPECT_EQ(json["cost_s"], 12.5);
}

TEST_F(CacheCommand, ShowOfContentThatIsNotKeptTellsWhatTheLedgerKnows) {
  const auto show = run({"cache", "show", key_of(2).hex()});
  EXPECT_EQ(show.exit_code, 0) << show.err;
  EXPECT_THAT(show.out, HasSubstr("   lora: 24 B, digest "));
  EXPECT_THAT(show.out, HasSubstr("the content is not kept"));
  EXPECT_EQ(show.out.find("h5dump"), std::string::npos);
}

TEST_F(CacheCommand, ShowTellsAKeyThatIsNotThere) {
  const auto show = run({"cache", "show", "xyz"});
  EXPECT_EQ(show.exit_code, 2);
  EXPECT_EQ(
      show.err,
      "atelier cache show: 'xyz' is no key: expected up to 64 hexadecimal digits, as `atelier cache ls` shows them\n");
}

TEST_F(CacheCommand, VerifyTellsDamageByNameAndByItsExitCode) {
  const auto fine = run({"cache", "verify"});
  EXPECT_EQ(fine.exit_code, 0) << fine.err;
  EXPECT_THAT(fine.out, testing::MatchesRegex("checked 1 file, .*: all are as they were written\n"));
  std::fstream(content, std::ios::in | std::ios::out | std::ios::binary).seekp(1000).put('\x7f');
  const auto damaged = run({"cache", "verify"});
  const auto kept = cache() / "quarantine" / (key_of(1).hex() + ".content.h5");
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.out,
              testing::StartsWith("damaged: " + content.string() +
                                  ": its bytes are not those that were written; it is now " + kept.string() + "\n"));
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_EQ(nlohmann::json::parse(run({"cache", "verify", "--json"}).out)["checked"], 0);
}

TEST_F(CacheCommand, GcSaysWhatItWouldFreeAndFreesIt) {
  const auto dry = run({"cache", "gc", "--max-size", "0", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_THAT(dry.out, testing::StartsWith(content.string() + ": too much, "));
  EXPECT_THAT(dry.out, HasSubstr("would free "));
  EXPECT_TRUE(fs::exists(content));
  const auto real = run({"cache", "gc", "--max-size", "0"});
  EXPECT_THAT(real.out, testing::MatchesRegex("too much: 1 file, .*\nfreed .*; 0 B left\n"));
  EXPECT_FALSE(fs::exists(content));
  EXPECT_THAT(run({"cache", "ls"}).out, HasSubstr("2 keys, 0 with content, 0 B\n"));
}

TEST_F(CacheCommand, PurgeDeletesOnlyWhenItIsToldTo) {
  const auto asked = run({"purge", "anna"});
  EXPECT_EQ(asked.exit_code, 2);
  EXPECT_THAT(asked.out, testing::MatchesRegex("anna: 1 key in the cache \\(1 file, .*\\), 0 outputs, 0 runs\n"
                                               "anna: nothing was deleted yet; --yes deletes it\n"));
  EXPECT_TRUE(fs::exists(content));
  const auto done = run({"purge", "anna", "--yes"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("that only anna had is left in the cache\n"));
  EXPECT_FALSE(fs::exists(content));
  const auto again = run({"purge", "anna", "--yes"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(again.out, "anna: nothing is here\n");
}

TEST_F(CacheCommand, PurgeIsRefusedWhileARunWorksForTheCustomer) {
  const auto opened = open_cache(*files, cache(), [](const std::string&) {}, clock);
  const auto run_of_anna = (*opened)->leases().begin_run("tonight", {"anna"});
  const auto refused = run({"purge", "anna", "--yes"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.err, "atelier purge: a run (process " + std::to_string(::getpid()) +
                             ") works for anna; wait until it has ended, or stop it, and try again\n");
  EXPECT_TRUE(fs::exists(content));
}

TEST(CacheCommands, TellThatNoCacheIsThereAndMakeNone) {
  const TemporaryFolder folder;
  const auto none = folder.path() / "none";
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"cache", "ls"},
                                                                                     {"cache", "show", "ab"},
                                                                                     {"cache", "verify"},
                                                                                     {"cache", "gc"},
                                                                                     {"purge", "anna", "--yes"}}) {
    auto all = words;
    all.insert(all.end(), {"--cache", none.string()});
    const auto finished = atelier(all);
    EXPECT_EQ(finished.exit_code, 2);
    EXPECT_EQ(finished.err, "atelier: " + none.string() + ": no cache is there; name its folder with --cache\n");
  }
  EXPECT_FALSE(fs::exists(none));
}

// Files below `folder` that hold `text`, in their name or their bytes.
std::vector<std::string> files_that_tell(const fs::path& folder, const std::string& text) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().lexically_relative(folder).string().find(text) != std::string::npos ||
        (entry.is_regular_file() && read_file(entry.path()).find(text) != std::string::npos))
      found.push_back(entry.path().string());
  return found;
}

TEST(EndToEndPurge, ANightForgetsOneCustomerAndTheOtherReusesAll) {
  TinyNight night;
  const auto photos = fs::directory_iterator(night.folder() / "customers")->path();
  night.write_batch(
      "[{id: zenobia, target: " + photos.string() + "}, {id: ben, target: " + photos.string() + ", params: {rank: 3}}]",
      kTinyParams);
  ASSERT_EQ(night.run().exit_code, 0);
  const auto cache = night.folder() / "cache";
  ASSERT_FALSE(files_that_tell(night.out(), "zenobia").empty());
  const auto purge = atelier({"purge", "zenobia", "--yes", "--cache", cache.string()});
  ASSERT_EQ(purge.exit_code, 0) << purge.out << purge.err;
  EXPECT_THAT(purge.out, HasSubstr(", which ben owns too\n"));
  EXPECT_THAT(files_that_tell(night.out(), "zenobia"), testing::IsEmpty());
  EXPECT_THAT(files_that_tell(cache, "zenobia"), testing::IsEmpty());
  EXPECT_TRUE(fs::exists(night.runs().back() / "report.html"));
  EXPECT_TRUE(fs::exists(night.out() / "ben/model/model_index.json"));
  const auto again = night.run({"--only", "ben"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.out.find("nothing to do: "), std::string::npos) << again.out;
}

TEST(EndToEndPrivacy, AllThatANightWritesIsItsOwnersOnly) {
  TinyNight night;
  fs::create_directories(night.photos("broken"));
  std::ofstream(night.photos("broken") / "photo.jpg") << "this is no picture";  // makes a log
  ASSERT_EQ(night.run().exit_code, 1);
  constexpr auto kFile = fs::perms::owner_read | fs::perms::owner_write;
  std::size_t seen = 0;
  for (const char* part : {"out", "cache"})
    for (const auto& entry : fs::recursive_directory_iterator(night.folder() / part)) {
      EXPECT_EQ(entry.status().permissions(), entry.is_directory() ? fs::perms::owner_all : kFile) << entry.path();
      ++seen;
    }
  EXPECT_GT(seen, 100u);
}

}  // namespace
}  // namespace atelier::test
