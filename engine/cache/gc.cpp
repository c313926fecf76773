#include "cache/gc.h"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_set>

namespace atelier {
namespace {

namespace fs = std::filesystem;

// What is kept of a key, to be weighed by when it was used last.
struct Kept {
  const CacheEntry* entry;
  std::vector<const StoredFile*> files;
};

// Uses of this moment and later are the last runs'. None where there were fewer runs: then all are.
std::optional<std::int64_t> last_runs_began(const LedgerFacts& facts, std::size_t runs) {
  if (runs == 0) return std::nullopt;
  if (facts.runs_started_ns.size() < runs) return 0;
  return facts.runs_started_ns[runs - 1];
}

class Selection {
 public:
  Selection(const LedgerFacts& facts, const GcOptions& options, std::int64_t now_ns)
      : options_(options), now_ns_(now_ns), last_runs_ns_(last_runs_began(facts, options.keep_last_runs)) {}

  // Takes out what nothing needs any more; what is left is weighed by weigh().
  void sort(const CacheEntry& entry, bool task_known, bool may_go) {
    Kept kept{&entry, {}};
    const auto decide = [&](const StoredFile& file, std::optional<GcReason> garbage) {
      bytes_ += file.size_bytes;
      if (garbage && may_go) remove(entry, file, *garbage);
      if (!garbage) kept.files.push_back(&file);
    };
    if (entry.content) decide(*entry.content, why_content_is_garbage(entry, task_known));
    if (entry.checkpoint) decide(*entry.checkpoint, entry.record ? std::optional(GcReason::done) : std::nullopt);
    for (const auto& file : entry.quarantined) decide(file, GcReason::quarantined);
    if (!kept.files.empty() && may_go && !used_by_last_runs(entry)) kept_.push_back(std::move(kept));
  }

  std::vector<GcRemoval> weigh() && {
    std::ranges::stable_sort(kept_, {}, [](const Kept& kept) { return kept.entry->used_ns; });
    for (const auto& kept : kept_)
      if (const auto why = why_too_much(*kept.entry))
        for (const auto* file : kept.files) remove(*kept.entry, *file, *why);
    return std::move(removals_);
  }

 private:
  static std::optional<GcReason> why_content_is_garbage(const CacheEntry& entry, bool task_known) {
    if (entry.shown_by || entry.node() == "shown") return task_known ? std::nullopt : std::optional(GcReason::unneeded);
    return entry.record ? std::nullopt : std::optional(GcReason::leftover);
  }

  std::optional<GcReason> why_too_much(const CacheEntry& entry) const {
    const std::chrono::nanoseconds age(now_ns_ - entry.used_ns);
    if (options_.max_age && age > *options_.max_age) return GcReason::too_old;
    if (options_.max_bytes && bytes_ - freed_ > *options_.max_bytes) return GcReason::too_much;
    return std::nullopt;
  }

  bool used_by_last_runs(const CacheEntry& entry) const { return last_runs_ns_ && entry.used_ns >= *last_runs_ns_; }

  void remove(const CacheEntry& entry, const StoredFile& file, GcReason reason) {
    removals_.push_back({file.path, entry.key, file.size_bytes, reason});
    freed_ += file.size_bytes;
  }

  const GcOptions& options_;
  std::int64_t now_ns_;
  std::optional<std::int64_t> last_runs_ns_;
  std::vector<Kept> kept_;
  std::vector<GcRemoval> removals_;
  std::uint64_t bytes_ = 0, freed_ = 0;
};

// Leases of a key may be written a moment after its first use, so what was used since a living run began counts as its.
class InUse {
 public:
  explicit InUse(const std::vector<LivingRun>& runs) {
    for (const auto& run : runs) {
      keys_.insert(run.keys.begin(), run.keys.end());
      since_ns_ = std::min(since_ns_, run.started_ns);
    }
  }
  bool operator()(const CacheEntry& entry) const {
    const auto held = [&](const Digest& key) { return keys_.contains(key); };
    return held(entry.key) || (entry.shown_by && held(*entry.shown_by)) ||
           std::max(entry.used_ns, entry.made_ns) >= since_ns_;
  }

