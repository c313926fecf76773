// cache: collection of garbage. Content goes, oldest use first; records stay, so that nothing below what went runs
// again until its content is wanted. What a living run uses is never touched.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cache/cache.h"
#include "cache/entries.h"

namespace atelier {

struct GcOptions {
  std::optional<std::uint64_t> max_bytes{};       // of all files of the store, when it is done
  std::optional<std::chrono::seconds> max_age{};  // since the last use
  std::size_t keep_last_runs = 0;                 // what these used stays, whatever the other options say
  bool dry_run = false;                           // says what would go
};

enum class GcReason {
  leftover,     // of a process that died: half a file, or content that no record ever named
  done,         // the checkpoint of a training that is done
  unneeded,     // previews of a task that nobody knows any more
  quarantined,  // did not verify
  too_old,
  too_much,
};
std::string_view name_of(GcReason reason) noexcept;  // "left over" …

struct GcRemoval {
  std::filesystem::path path;
  std::optional<Digest> key;  // none of half a file
  std::uint64_t size_bytes = 0;
  GcReason reason = GcReason::leftover;
};

struct GcResult {
  std::vector<GcRemoval> removed;   // in the order in which they went
  std::vector<std::string> failed;  // sentences about what could not be removed
  std::uint64_t freed_bytes = 0, left_bytes = 0;
  std::size_t in_use = 0;  // keys left alone because a living run uses them, though they were due
};

// What would go, by what is known of a cache: pure. `now_ns` since the epoch.
std::vector<GcRemoval> due_for_removal(const std::vector<CacheEntry>& entries, const LedgerFacts& facts,
                                       const GcOptions& options, std::int64_t now_ns,
                                       const std::function<bool(const CacheEntry&)>& in_use);

// Takes the cache's lock against leases. Errors: another process removes from the cache; what the ledger or the system
// says before anything was removed.
Expected<GcResult> collect_garbage(Files& files, Cache& cache, const Clock& clock, const GcOptions& options);

}  // namespace atelier
