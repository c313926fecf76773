#include "cache/ledger_index.h"

#include "cache/sqlite.h"

namespace atelier {

std::string LedgerIndex::step_name(const std::string& batch, const std::string& customer, const std::string& step) {
  std::string name;
  for (const auto* part : {&batch, &customer, &step}) name.append(*part).push_back('\0');
  return name;
}

std::string LedgerIndex::owner_name(const Digest& key, const std::string& owner) {
  return std::string(key.bytes.begin(), key.bytes.end()) + owner;
}

void LedgerIndex::load(SqliteConnection& connection) {
  SqliteTransaction transaction(connection, SqliteTransaction::Kind::read);
  load_records(connection);
  load_owners(connection);
  load_file_digests(connection);
  load_steps(connection);
  load_outputs(connection);
  transaction.commit();
}

void LedgerIndex::load_records(SqliteConnection& connection) {
  auto rows = connection.prepare(
      "SELECT seq, key, node, node_version, warnings, provenance, cost_s FROM records WHERE seq > ? ORDER BY seq");
  const std::int64_t seen_before = records_seen_;
  for (rows.bind(seen_before); rows.step();) {
    records_seen_ = rows.integer(0);
    records[rows.digest(1)] = {rows.bytes(2), rows.integer(3), {}, rows.bytes(4), rows.bytes(5), rows.number(6)};
  }
  auto outputs_of = connection.prepare(
      "SELECT outputs.key, port, digest, size_bytes FROM records JOIN outputs ON outputs.key = records.key "
      "WHERE seq > ?");
  for (outputs_of.bind(seen_before); outputs_of.step();)
    records[outputs_of.digest(0)].outputs[outputs_of.bytes(1)] = {outputs_of.digest(2),
                                                                  static_cast<std::uint64_t>(outputs_of.integer(3))};
}

void LedgerIndex::load_owners(SqliteConnection& connection) {
  auto rows = connection.prepare("SELECT seq, key, owner FROM owners WHERE seq > ? ORDER BY seq");
  for (rows.bind(owners_seen_); rows.step();) {
    owners_seen_ = rows.integer(0);
    owners.insert(owner_name(rows.digest(1), rows.bytes(2)));
  }
}

void LedgerIndex::load_file_digests(SqliteConnection& connection) {
  auto rows = connection.prepare(
      "SELECT seq, path, size_bytes, modified_ns, inode, digest FROM file_digests WHERE seq > ? ORDER BY seq");
  for (rows.bind(file_digests_seen_); rows.step();) {
    file_digests_seen_ = rows.integer(0);
    const FileIdentity identity{static_cast<std::uint64_t>(rows.integer(2)), rows.integer(3),
                                static_cast<std::uint64_t>(rows.integer(4))};
    file_digests[rows.bytes(1)] = {identity, rows.digest(5)};
  }
}

void LedgerIndex::load_steps(SqliteConnection& connection) {
  auto rows = connection.prepare(
      "SELECT seq, batch, customer, step, key, node_version, params, inputs FROM steps WHERE seq > ? ORDER BY seq");
  for (rows.bind(steps_seen_); rows.step();) {
    steps_seen_ = rows.integer(0);
    steps[step_name(rows.bytes(1), rows.bytes(2), rows.bytes(3))] = {rows.digest(4), rows.integer(5), rows.bytes(6),
                                                                     rows.bytes(7)};
  }
}

void LedgerIndex::load_outputs(SqliteConnection& connection) {
  auto rows = connection.prepare("SELECT seq, path, source, tree FROM written_outputs WHERE seq > ? ORDER BY seq");
  for (rows.bind(outputs_seen_); rows.step();) {
    outputs_seen_ = rows.integer(0);
    outputs[rows.bytes(1)] = {rows.digest(2), rows.digest(3)};
  }
}

}  // namespace atelier
