#include "run/key_lease.h"

namespace atelier {

void KeyLease::add(const Digest& key) {
  if (!hold_) return;
  const std::lock_guard hold(mutex_);
  if (seen_.insert(key).second) new_.push_back(key);
}

Expected<void> KeyLease::flush() {
  const std::lock_guard hold(mutex_);
  if (!hold_ || new_.empty()) return {};
  const auto held = hold_(new_);
  if (held) new_.clear();
  return held;
}

}  // namespace atelier
