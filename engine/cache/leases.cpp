#include "cache/leases.h"

#include <fmt/format.h>
#include <unistd.h>
#include <thread>

#include "base/log.h"

namespace atelier {
namespace {

// A collection of garbage or a purge removes files for seconds, a run names its keys in milliseconds.
constexpr std::chrono::milliseconds kRunWaits = std::chrono::minutes(10), kRemoverWaits = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kPause(5);

}  // namespace

class Leases::LedgerLease final : public RunLease {
 public:
  LedgerLease(Leases& leases, std::string id, std::unique_ptr<FileLock> lock)
      : leases_(leases), id_(std::move(id)), lock_(std::move(lock)) {}
  ~LedgerLease() override {
    if (auto removed = leases_.ledger_.remove_run(id_); !removed) log(LogLevel::warning, removed.error().message);
  }
  Expected<void> hold(std::span<const Digest> keys) override {
    const auto against_removal = leases_.lock_within(kRunWaits);
    if (!against_removal) return tl::unexpected(against_removal.error());
    return leases_.ledger_.add_leases(id_, keys, leases_.now_ns());
  }

 private:
  Leases& leases_;
  std::string id_;
  std::unique_ptr<FileLock> lock_;  // freed after the rows are gone
};

Leases::Leases(Files& files, SqliteLedger& ledger, const Clock& clock, std::filesystem::path locks)
    : files_(files), ledger_(ledger), clock_(clock), locks_(std::move(locks)) {}

std::filesystem::path Leases::lock_of(const std::string& id) const { return locks_ / ("run-" + id); }

std::int64_t Leases::now_ns() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.wall().time_since_epoch()).count();
}

Expected<std::unique_ptr<FileLock>> Leases::lock_within(std::chrono::milliseconds most) {
  const auto until = std::chrono::steady_clock::now() + most;
  for (;;) {
    auto lock = files_.try_lock(locks_ / "cache");
    if (!lock || *lock) return lock;
    if (std::chrono::steady_clock::now() >= until)
      return failure(fmt::format("{}: another process removes from this cache; wait for it and try again",
                                 locks_.parent_path().string()),
                     ErrorKind::transient);
    std::this_thread::sleep_for(kPause);
  }
}

Expected<std::unique_ptr<FileLock>> Leases::exclude() { return lock_within(kRemoverWaits); }

Expected<std::unique_ptr<RunLease>> Leases::begin_run(const std::string& id,
                                                      const std::vector<std::string>& customers) {
  const auto against_removal = lock_within(kRunWaits);
  if (!against_removal) return tl::unexpected(against_removal.error());
  auto lock = files_.try_lock(lock_of(id));
  if (!lock) return tl::unexpected(lock.error());
  if (!*lock) return failure(fmt::format("run {}: another process is running it", id));
  if (auto cleared = ledger_.remove_run(id); !cleared) return tl::unexpected(cleared.error());
  if (auto added = ledger_.add_run({id, ::getpid(), now_ns(), customers}); !added) return tl::unexpected(added.error());
  return std::make_unique<LedgerLease>(*this, id, std::move(*lock));
}

Expected<std::vector<LivingRun>> Leases::living() {
  const auto runs = ledger_.runs();
  if (!runs) return tl::unexpected(runs.error());
  std::vector<LivingRun> alive;
  for (const auto& run : *runs) {
    const auto lock = files_.try_lock(lock_of(run.id));
    if (!lock) return tl::unexpected(lock.error());
    if (*lock) {
      if (auto removed = ledger_.remove_run(run.id); !removed) return tl::unexpected(removed.error());
      continue;
    }
    const auto used = ledger_.leases_of(run.id);
    if (!used) return tl::unexpected(used.error());
    alive.push_back({run.pid, run.started_ns, run.customers, {used->begin(), used->end()}});
  }
  return alive;
}

Expected<std::unordered_set<Digest>> Leases::held() {
  auto runs = living();
  if (!runs) return tl::unexpected(runs.error());
  std::unordered_set<Digest> keys;
  for (auto& run : *runs) keys.merge(run.keys);
  return keys;
}

}  // namespace atelier
