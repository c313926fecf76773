#include "run/resident_cache.h"

namespace atelier {

Expected<std::shared_ptr<const void>> ResidentCache::get(const Digest& digest,
                                                         const std::function<Expected<ResidentObject>()>& loader) {
  std::unique_lock hold(mutex_);
  for (auto found = entries_.find(digest); found != entries_.end(); found = entries_.find(digest)) {
    if (found->second.resident.object) {
      found->second.used = ++calls_;
      return found->second.resident.object;
    }
    loaded_.wait(hold);
  }
  entries_.emplace(digest, Entry{});
  hold.unlock();

  Expected<ResidentObject> made = failure("not loaded", ErrorKind::fault);
  try {
    made = loader();
  } catch (...) {
    hold.lock();
    entries_.erase(digest);
    loaded_.notify_all();
    throw;
  }
  if (made && !made->object) made = failure("a loader returned no object", ErrorKind::fault);

  hold.lock();
  loaded_.notify_all();
  if (!made) {
    entries_.erase(digest);
    return tl::unexpected(made.error());
  }
  entries_[digest] = Entry{*made, ++calls_};
  bytes_ += made->bytes;
  const auto object = made->object;
  shrink_to(limit_bytes_);
  return object;
}

// Objects that only this cache holds are unused. `object` copies are handed out under the mutex, so a count of one
// cannot rise while it is held.
void ResidentCache::shrink_to(std::uint64_t limit_bytes) {
  while (bytes_ > limit_bytes) {
    auto oldest = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      const auto& object = entry->second.resident.object;
      if (!object || object.use_count() > 1) continue;
      if (oldest == entries_.end() || entry->second.used < oldest->second.used) oldest = entry;
    }
    if (oldest == entries_.end()) return;
    bytes_ -= oldest->second.resident.bytes;
    entries_.erase(oldest);
  }
}

void ResidentCache::evict_unused() {
  const std::lock_guard hold(mutex_);
  shrink_to(0);
}

std::uint64_t ResidentCache::bytes() const {
  const std::lock_guard hold(mutex_);
  return bytes_;
}

std::size_t ResidentCache::size() const {
  const std::lock_guard hold(mutex_);
  return entries_.size();
}

}  // namespace atelier
