// run: tells the cache which keys a run uses, in groups, so that a collection of garbage leaves them alone.
#pragma once
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/digest.h"
#include "base/error.h"

namespace atelier {

class KeyLease {
 public:
  using Hold = std::function<Expected<void>(std::span<const Digest>)>;
  // An empty `hold` tells nobody.
  explicit KeyLease(Hold hold) : hold_(std::move(hold)) {}

  void add(const Digest& key);  // thread-safe; told with the next flush()
  // Error: what the cache says; the keys are then told again with the next one.
  Expected<void> flush();

 private:
  Hold hold_;
  std::mutex mutex_;
  std::unordered_set<Digest> seen_;
  std::vector<Digest> new_;
};

}  // namespace atelier
