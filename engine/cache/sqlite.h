// cache: SQLite with handles that close themselves. What fails is thrown as SqliteFailure, which the ledger turns into
// an Error at its edge.
#pragma once
#include <sqlite3.h>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/error.h"

namespace atelier {

struct SqliteFailure {
  int code = SQLITE_ERROR;  // primary result code
  std::string message;
};
// What a failure means for the engine: a busy or full disk may come back, a damaged file does not.
ErrorKind kind_of(const SqliteFailure& failure);

class SqliteStatement {
 public:
  SqliteStatement(sqlite3* connection, std::string_view sql);

  // Binds the parameters in order, from the first; texts and blobs are copied.
  template <class... Values>
  SqliteStatement& bind(const Values&... values) {
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }
  bool step();   // whether there is a row
  void reset();  // to be bound and stepped again

  std::int64_t integer(int column) const;
  double number(int column) const;
  std::string bytes(int column) const;  // a text or a blob
  Digest digest(int column) const;      // throws where it is not 32 bytes

 private:
  void bind_one(int index, std::int64_t value);
  void bind_one(int index, double value);
  void bind_one(int index, std::string_view text);
  void bind_one(int index, const Digest& digest);
  void check(int result) const;

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  sqlite3* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class SqliteConnection {
 public:
  // Opens or makes the database; a statement waits up to `busy_ms` for other processes.
  SqliteConnection(const std::filesystem::path& path, int busy_ms);

  SqliteStatement prepare(std::string_view sql) { return {handle_.get(), sql}; }
  void execute(const std::string& sql);  // statements without parameters and rows
  std::int64_t pragma(const std::string& name);
  template <class... Values>
  void run(std::string_view sql, const Values&... values) {
    prepare(sql).bind(values...).step();
  }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

// Rolled back unless committed.
class SqliteTransaction {
 public:
  enum class Kind { read, write };
  SqliteTransaction(SqliteConnection& connection, Kind kind);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  void commit();

 private:
  SqliteConnection& connection_;
  bool open_ = true;
};

}  // namespace atelier
