// image: what cannot be used by two threads at once, lent out: a network of OpenCV, behind a const interface.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace atelier {

// Makes objects by `make` when none is idle and keeps those that come back; as many exist as were in use at once.
template <class T>
class Pool {
 public:
  explicit Pool(std::function<std::unique_ptr<T>()> make) : make_(std::move(make)) {}

  // `use(T&)`'s result, with an object that nobody else uses meanwhile. One that threw is not used again.
  template <class Use>
  auto with(Use&& use) const {
    std::unique_ptr<T> object = take();
    auto result = use(*object);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(object));
    return result;
  }

 private:
  std::unique_ptr<T> take() const {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto object = std::move(idle_.back());
        idle_.pop_back();
        return object;
      }
    }
    return make_();
  }

  std::function<std::unique_ptr<T>()> make_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<T>> idle_;
};

}  // namespace atelier
