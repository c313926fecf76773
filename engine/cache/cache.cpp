#include "cache/cache.h"

#include <fmt/format.h>
#include <sys/vfs.h>
#include <array>

namespace atelier {
namespace {

namespace fs = std::filesystem;

struct RemoteKind {
  std::uint64_t type;
  const char* name;
};
// Of statfs(2) and the kernel's magic.h.
constexpr std::array<RemoteKind, 12> kRemoteKinds{{{0x6969, "NFS"},
                                                   {0x517b, "SMB"},
                                                   {0xff534d42, "CIFS"},
                                                   {0xfe534d42, "SMB2"},
                                                   {0x65735546, "FUSE"},
                                                   {0x5346414f, "AFS"},
                                                   {0x00c36400, "Ceph"},
                                                   {0x01021997, "9P"},
                                                   {0x0bd00bd0, "Lustre"},
                                                   {0x47504653, "GPFS"},
                                                   {0x73757245, "Coda"},
                                                   {0x786f4256, "a folder shared with a virtual machine"}}};

void tell_if_remote(const fs::path& folder, const Told& told) {
  struct statfs s {};
  if (::statfs(folder.c_str(), &s) != 0) return;
  const auto kind = remote_file_system(static_cast<std::uint64_t>(s.f_type) & 0xffffffff);
  if (kind.empty()) return;
  told(
      fmt::format("{}: the cache is on {}, not on a local file system; locks may not hold there: use a local folder "
                  "with --cache",
                  folder.string(), kind));
}

// A folder somebody made by hand may be open to others.
Expected<void> make_private(Files& files, const fs::path& folder) {
  if (auto made = files.make_folders(folder); !made) return made;
  std::error_code code;
  fs::permissions(folder, fs::perms::owner_all, code);
  if (code) return failure(fmt::format("{}: cannot be made private: {}", folder.string(), code.message()));
  return {};
}

}  // namespace

std::string remote_file_system(std::uint64_t statfs_type) {
  for (const auto& kind : kRemoteKinds)
    if (kind.type == statfs_type) return kind.name;
  return {};
}

Expected<fs::path> default_cache_folder(const char* xdg_cache_home, const char* home) {
  if (xdg_cache_home && xdg_cache_home[0] == '/') return fs::path(xdg_cache_home) / "atelier";
  if (home && home[0] != '\0') return fs::path(home) / ".cache" / "atelier";
  return failure("neither XDG_CACHE_HOME nor HOME is set: name a folder for the cache with --cache");
}

Cache::Cache(Files& files, fs::path folder, std::unique_ptr<Hdf5Store> store, std::unique_ptr<SqliteLedger> ledger,
             const Clock& clock)
    : folder_(std::move(folder)),
      store_(std::move(store)),
      ledger_(std::move(ledger)),
      leases_(files, *ledger_, clock, folder_ / "locks") {}

Expected<std::unique_ptr<Cache>> open_cache(Files& files, const fs::path& folder, Told told, const Clock& clock) {
  const fs::path place = fs::absolute(folder).lexically_normal();
  if (auto made = make_private(files, place); !made) return tl::unexpected(made.error());
  tell_if_remote(place, told);
  auto ledger = SqliteLedger::open(place / "ledger.sqlite");  // first: it knows the format of the whole cache
  if (!ledger) return tl::unexpected(ledger.error());
  auto store = Hdf5Store::open(files, place, std::move(told));
  if (!store) return tl::unexpected(store.error());
  return std::unique_ptr<Cache>(new Cache(files, place, std::move(*store), std::move(*ledger), clock));
}

}  // namespace atelier
