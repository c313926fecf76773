// cache: all that a ledger holds about keys, read at once: for those who look after a cache.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "artifact/store.h"

namespace atelier {

class SqliteLedger;

struct LedgerFacts {
  std::unordered_map<Digest, Record> records;
  std::unordered_map<Digest, std::set<std::string>> owners;  // "anna@PLACE"; empty: a batch
  std::unordered_map<Digest, std::set<std::string>> steps;   // that had this key when they ran last, by name
  std::unordered_map<Digest, std::int64_t> used_ns;  // since the epoch; of caches before format 2 not of all keys
  std::vector<std::int64_t> runs_started_ns;         // of all runs since format 2, the latest first
};

// What is committed now, by others too. Errors: the ledger's.
Expected<LedgerFacts> read_facts(SqliteLedger& ledger);

}  // namespace atelier
