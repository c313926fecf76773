// support: a Device that loads each object once and keeps it: the fake of a device's memory. Thread-safe.
#pragma once
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "graph/device.h"

namespace atelier {

class FakeDevice final : public Device {
 public:
  explicit FakeDevice(std::string id = "cpu:0") : id_(std::move(id)) {}
  const std::string& id() const override { return id_; }
  std::size_t loads() const {  // how often a loader ran
    const std::lock_guard lock(mutex_);
    return loads_;
  }

 protected:
  Expected<std::shared_ptr<const void>> resident_object(
      const Digest& digest, const std::function<Expected<ResidentObject>()>& loader) override {
    const std::lock_guard lock(mutex_);
    if (const auto found = objects_.find(digest); found != objects_.end()) return found->second;
    ++loads_;
    auto loaded = loader();
    if (!loaded) return tl::unexpected(loaded.error());
    return objects_.emplace(digest, loaded->object).first->second;
  }

 private:
  std::string id_;
  mutable std::mutex mutex_;
  std::map<Digest, std::shared_ptr<const void>> objects_;
  std::size_t loads_ = 0;
};

}  // namespace atelier
