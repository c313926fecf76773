// cache: what is in a cache, key by key: from the ledger and from the files, for people.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/cache.h"
#include "cache/ledger_facts.h"
#include "cache/stored_files.h"

namespace atelier {

struct CacheEntry {
  Digest key;
  std::optional<Record> record;        // none: never finished, or a leftover
  std::optional<Digest> shown_by;      // the task's key, where this is what a task showed
  std::vector<std::string> steps;      // the names under which it was used last, sorted
  std::vector<std::string> customers;  // whose it is, sorted
  bool for_batch = false;              // it is a whole batch's
  std::optional<StoredFile> content, checkpoint;
  std::vector<StoredFile> quarantined;
  std::int64_t made_ns = 0;  // since the epoch, of its newest file; 0: it has none
  std::int64_t used_ns = 0;  // by a run, or else made

  std::uint64_t size_bytes() const;  // of its files
  std::string node() const;          // "train"; "unknown" without a record
};

// All keys that have a record or a file, by last use, the latest first.
Expected<std::vector<CacheEntry>> list_entries(Files& files, Cache& cache);
std::vector<CacheEntry> entries_of(const LedgerFacts& facts, const StoredFiles& stored);

// The entry whose key begins with `prefix`, hexadecimal digits. Errors: none or several do, or it is no such text.
Expected<const CacheEntry*> find_entry(const std::vector<CacheEntry>& entries, std::string_view prefix);

}  // namespace atelier
