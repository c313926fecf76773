// cache: a purge's part in the ledger: every row that tells of somebody, and taking rows away so that nothing of them
// stays in the file.
#pragma once
#include <filesystem>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "artifact/owned_path.h"
#include "cache/ledger_facts.h"

namespace atelier {

struct LedgerRows {
  struct Step {
    std::string customer;
    Digest key;
    std::string inputs;  // JSON; digests as text
  };
  struct File {
    std::filesystem::path path;
    Digest digest;
  };
  struct Output {
    std::filesystem::path path;
    Digest source, tree;
  };
  LedgerFacts facts;
  std::vector<Step> steps;
  std::vector<File> files;
  std::vector<Output> outputs;
  std::vector<OwnedPath> owned_paths;
};

// With the remembered digests that waited in memory. Errors: the ledger's.
Expected<LedgerRows> read_rows(SqliteLedger& ledger);

struct RowsToForget {
  std::string customer;      // all owners and memories of this id, of whatever batch
  std::vector<Digest> keys;  // with their records, outputs and uses
  std::vector<std::filesystem::path> files, outputs;
};

// Takes them away in one transaction, then writes the ledger's file anew, without what was deleted before.
Expected<void> forget_rows(SqliteLedger& ledger, const RowsToForget& rows);

}  // namespace atelier
