#include "cache/sqlite_ledger.h"

#include "base/log.h"
#include "cache/ledger_schema.h"

namespace atelier {
namespace {

constexpr std::size_t kPendingFiles = 512;  // remembered file digests are written this many at a time

// Texts about files may hold names that are not UTF-8.
std::string text_of(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::int64_t signed_of(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// Empty where the row's texts are damaged.
std::optional<Record> record_of(const Digest& key, const LedgerIndex::RecordRow& row) {
  auto warnings = nlohmann::json::parse(row.warnings, nullptr, false);
  auto provenance = nlohmann::json::parse(row.provenance, nullptr, false);
  if (!warnings.is_array() || provenance.is_discarded()) return std::nullopt;
  Record record{key, row.node, row.node_version, row.outputs, {}, std::move(provenance), row.cost_s};
  for (auto& warning : warnings)
    if (warning.is_string()) record.warnings.push_back(warning.get<std::string>());
  return record;
}

}  // namespace

Expected<std::unique_ptr<SqliteLedger>> SqliteLedger::open(const std::filesystem::path& path) {
  auto connection = open_ledger_file(path);
  if (!connection) return tl::unexpected(connection.error());
  std::unique_ptr<SqliteLedger> ledger(new SqliteLedger(path, std::move(*connection)));
  try {
    ledger->data_version_ = ledger->connection_->pragma("data_version");
    ledger->index_.load(*ledger->connection_);
  } catch (const SqliteFailure& failure) {
    return tl::unexpected(ledger_error(path, failure));
  }
  return ledger;
}

SqliteLedger::SqliteLedger(std::filesystem::path path, std::unique_ptr<SqliteConnection> connection)
    : path_(std::move(path)), connection_(std::move(connection)) {}

SqliteLedger::~SqliteLedger() {
  if (pending_files_.empty()) return;
  if (auto written = write([](SqliteConnection&) {}); !written) log(LogLevel::warning, written.error().message);
}

Expected<void> SqliteLedger::write(const Body& body) try {
  const std::lock_guard hold(connection_mutex_);
  SqliteTransaction transaction(*connection_, SqliteTransaction::Kind::write);
  write_pending_files();
  body(*connection_);
  transaction.commit();
  pending_files_.clear();
  return {};
} catch (const SqliteFailure& failure) {
  return tl::unexpected(ledger_error(path_, failure));
}

void SqliteLedger::write_pending_files() {
  if (pending_files_.empty()) return;
  auto insert = connection_->prepare(
      "INSERT OR REPLACE INTO file_digests(path, size_bytes, modified_ns, inode, digest) VALUES(?, ?, ?, ?, ?)");
  const std::shared_lock read(index_mutex_);
  for (const auto& path : pending_files_) {
    const auto& row = index_.file_digests.at(path);
    insert.bind(path, signed_of(row.identity.size_bytes), row.identity.modified_ns, signed_of(row.identity.inode),
                row.digest);
    insert.step();
    insert.reset();
  }
}

void SqliteLedger::refresh() try {
  const std::lock_guard hold(connection_mutex_);
  const std::int64_t version = connection_->pragma("data_version");
  if (version == data_version_) return;
  const std::unique_lock change(index_mutex_);
  index_.load(*connection_);
  data_version_ = version;
} catch (const SqliteFailure& failure) {
  log(LogLevel::warning, ledger_error(path_, failure).message);  // what others did stays unseen: work is done again
}

std::optional<Record> SqliteLedger::find(const Digest& key) const {
  const std::shared_lock read(index_mutex_);
  const auto found = index_.records.find(key);
  return found == index_.records.end() ? std::nullopt : record_of(key, found->second);
}

void SqliteLedger::each_record(const std::function<void(const Record&)>& visit) const {
  const std::shared_lock read(index_mutex_);
  for (const auto& [key, row] : index_.records)
    if (const auto record = record_of(key, row)) visit(*record);
}

Expected<void> SqliteLedger::commit(const Record& record, const std::vector<std::string>& owners) {
  const LedgerIndex::RecordRow row{
      record.node,  record.node_version, record.outputs, text_of(record.warnings), text_of(record.provenance),
      record.cost_s};
  auto written = write([&](SqliteConnection& connection) {
    connection.run(
        "INSERT OR REPLACE INTO records(key, node, node_version, warnings, provenance, cost_s) "
        "VALUES(?, ?, ?, ?, ?, ?)",
        record.key, row.node, row.node_version, row.warnings, row.provenance, row.cost_s);
    connection.run("DELETE FROM outputs WHERE key = ?", record.key);
    for (const auto& [port, output] : row.outputs)
      connection.run("INSERT INTO outputs(key, port, digest, size_bytes) VALUES(?, ?, ?, ?)", record.key, port,
                     output.digest, signed_of(output.size_bytes));
    insert_owners(connection, record.key, owners);
  });
  if (!written) return written;
  const std::unique_lock change(index_mutex_);
  index_.records[record.key] = row;
  for (const auto& owner : owners) index_.owners.insert(LedgerIndex::owner_name(record.key, owner));
  return {};
}

void SqliteLedger::insert_owners(SqliteConnection& connection, const Digest& key,
                                 const std::vector<std::string>& owners) {
  for (const auto& owner : owners) connection.run("INSERT OR IGNORE INTO owners(key, owner) VALUES(?, ?)", key, owner);
}

// Reuse adds the same owners night after night: only what is new costs a write.
Expected<void> SqliteLedger::add_owners(const Digest& key, const std::vector<std::string>& owners) {
  std::vector<std::string> unknown;
  {
    const std::shared_lock read(index_mutex_);
    for (const auto& owner : owners)
      if (!index_.owners.contains(LedgerIndex::owner_name(key, owner))) unknown.push_back(owner);
  }
  if (unknown.empty()) return {};
  auto written = write([&](SqliteConnection& connection) { insert_owners(connection, key, unknown); });
  if (!written) return written;
  const std::unique_lock change(index_mutex_);
  for (const auto& owner : unknown) index_.owners.insert(LedgerIndex::owner_name(key, owner));
  return {};
}

std::optional<Digest> SqliteLedger::file_digest(const std::filesystem::path& path, std::uint64_t size_bytes,
                                                std::int64_t modified_ns, std::uint64_t inode) const {
  const std::shared_lock read(index_mutex_);
  const auto found = index_.file_digests.find(path.native());
  if (found == index_.file_digests.end()) return std::nullopt;
  if (found->second.identity != FileIdentity{size_bytes, modified_ns, inode}) return std::nullopt;
  return found->second.digest;
}

void SqliteLedger::remember_file(const std::filesystem::path& path, std::uint64_t size_bytes, std::int64_t modified_ns,
                                 std::uint64_t inode, const Digest& digest) {
  bool many;
  {
    const std::lock_guard hold(connection_mutex_);
    const std::unique_lock change(index_mutex_);
    index_.file_digests[path.native()] = {{size_bytes, modified_ns, inode}, digest};
    pending_files_.push_back(path.native());
    many = pending_files_.size() >= kPendingFiles;
  }
  if (!many) return;
  if (auto written = write([](SqliteConnection&) {}); !written) log(LogLevel::warning, written.error().message);
}

std::optional<StepMemory> SqliteLedger::last_step(const std::string& batch, const std::string& customer,
                                                  const std::string& step) const {
  const std::shared_lock read(index_mutex_);
  const auto found = index_.steps.find(LedgerIndex::step_name(batch, customer, step));
  if (found == index_.steps.end()) return std::nullopt;
  const auto& row = found->second;
  auto params = nlohmann::json::parse(row.params, nullptr, false);
  const auto inputs = nlohmann::json::parse(row.inputs, nullptr, false);
  if (params.is_discarded() || !inputs.is_object()) return std::nullopt;
  StepMemory memory{row.key, row.node_version, std::move(params), {}};
  for (const auto& [port, digest] : inputs.items())
    if (digest.is_string()) memory.inputs[port] = digest.get<std::string>();
  return memory;
}

Expected<void> SqliteLedger::remember_steps(
    const std::string& batch, const std::vector<std::tuple<std::string, std::string, StepMemory>>& steps) {
  std::vector<LedgerIndex::StepRow> rows;
  for (const auto& [customer, step, memory] : steps)
    rows.push_back({memory.key, memory.node_version, text_of(memory.params), text_of(memory.inputs)});
  auto written = write([&](SqliteConnection& connection) {
    auto insert = connection.prepare(
        "INSERT OR REPLACE INTO steps(batch, customer, step, key, node_version, params, inputs) "
        "VALUES(?, ?, ?, ?, ?, ?, ?)");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto& [customer, step, memory] = steps[i];
      insert.bind(batch, customer, step, rows[i].key, rows[i].node_version, rows[i].params, rows[i].inputs);
      insert.step();
      insert.reset();
    }
  });
  if (!written) return written;
  const std::unique_lock change(index_mutex_);
  for (std::size_t i = 0; i < steps.size(); ++i)
    index_.steps[LedgerIndex::step_name(batch, std::get<0>(steps[i]), std::get<1>(steps[i]))] = std::move(rows[i]);
  return {};
}

std::optional<OutputMemory> SqliteLedger::last_output(const std::filesystem::path& absolute) const {
  const std::shared_lock read(index_mutex_);
  const auto found = index_.outputs.find(absolute.native());
  return found == index_.outputs.end() ? std::nullopt : std::optional(found->second);
}

Expected<void> SqliteLedger::remember_output(const std::filesystem::path& absolute, const OutputMemory& memory) {
  auto written = write([&](SqliteConnection& connection) {
    connection.run("INSERT OR REPLACE INTO written_outputs(path, source, tree) VALUES(?, ?, ?)", absolute.native(),
                   memory.source, memory.tree);
  });
  if (!written) return written;
  const std::unique_lock change(index_mutex_);
  index_.outputs[absolute.native()] = memory;
  return {};
}

Expected<void> SqliteLedger::add_run(const RunRow& run) {
  return write([&](SqliteConnection& connection) {
    connection.run("INSERT OR REPLACE INTO runs(id, pid, started_ns) VALUES(?, ?, ?)", run.id, run.pid, run.started_ns);
    connection.run("INSERT OR REPLACE INTO past_runs(id, started_ns) VALUES(?, ?)", run.id, run.started_ns);
    for (const auto& customer : run.customers)
      connection.run("INSERT OR IGNORE INTO run_customers(run, customer) VALUES(?, ?)", run.id, customer);
  });
}

Expected<void> SqliteLedger::add_leases(const std::string& run, std::span<const Digest> keys, std::int64_t used_ns) {
  return write([&](SqliteConnection& connection) {
    auto lease = connection.prepare("INSERT OR IGNORE INTO leases(run, key) VALUES(?, ?)");
    auto use = connection.prepare("INSERT OR REPLACE INTO uses(key, used_ns) VALUES(?, ?)");
    for (const auto& key : keys) {
      lease.bind(run, key).step();
      lease.reset();
      use.bind(key, used_ns).step();
      use.reset();
    }
  });
}

Expected<void> SqliteLedger::remove_run(const std::string& run) {
  return write([&](SqliteConnection& connection) {
    connection.run("DELETE FROM leases WHERE run = ?", run);
    connection.run("DELETE FROM run_customers WHERE run = ?", run);
    connection.run("DELETE FROM runs WHERE id = ?", run);
  });
}

Expected<std::vector<SqliteLedger::RunRow>> SqliteLedger::runs() {
  std::vector<RunRow> found;
  auto done = read([&](SqliteConnection& connection) {
    for (auto rows = connection.prepare("SELECT id, pid, started_ns FROM runs ORDER BY started_ns, id"); rows.step();)
      found.push_back({rows.bytes(0), rows.integer(1), rows.integer(2)});
    for (auto& run : found) {
      auto customers = connection.prepare("SELECT customer FROM run_customers WHERE run = ? ORDER BY customer");
      for (customers.bind(run.id); customers.step();) run.customers.push_back(customers.bytes(0));
    }
  });
  if (!done) return tl::unexpected(done.error());
  return found;
}

Expected<std::vector<Digest>> SqliteLedger::leases_of(const std::string& run) {
  std::vector<Digest> found;
  auto done = read([&](SqliteConnection& connection) {
    auto rows = connection.prepare("SELECT key FROM leases WHERE run = ? ORDER BY key");
    for (rows.bind(run); rows.step();) found.push_back(rows.digest(0));
  });
  if (!done) return tl::unexpected(done.error());
  return found;
}

Expected<void> SqliteLedger::own_paths(std::span<const OwnedPath> paths) {
  return write([&](SqliteConnection& connection) {
    auto insert = connection.prepare("INSERT OR IGNORE INTO owned_paths(path, owner, kind) VALUES(?, ?, ?)");
    for (const auto& [kind, path, owner] : paths) {
      insert.bind(path.native(), owner, static_cast<std::int64_t>(kind)).step();
      insert.reset();
    }
  });
}

Expected<void> SqliteLedger::read(const Body& body) try {
  const std::lock_guard hold(connection_mutex_);
  SqliteTransaction transaction(*connection_, SqliteTransaction::Kind::read);
  body(*connection_);
  transaction.commit();
  return {};
} catch (const SqliteFailure& failure) {
  return tl::unexpected(ledger_error(path_, failure));
}

Expected<void> SqliteLedger::rewrite(const Body& body) try {
  if (auto written = write(body); !written) return written;
  const std::lock_guard hold(connection_mutex_);
  const std::unique_lock change(index_mutex_);
  index_ = {};
  index_.load(*connection_);
  return {};
} catch (const SqliteFailure& failure) {
  return tl::unexpected(ledger_error(path_, failure));
}

Expected<void> SqliteLedger::compact() try {
  const std::lock_guard hold(connection_mutex_);
  connection_->execute("PRAGMA temp_store = MEMORY");  // no copy of it elsewhere on the disk
  connection_->execute("VACUUM");
  if (connection_->pragma("wal_checkpoint(TRUNCATE)") != 0)
    throw SqliteFailure{SQLITE_BUSY, "another process reads it"};
  return {};
} catch (const SqliteFailure& failure) {
  return tl::unexpected(ledger_error(path_, failure));
}

}  // namespace atelier
