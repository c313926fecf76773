#include "run/run_folder.h"

#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace atelier {
namespace {

// A run that was killed could not remove its scratch folder. Nobody else runs here: the lock is held.
Expected<void> remove_left_scratch(Files& files, const std::filesystem::path& runs) {
  const auto names = files.list(runs);
  if (!names) return tl::unexpected(names.error());
  for (const auto& name : *names) {
    const auto scratch = runs / name / "scratch";
    const auto left = files.stat(scratch);
    if (!left || !*left) continue;
    if (auto removed = files.remove_all(scratch); !removed) return removed;
  }
  return {};
}

}  // namespace

Expected<RunFolder> open_run_folder(Files& files, const Clock& clock, const std::filesystem::path& out) {
  const auto runs = out / "runs";
  if (const auto made = files.make_folders(runs); !made) return tl::unexpected(made.error());
  std::error_code ignored;
  std::filesystem::permissions(runs, std::filesystem::perms::owner_all, ignored);  // it may have been made by hand
  auto lock = files.try_lock(runs / "lock");
  if (!lock) return tl::unexpected(lock.error());
  if (!*lock)
    return failure(
        fmt::format("{}: another run is writing there; wait for it, or give this one another --out", out.string()));
  if (const auto cleared = remove_left_scratch(files, runs); !cleared) return tl::unexpected(cleared.error());
  const std::time_t now = Clock::WallTime::clock::to_time_t(clock.wall());
  const std::string time = fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(now));
  for (int n = 1;; ++n) {
    const std::string name = fmt::format("{}-{}", time, n);
    const auto taken = files.stat(runs / name);
    if (!taken) return tl::unexpected(taken.error());
    if (*taken) continue;
    if (const auto made = files.make_folders(runs / name); !made) return tl::unexpected(made.error());
    return RunFolder{name, runs / name, std::move(*lock)};
  }
}

std::string file_name_of(std::string_view task) {
  std::string name(task);
  for (char& c : name)
    if (c == '/' || c == ' ') c = c == '/' ? '+' : '-';
  return name;
}

}  // namespace atelier
