#include "cache/sqlite_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fstream>
#include <thread>

#include "cache/ledger_facts.h"
#include "cache/sqlite.h"
#include "random_artifact.h"
#include "support/temporary_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

class SqliteLedgerTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteLedger> open() {
    auto ledger = SqliteLedger::open(path());
    if (!ledger) throw std::runtime_error(ledger.error().message);
    return std::move(*ledger);
  }
  fs::path path() const { return folder.path() / "ledger.sqlite"; }
  TemporaryFolder folder;
};

Record record_of(std::int64_t n) {
  return {key_of(n),
          "train",
          n,
          {{"lora", {key_of(1000 + n), 12345}}, {"metrics", {key_of(2000 + n), 0}}},
          {"photo \xff.jpg: left out"},
          {{"device", "cpu:0"}, {"threads", 2}},
          1.5};
}

void expect_equal(const std::optional<Record>& found, const Record& record) {
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key, record.key);
  EXPECT_EQ(found->node, record.node);
  EXPECT_EQ(found->node_version, record.node_version);
  EXPECT_EQ(found->outputs, record.outputs);
  EXPECT_EQ(found->provenance, record.provenance);
  EXPECT_EQ(found->cost_s, record.cost_s);
}

TEST_F(SqliteLedgerTest, AFullDiskIsToldAsSuchAndWhatWasCommittedBeforeStays) {
  const auto ledger = open();
  ASSERT_TRUE(ledger->commit(record_of(1), {}));
  Expected<void> done =
      ledger->write([](SqliteConnection& connection) { connection.execute("PRAGMA max_page_count = 1"); });
  for (int n = 2; done && n < 1000; ++n) done = ledger->commit(record_of(n), {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::disk_full);
  EXPECT_EQ(done.error().message, path().string() + ": the ledger cannot be used: database or disk is full");
  expect_equal(open()->find(key_of(1)), record_of(1));
}

TEST_F(SqliteLedgerTest, EachRecordIsShownOnce) {
  const auto ledger = open();
  ASSERT_TRUE(ledger->commit(record_of(1), {}));
  ASSERT_TRUE(ledger->commit(record_of(2), {}));
  std::map<Digest, Record> shown;
  ledger->each_record([&](const Record& record) { EXPECT_TRUE(shown.emplace(record.key, record).second); });
  ASSERT_EQ(shown.size(), 2U);
  expect_equal(shown.at(key_of(2)), record_of(2));
}

TEST_F(SqliteLedgerTest, ACommittedRecordIsFoundNowAndByTheNextProcess) {
  {
    const auto ledger = open();
    EXPECT_EQ(ledger->find(key_of(1)), std::nullopt);
    ASSERT_TRUE(ledger->commit(record_of(1), {"anna@night"}));
    expect_equal(ledger->find(key_of(1)), record_of(1));
  }
  const auto found = open()->find(key_of(1));
  expect_equal(found, record_of(1));
  EXPECT_EQ(found->warnings, std::vector<std::string>{"photo \xef\xbf\xbd.jpg: left out"});  // as UTF-8
}

TEST_F(SqliteLedgerTest, ALaterCommitOfAKeyReplacesTheFirst) {
  const auto ledger = open();
  Record first = record_of(1), second = record_of(1);
  second.outputs = {{"lora", {key_of(7), 1}}};
  ASSERT_TRUE(ledger->commit(first, {}));
  ASSERT_TRUE(ledger->commit(second, {}));
  expect_equal(ledger->find(key_of(1)), second);
  expect_equal(open()->find(key_of(1)), second);
}

TEST_F(SqliteLedgerTest, ARefreshShowsWhatOthersCommittedAndKeepsOnesOwn) {
  const auto ours = open(), theirs = open();
  ASSERT_TRUE(theirs->commit(record_of(1), {}));
  ASSERT_TRUE(ours->commit(record_of(2), {}));  // a later seq than the one we have not seen
  ASSERT_TRUE(theirs->remember_output("/out/a", {key_of(8), key_of(9)}));
  EXPECT_EQ(ours->find(key_of(1)), std::nullopt);
  ours->refresh();
  expect_equal(ours->find(key_of(1)), record_of(1));
  expect_equal(ours->find(key_of(2)), record_of(2));
  EXPECT_EQ(ours->last_output("/out/a")->tree, key_of(9));
}

TEST_F(SqliteLedgerTest, OwnersThatAreKnownCostNoWrite) {
  const auto ours = open(), theirs = open();
  ASSERT_TRUE(ours->commit(record_of(1), {"anna@night"}));
  ASSERT_TRUE(ours->add_owners(key_of(1), {"anna@night", "ben@night"}));
  theirs->refresh();
  const auto size = fs::file_size(path().string() + "-wal");
  ASSERT_TRUE(ours->add_owners(key_of(1), {"anna@night", "ben@night"}));
  ASSERT_TRUE(theirs->add_owners(key_of(1), {"ben@night"}));
  EXPECT_EQ(fs::file_size(path().string() + "-wal"), size);
  ASSERT_TRUE(theirs->add_owners(key_of(1), {"carl@night"}));
  EXPECT_GT(fs::file_size(path().string() + "-wal"), size);
}

TEST_F(SqliteLedgerTest, StepsAndOutputsAreRememberedAcrossProcesses) {
  const StepMemory memory{key_of(1), 3, {{"steps", 60}, {"rank", 8}}, {{"base", "ab"}, {"datasets[1]", "cd"}}};
  {
    const auto ledger = open();
    ASSERT_TRUE(ledger->remember_steps("/batch", {{"anna", "person", memory}, {"", "look", memory}}));
    ASSERT_TRUE(ledger->remember_output("/out/anna/x.png", {key_of(2), key_of(3)}));
  }
  const auto ledger = open();
  const auto found = ledger->last_step("/batch", "anna", "person");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key, memory.key);
  EXPECT_EQ(found->node_version, 3);
  EXPECT_EQ(found->params, memory.params);
  EXPECT_EQ(found->inputs, memory.inputs);
  EXPECT_TRUE(ledger->last_step("/batch", "", "look"));
  EXPECT_FALSE(ledger->last_step("/batch", "ben", "person"));
  EXPECT_FALSE(ledger->last_step("/other", "anna", "person"));
  EXPECT_EQ(ledger->last_output("/out/anna/x.png")->source, key_of(2));
  EXPECT_FALSE(ledger->last_output("/out/anna/y.png"));
}

