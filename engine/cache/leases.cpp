#include "cache/leases.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"

namespace atelier {
namespace {

class LedgerLease final : public RunLease {
 public:
  LedgerLease(SqliteLedger& ledger, std::string id, std::unique_ptr<FileLock> lock)
      : ledger_(ledger), id_(std::move(id)), lock_(std::move(lock)) {}
  ~LedgerLease() override {
    if (auto removed = ledger_.remove_run(id_); !removed) log(LogLevel::warning, removed.error().message);
  }
  Expected<void> hold(std::span<const Digest> keys) override { return ledger_.add_leases(id_, keys); }

 private:
  SqliteLedger& ledger_;
  std::string id_;
  std::unique_ptr<FileLock> lock_;  // freed after the rows are gone
};

}  // namespace

Leases::Leases(Files& files, SqliteLedger& ledger, const Clock& clock, std::filesystem::path locks)
    : files_(files), ledger_(ledger), clock_(clock), locks_(std::move(locks)) {}

std::filesystem::path Leases::lock_of(const std::string& id) const { return locks_ / ("run-" + id); }

Expected<std::unique_ptr<RunLease>> Leases::begin_run(const std::string& id) {
  auto lock = files_.try_lock(lock_of(id));
  if (!lock) return tl::unexpected(lock.error());
  if (!*lock) return failure(fmt::format("run {}: another process is running it", id));
  if (auto cleared = ledger_.remove_run(id); !cleared) return tl::unexpected(cleared.error());
  const auto started = std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.wall().time_since_epoch());
  if (auto added = ledger_.add_run({id, ::getpid(), started.count()}); !added) return tl::unexpected(added.error());
  return std::make_unique<LedgerLease>(ledger_, id, std::move(*lock));
}

Expected<std::unordered_set<Digest>> Leases::held() {
  const auto runs = ledger_.runs();
  if (!runs) return tl::unexpected(runs.error());
  std::unordered_set<Digest> keys;
  for (const auto& run : *runs) {
    const auto lock = files_.try_lock(lock_of(run.id));
    if (!lock) return tl::unexpected(lock.error());
    if (*lock) {
      if (auto removed = ledger_.remove_run(run.id); !removed) return tl::unexpected(removed.error());
      continue;
    }
    const auto used = ledger_.leases_of(run.id);
    if (!used) return tl::unexpected(used.error());
    keys.insert(used->begin(), used->end());
  }
  return keys;
}

}  // namespace atelier
