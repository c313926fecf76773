#include "cache/ledger_schema.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kApplicationId = 0x41544c52;  // "ATLR", by which `file` and we know a ledger
constexpr int kBusyMs = 60'000;                      // a commit of another process takes milliseconds

constexpr const char* kTablesOfFormat1 = R"sql(
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
)sql";

// When keys were last used, which runs there have been, whose files and folders the runs read and wrote, and for whom a
// living run works: what a collection of garbage and a purge go by.
constexpr const char* kTablesOfFormat2 = R"sql(
CREATE TABLE uses(key BLOB PRIMARY KEY, used_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE past_runs(id BLOB PRIMARY KEY, started_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE owned_paths(
  path BLOB NOT NULL, owner BLOB NOT NULL, kind INTEGER NOT NULL, PRIMARY KEY(path, owner)) WITHOUT ROWID;
CREATE TABLE run_customers(run BLOB NOT NULL, customer BLOB NOT NULL, PRIMARY KEY(run, customer)) WITHOUT ROWID;
)sql";

struct Newer {
  std::int64_t format;
};

// In one write transaction, so that of two processes that begin a cache at once one makes the tables. A ledger of an
// older format gets what it lacks.
void make_or_check_tables(SqliteConnection& connection) {
  SqliteTransaction transaction(connection, SqliteTransaction::Kind::write);
  const std::int64_t application = connection.pragma("application_id"), format = connection.pragma("user_version");
  if (application == 0 && format == 0 && connection.pragma("schema_version") == 0) {
    connection.execute(kTablesOfFormat1);
    connection.execute(kTablesOfFormat2);
    connection.execute(fmt::format("PRAGMA application_id = {}", kApplicationId));
    connection.execute(fmt::format("PRAGMA user_version = {}", kLedgerFormat));
  } else if (application != kApplicationId) {
    throw SqliteFailure{SQLITE_NOTADB, "it is another program's database"};
  } else if (format > kLedgerFormat) {
    throw Newer{format};
  } else if (format < 2) {
    connection.execute(kTablesOfFormat2);
    connection.execute(fmt::format("PRAGMA user_version = {}", kLedgerFormat));
  }
  transaction.commit();
}

// The change to WAL needs the file alone, and there SQLite answers "busy" at once instead of waiting: two processes
// that make one ledger meet here.
void enter_wal(SqliteConnection& connection) {
  constexpr std::chrono::milliseconds pause(5);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBusyMs);
  for (;;) {
    try {
      connection.pragma("journal_mode = WAL");
      return;
    } catch (const SqliteFailure& failure) {
      if (failure.code != SQLITE_BUSY || std::chrono::steady_clock::now() >= until) throw;
      std::this_thread::sleep_for(pause);
    }
  }
}

}  // namespace

Error ledger_error(const fs::path& path, const SqliteFailure& failure) {
  if (failure.code == SQLITE_CORRUPT || failure.code == SQLITE_NOTADB)
    return {ErrorKind::fault,
            fmt::format("{}: the ledger is damaged ({}); move it and the files that begin with its name away and run "
                        "again: a new one is begun, and the work is done anew",
                        path.string(), failure.message)};
  return {kind_of(failure), fmt::format("{}: the ledger cannot be used: {}", path.string(), failure.message)};
}

Expected<std::unique_ptr<SqliteConnection>> open_ledger_file(const fs::path& path) try {
  auto connection = std::make_unique<SqliteConnection>(path, kBusyMs);
  std::error_code code;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, code);  // SQLite's other files follow it
  enter_wal(*connection);
  connection->execute("PRAGMA synchronous = FULL");
  connection->execute("PRAGMA secure_delete = ON");  // what is purged is overwritten
  make_or_check_tables(*connection);
  return connection;
} catch (const SqliteFailure& failure) {
  return tl::unexpected(ledger_error(path, failure));
} catch (const Newer& newer) {
  return failure(
      fmt::format("{}: this cache was written by a newer version of Atelier (format {}; this one knows {}); "
                  "use that version, or another folder with --cache",
                  path.string(), newer.format, kLedgerFormat));
}

}  // namespace atelier
