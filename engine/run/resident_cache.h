// run: what stays on a device between tasks: shared, immutable, loaded once however many ask for it at the same time,
// and evicted, least recently used first, when it is unused and room is wanted.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/digest.h"
#include "base/error.h"
#include "graph/device.h"

namespace atelier {

class ResidentCache {
 public:
  // Unused objects stay while all objects together take at most `limit_bytes`.
  explicit ResidentCache(std::uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // The object; the loader's error where it could not be loaded. Of concurrent callers one loads and the others wait;
  // where the load failed, the next of them tries.
  Expected<std::shared_ptr<const void>> get(const Digest& digest,
                                            const std::function<Expected<ResidentObject>()>& loader);
  void evict_unused();
  std::uint64_t bytes() const;  // of all objects that it keeps
  std::size_t size() const;

 private:
  struct Entry {
    ResidentObject resident;  // empty while it is being loaded
    std::uint64_t used = 0;   // when, in calls
  };
  void shrink_to(std::uint64_t limit_bytes);

  mutable std::mutex mutex_;
  std::condition_variable loaded_;
  std::unordered_map<Digest, Entry> entries_;
  std::uint64_t limit_bytes_, bytes_ = 0, calls_ = 0;
};

}  // namespace atelier
