#include "cache/ledger_facts.h"

#include "cache/sqlite.h"
#include "cache/sqlite_ledger.h"

namespace atelier {

Expected<LedgerFacts> read_facts(SqliteLedger& ledger) {
  LedgerFacts facts;
  std::vector<Digest> keys;
  auto done = ledger.read([&](SqliteConnection& connection) {
    for (auto rows = connection.prepare("SELECT key FROM records"); rows.step();) keys.push_back(rows.digest(0));
    for (auto rows = connection.prepare("SELECT key, owner FROM owners"); rows.step();)
      facts.owners[rows.digest(0)].insert(rows.bytes(1));
    for (auto rows = connection.prepare("SELECT key, step FROM steps"); rows.step();)
      facts.steps[rows.digest(0)].insert(rows.bytes(1));
    for (auto rows = connection.prepare("SELECT key, used_ns FROM uses"); rows.step();)
      facts.used_ns[rows.digest(0)] = rows.integer(1);
    auto runs = connection.prepare("SELECT started_ns FROM past_runs ORDER BY started_ns DESC");
    while (runs.step()) facts.runs_started_ns.push_back(runs.integer(0));
  });
  if (!done) return tl::unexpected(done.error());
  ledger.refresh();
  for (const auto& key : keys)
    if (auto record = ledger.find(key)) facts.records.emplace(key, std::move(*record));
  return facts;
}

}  // namespace atelier