TEST_F(SqliteLedgerTest, AFilesDigestHoldsAsLongAsItsStat) {
  const fs::path photo = "/photos/\xff.jpg";
  {
    const auto ledger = open();
    ledger->remember_file(photo, 10, 20, UINT64_MAX, key_of(1));
    EXPECT_EQ(ledger->file_digest(photo, 10, 20, UINT64_MAX), key_of(1));
  }
  const auto ledger = open();
  EXPECT_EQ(ledger->file_digest(photo, 10, 20, UINT64_MAX), key_of(1));
  EXPECT_EQ(ledger->file_digest(photo, 11, 20, UINT64_MAX), std::nullopt);
  EXPECT_EQ(ledger->file_digest(photo, 10, 21, UINT64_MAX), std::nullopt);
  EXPECT_EQ(ledger->file_digest(photo, 10, 20, 1), std::nullopt);
  EXPECT_EQ(ledger->file_digest("/photos/other.jpg", 10, 20, UINT64_MAX), std::nullopt);
}

TEST_F(SqliteLedgerTest, ALedgerIsItsOwnersOnly) {
  const auto ledger = open();
  ASSERT_TRUE(ledger->commit(record_of(1), {}));
  for (const auto& entry : fs::directory_iterator(folder.path()))
    EXPECT_EQ(entry.status().permissions(), fs::perms::owner_read | fs::perms::owner_write) << entry.path();
}

TEST_F(SqliteLedgerTest, ALedgerOfANewerVersionIsRefused) {
  open();
  SqliteConnection(path(), 1000).execute("PRAGMA user_version = 3");
  EXPECT_EQ(
      SqliteLedger::open(path()).error().message,
      path().string() +
          ": this cache was written by a newer version of Atelier (format 3; this one knows 2); use that version, "
          "or another folder with --cache");
}

// The tables of format 1, as they were.
constexpr const char* kFormat1 = R"sql(
CREATE TABLE records(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, node BLOB NOT NULL, node_version INTEGER NOT NULL,
  warnings BLOB NOT NULL, provenance BLOB NOT NULL, cost_s REAL NOT NULL);
CREATE TABLE outputs(
  key BLOB NOT NULL, port BLOB NOT NULL, digest BLOB NOT NULL, size_bytes INTEGER NOT NULL,
  PRIMARY KEY(key, port)) WITHOUT ROWID;
CREATE TABLE owners(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, owner BLOB NOT NULL, UNIQUE(owner, key));
CREATE TABLE file_digests(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, size_bytes INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL, inode INTEGER NOT NULL, digest BLOB NOT NULL);
CREATE TABLE steps(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, batch BLOB NOT NULL, customer BLOB NOT NULL, step BLOB NOT NULL,
  key BLOB NOT NULL, node_version INTEGER NOT NULL, params BLOB NOT NULL, inputs BLOB NOT NULL,
  UNIQUE(batch, customer, step));
CREATE TABLE written_outputs(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE, source BLOB NOT NULL, tree BLOB NOT NULL);
CREATE TABLE runs(id BLOB PRIMARY KEY, pid INTEGER NOT NULL, started_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE leases(run BLOB NOT NULL, key BLOB NOT NULL, PRIMARY KEY(run, key)) WITHOUT ROWID;
PRAGMA application_id = 1096043602;
PRAGMA user_version = 1;
)sql";

