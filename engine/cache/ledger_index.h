// cache: what the ledger holds, in memory: hash maps that are loaded whole and then brought up to date by `seq`.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "artifact/store.h"

namespace atelier {

class SqliteConnection;  // SQLite's header stays within the room

struct FileIdentity {
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

class LedgerIndex {
 public:
  // JSON stays text until somebody asks for it: most of a ledger is never asked for.
  struct RecordRow {
    std::string node;
    std::int64_t node_version = 1;
    std::map<std::string, OutputRecord> outputs;
    std::string warnings, provenance;
    double cost_s = 0;
  };
  struct StepRow {
    Digest key;
    std::int64_t node_version = 1;
    std::string params, inputs;
  };
  struct FileRow {
    FileIdentity identity;
    Digest digest;
  };

  // Reads the rows that were committed since the last load, in one transaction.
  void load(SqliteConnection& connection);

  static std::string step_name(const std::string& batch, const std::string& customer, const std::string& step);
  static std::string owner_name(const Digest& key, const std::string& owner);

  std::unordered_map<Digest, RecordRow> records;
  std::unordered_set<std::string> owners;                 // owner_name
  std::unordered_map<std::string, FileRow> file_digests;  // by path
  std::unordered_map<std::string, StepRow> steps;         // by step_name
  std::unordered_map<std::string, OutputMemory> outputs;  // by path

 private:
  void load_records(SqliteConnection& connection);
  void load_owners(SqliteConnection& connection);
  void load_file_digests(SqliteConnection& connection);
  void load_steps(SqliteConnection& connection);
  void load_outputs(SqliteConnection& connection);

  // The last `seq` seen of each table. Own commits do not move them: another process may have committed just before.
  std::int64_t records_seen_ = 0, owners_seen_ = 0, file_digests_seen_ = 0, steps_seen_ = 0, outputs_seen_ = 0;
};

}  // namespace atelier
