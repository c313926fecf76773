#include "cache/sqlite.h"

#include <algorithm>

namespace atelier {
namespace {

constexpr int kPrimaryCode = 0xff;  // the low byte of SQLite's extended codes

[[noreturn]] void fail(sqlite3* connection, int result) {
  throw SqliteFailure{result & kPrimaryCode, connection ? sqlite3_errmsg(connection) : sqlite3_errstr(result)};
}

}  // namespace

ErrorKind kind_of(const SqliteFailure& failure) {
  switch (failure.code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
      return ErrorKind::transient;
    case SQLITE_FULL:
      return ErrorKind::disk_full;
    case SQLITE_NOMEM:
      return ErrorKind::out_of_memory;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return ErrorKind::input;
    default:
      return ErrorKind::fault;
  }
}

SqliteStatement::SqliteStatement(sqlite3* connection, std::string_view sql) : connection_(connection) {
  sqlite3_stmt* made = nullptr;
  check(sqlite3_prepare_v2(connection, sql.data(), static_cast<int>(sql.size()), &made, nullptr));
  statement_.reset(made);
}

void SqliteStatement::check(int result) const {
  if (result != SQLITE_OK) fail(connection_, result);
}

void SqliteStatement::bind_one(int index, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), index, value));
}
void SqliteStatement::bind_one(int index, double value) { check(sqlite3_bind_double(statement_.get(), index, value)); }
// Paths need not be UTF-8, so all text goes in as blobs would: byte for byte.
void SqliteStatement::bind_one(int index, std::string_view text) {
  check(sqlite3_bind_blob64(statement_.get(), index, text.data() ? text.data() : "", text.size(), SQLITE_TRANSIENT));
}
void SqliteStatement::bind_one(int index, const Digest& digest) {
  check(sqlite3_bind_blob64(statement_.get(), index, digest.bytes.data(), digest.bytes.size(), SQLITE_TRANSIENT));
}

bool SqliteStatement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) fail(connection_, result);
  return false;
}

void SqliteStatement::reset() { check(sqlite3_reset(statement_.get())); }

std::int64_t SqliteStatement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
double SqliteStatement::number(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string SqliteStatement::bytes(int column) const {
  const auto* first = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  return first ? std::string(first, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)))
               : std::string();
}

Digest SqliteStatement::digest(int column) const {
  const auto* first = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  Digest digest;
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  if (!first || size != digest.bytes.size()) throw SqliteFailure{SQLITE_CORRUPT, "a digest is not 32 bytes long"};
  std::copy_n(first, size, digest.bytes.begin());
  return digest;
}

SqliteConnection::SqliteConnection(const std::filesystem::path& path, int busy_ms) {
  sqlite3* opened = nullptr;
  // Without SQLite's own mutex: the ledger has one.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int result = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  handle_.reset(opened);
  if (result != SQLITE_OK) fail(opened, result);
  sqlite3_busy_timeout(opened, busy_ms);
}

void SqliteConnection::execute(const std::string& sql) {
  const int result = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(handle_.get(), result);
}

std::int64_t SqliteConnection::pragma(const std::string& name) {
  auto statement = prepare("PRAGMA " + name);
  return statement.step() ? statement.integer(0) : 0;
}

SqliteTransaction::SqliteTransaction(SqliteConnection& connection, Kind kind) : connection_(connection) {
  connection_.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN");
}

SqliteTransaction::~SqliteTransaction() {
  if (!open_) return;
  try {
    connection_.execute("ROLLBACK");
  } catch (const SqliteFailure&) {
    // SQLite has rolled back by itself already, as after a full disk.
  }
}

void SqliteTransaction::commit() {
  connection_.execute("COMMIT");
  open_ = false;
}

}  // namespace atelier