TEST_F(SqliteLedgerTest, ALedgerOfFormat1KeepsWhatItHoldsAndLearnsOfUses) {
  {
    SqliteConnection old(path(), 1000);
    old.execute(kFormat1);
    old.run("INSERT INTO records(key, node, node_version, warnings, provenance, cost_s) VALUES(?, ?, 1, ?, ?, 1.5)",
            key_of(1), std::string_view("train"), std::string_view("[]"), std::string_view("{}"));
    old.run("INSERT INTO owners(key, owner) VALUES(?, ?)", key_of(1), std::string_view("anna@night"));
    old.run("INSERT INTO runs(id, pid, started_ns) VALUES(?, 1, 2)", std::string_view("old"));
  }
  for (int times = 0; times < 2; ++times) {
    const auto ledger = open();
    EXPECT_EQ(ledger->find(key_of(1))->node, "train");
    EXPECT_EQ(ledger->runs().value().at(0).id, "old");
    const std::vector<Digest> keys{key_of(1)};
    ASSERT_TRUE(ledger->add_leases("new", keys, 77));
    const auto facts = read_facts(*ledger).value();
    EXPECT_EQ(facts.used_ns.at(key_of(1)), 77);
    EXPECT_EQ(facts.owners.at(key_of(1)), std::set<std::string>{"anna@night"});
  }
  EXPECT_EQ(SqliteConnection(path(), 1000).pragma("user_version"), 2);
}

TEST_F(SqliteLedgerTest, AnotherProgramsDatabaseIsRefused) {
  SqliteConnection(path(), 1000).execute("CREATE TABLE bookmarks(url TEXT)");
  EXPECT_EQ(SqliteLedger::open(path()).error().message,
            path().string() +
                ": the ledger is damaged (it is another program's database); move it and the files that begin with its "
                "name away and run again: a new one is begun, and the work is done anew");
}

TEST_F(SqliteLedgerTest, ALedgerThatIsNoDatabaseIsToldAndNotTouched) {
  std::ofstream(path()) << std::string(5000, 'x');
  const auto ledger = SqliteLedger::open(path());
  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().message,
            path().string() +
                ": the ledger is damaged (file is not a database); move it and the files that begin with its name away "
                "and run again: a new one is begun, and the work is done anew");
  EXPECT_EQ(ledger.error().kind, ErrorKind::fault);
  EXPECT_EQ(fs::file_size(path()), 5000u);
}

TEST_F(SqliteLedgerTest, DamagedPagesEndAsAnErrorOrAsRecordsNeverAsACrash) {
  {
    const auto ledger = open();
    for (std::int64_t n = 0; n < 200; ++n) ASSERT_TRUE(ledger->commit(record_of(n), {"anna@night"}));
  }
  std::ifstream in(path(), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  RandomStream random = stream_of(1);
  int refused = 0;
  for (int round = 0; round < 150; ++round) {
    std::string damaged = whole;
    for (int k = 0; k < 200; ++k) damaged[random.below(damaged.size())] = static_cast<char>(random.bits());
    std::ofstream(path(), std::ios::binary) << damaged;
    if (const auto ledger = SqliteLedger::open(path())) {
      for (std::int64_t n = 0; n < 200; ++n) (void)(*ledger)->find(key_of(n));
      (void)(*ledger)->commit(record_of(1), {});
    } else {
      ++refused;
    }
    fs::remove(path().string() + "-wal");
    fs::remove(path().string() + "-shm");
  }
  EXPECT_GT(refused, 100);
}

TEST_F(SqliteLedgerTest, ManyThreadsCommitAtOnce) {
  const auto ledger = open();
  std::vector<std::thread> threads;
  for (std::int64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::int64_t n = 0; n < 25; ++n) {
        EXPECT_TRUE(ledger->commit(record_of(100 * t + n), {"anna@night"}));
        EXPECT_TRUE(ledger->find(key_of(100 * t + n)));
        ledger->remember_file("/photo" + std::to_string(n), 1, 2, 3, key_of(n));
        ledger->refresh();
      }
    });
  for (auto& thread : threads) thread.join();
  const auto again = open();
  for (std::int64_t t = 0; t < 4; ++t)
    for (std::int64_t n = 0; n < 25; ++n) expect_equal(again->find(key_of(100 * t + n)), record_of(100 * t + n));
}

// A process that begins by opening the ledger, so that the making of the tables is raced for too.
pid_t fork_committer(const fs::path& path, std::int64_t first, std::int64_t count) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const auto ledger = SqliteLedger::open(path);
  if (!ledger) ::_exit(1);
  for (std::int64_t n = first; n < first + count; ++n)
    if (!(*ledger)->commit(record_of(n), {"anna@night"})) ::_exit(2);
  ::_exit(0);
}

TEST_F(SqliteLedgerTest, ProcessesCommitToOneNewLedgerAtOnce) {
  constexpr std::int64_t kProcesses = 4, kEach = 40;
  std::vector<pid_t> children;
  for (std::int64_t p = 0; p < kProcesses; ++p) children.push_back(fork_committer(path(), 1000 * p, kEach));
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto ledger = open();
  for (std::int64_t p = 0; p < kProcesses; ++p)
    for (std::int64_t n = 1000 * p; n < 1000 * p + kEach; ++n) expect_equal(ledger->find(key_of(n)), record_of(n));
}

}  // namespace
}  // namespace atelier
