// graph: a device as a node sees it: its name, and what stays on it between tasks.
#pragma once
#include <any>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/digest.h"
#include "base/error.h"

namespace atelier {

// What was loaded and how much memory it takes.
struct ResidentObject {
  std::shared_ptr<const void> object;
  std::uint64_t bytes = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual const std::string& id() const = 0;  // "cpu:0", "cuda:1"; "cpu" for tasks that hold no device

  // The object of this digest, loaded once per device (logical CPU devices share one), immutable, evicted when unused.
  // Concurrent callers wait for one load. `loader` returns Expected<std::pair<std::shared_ptr<const T>, bytes>>.
  template <class T>
  Expected<std::shared_ptr<const T>> resident(
      const Digest& digest,
      const std::function<Expected<std::pair<std::shared_ptr<const T>, std::uint64_t>>()>& loader) {
    auto found = resident_object(digest, [&]() -> Expected<ResidentObject> {
      auto loaded = loader();
      if (!loaded) return tl::unexpected(loaded.error());
      return ResidentObject{loaded->first, loaded->second};
    });
    if (!found) return tl::unexpected(found.error());
    return std::static_pointer_cast<const T>(*found);
  }

 protected:
  virtual Expected<std::shared_ptr<const void>> resident_object(
      const Digest& digest, const std::function<Expected<ResidentObject>()>& loader) = 0;
};

}  // namespace atelier