 private:
  std::unordered_set<Digest> keys_;
  std::int64_t since_ns_ = std::numeric_limits<std::int64_t>::max();
};

// Half-written files of writers that are dead; those of the living are locked.
void add_leftovers(Files& files, const Hdf5Store& store, const StoredFiles& stored, std::vector<GcRemoval>& removals) {
  for (const auto& path : stored.strangers) {
    if (!store.is_leftover(path)) continue;
    const auto stat = files.stat(path);
    if (stat && *stat) removals.push_back({path, std::nullopt, (*stat)->size_bytes, GcReason::leftover});
  }
}

class Removal {
 public:
  Removal(Files& files, Cache& cache, GcResult& result) : files_(files), cache_(cache), result_(result) {}

  void remove(const GcRemoval& one) {
    if (one.key) {
      const auto claim = cache_.store().try_claim(*one.key);  // held: somebody computes it just now
      if (!claim) return result_.failed.push_back(claim.error().message);
      if (!*claim) {
        ++result_.in_use;
        return;
      }
      return remove_file(one);
    }
    remove_file(one);
  }

 private:
  void remove_file(const GcRemoval& one) {
    if (const auto gone = files_.remove_all(one.path); !gone) return result_.failed.push_back(gone.error().message);
    result_.removed.push_back(one);
    result_.freed_bytes += one.size_bytes;
  }

  Files& files_;
  Cache& cache_;
  GcResult& result_;
};

std::uint64_t bytes_of(const std::vector<CacheEntry>& entries) {
  std::uint64_t sum = 0;
  for (const auto& entry : entries) sum += entry.size_bytes();
  return sum;
}

}  // namespace

std::string_view name_of(GcReason reason) noexcept {
  constexpr std::array<std::string_view, 6> names{"left over",   "done",    "unneeded",
                                                  "quarantined", "too old", "too much"};
  return names[static_cast<std::size_t>(reason)];
}

std::vector<GcRemoval> due_for_removal(const std::vector<CacheEntry>& entries, const LedgerFacts& facts,
                                       const GcOptions& options, std::int64_t now_ns,
                                       const std::function<bool(const CacheEntry&)>& in_use) {
  Selection selection(facts, options, now_ns);
  std::unordered_set<Digest> known;  // tasks that are done, or that have begun
  for (const auto& entry : entries)
    if (entry.record || entry.checkpoint) known.insert(entry.key);
  for (const auto& entry : entries)
    selection.sort(entry, entry.shown_by && known.contains(*entry.shown_by), !in_use(entry));
  return std::move(selection).weigh();
}

Expected<GcResult> collect_garbage(Files& files, Cache& cache, const Clock& clock, const GcOptions& options) {
  const auto against_leases = cache.leases().exclude();
  if (!against_leases) return tl::unexpected(against_leases.error());
  const auto runs = cache.leases().living();
  if (!runs) return tl::unexpected(runs.error());
  const auto facts = read_facts(cache.ledger_on_disk());
  if (!facts) return tl::unexpected(facts.error());
  const auto stored = stored_files(files, cache.folder());
  if (!stored) return tl::unexpected(stored.error());

  const auto entries = entries_of(*facts, *stored);
  const std::int64_t now_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(clock.wall().time_since_epoch()).count();
  const InUse in_use(*runs);
  auto removals = due_for_removal(entries, *facts, options, now_ns, in_use);
  const auto due = due_for_removal(entries, *facts, options, now_ns, [](const CacheEntry&) { return false; });
  add_leftovers(files, cache.store_on_disk(), *stored, removals);

  GcResult result;
  std::unordered_set<Digest> due_keys;
  for (const auto& one : due) due_keys.insert(*one.key);
  for (const auto& entry : entries) result.in_use += in_use(entry) && due_keys.contains(entry.key) ? 1U : 0U;
  Removal removal(files, cache, result);
  for (const auto& one : removals) {
    if (options.dry_run) {
      result.removed.push_back(one);
      result.freed_bytes += one.size_bytes;
    } else {
      removal.remove(one);
    }
  }
  const std::uint64_t all = bytes_of(entries);
  std::uint64_t freed = 0;
  for (const auto& one : result.removed) freed += one.key ? one.size_bytes : 0;
  result.left_bytes = all - freed;
  return result;
}

}  // namespace atelier
