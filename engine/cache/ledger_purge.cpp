#include "cache/ledger_purge.h"

#include "cache/sqlite.h"
#include "cache/sqlite_ledger.h"

namespace atelier {
namespace {

// Owners as the ledger holds them: "anna@PLACE", once for each batch.
std::vector<std::string> owners_named(SqliteConnection& connection, const std::string& customer) {
  std::vector<std::string> found;
  auto rows = connection.prepare("SELECT owner FROM owners UNION SELECT owner FROM owned_paths");
  while (rows.step())
    if (const auto owner = rows.bytes(0); customer_of(owner) == customer) found.push_back(owner);
  return found;
}

void forget_in(SqliteConnection& connection, const RowsToForget& rows) {
  for (const char* table : {"records", "outputs", "owners", "uses", "leases"}) {
    auto statement = connection.prepare(std::string("DELETE FROM ") + table + " WHERE key = ?");
    for (const auto& key : rows.keys) {
      statement.bind(key).step();
      statement.reset();
    }
  }
  for (const auto& owner : owners_named(connection, rows.customer)) {
    connection.run("DELETE FROM owners WHERE owner = ?", owner);
    connection.run("DELETE FROM owned_paths WHERE owner = ?", owner);
  }
  connection.run("DELETE FROM steps WHERE customer = ?", rows.customer);
  for (const auto& path : rows.files) connection.run("DELETE FROM file_digests WHERE path = ?", path.native());
  for (const auto& path : rows.outputs) connection.run("DELETE FROM written_outputs WHERE path = ?", path.native());
}

}  // namespace

Expected<LedgerRows> read_rows(SqliteLedger& ledger) {
  LedgerRows found;
  if (auto flushed = ledger.write([](SqliteConnection&) {}); !flushed) return tl::unexpected(flushed.error());
  auto facts = read_facts(ledger);
  if (!facts) return tl::unexpected(facts.error());
  found.facts = std::move(*facts);
  auto done = ledger.read([&](SqliteConnection& connection) {
    for (auto rows = connection.prepare("SELECT customer, key, inputs FROM steps"); rows.step();)
      found.steps.push_back({rows.bytes(0), rows.digest(1), rows.bytes(2)});
    for (auto rows = connection.prepare("SELECT path, digest FROM file_digests"); rows.step();)
      found.files.push_back({rows.bytes(0), rows.digest(1)});
    for (auto rows = connection.prepare("SELECT path, source, tree FROM written_outputs"); rows.step();)
      found.outputs.push_back({rows.bytes(0), rows.digest(1), rows.digest(2)});
    for (auto rows = connection.prepare("SELECT kind, path, owner FROM owned_paths"); rows.step();)
      found.owned_paths.push_back({static_cast<PathKind>(rows.integer(0)), rows.bytes(1), rows.bytes(2)});
  });
  if (!done) return tl::unexpected(done.error());
  return found;
}

Expected<void> forget_rows(SqliteLedger& ledger, const RowsToForget& rows) {
  if (auto done = ledger.rewrite([&](SqliteConnection& connection) { forget_in(connection, rows); }); !done)
    return done;
  return ledger.compact();
}

}  // namespace atelier
