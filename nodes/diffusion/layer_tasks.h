// The layers of a LoRA on all of libtorch's threads: each layer is one thread's, so what comes out has the same bits on
// one thread and on many.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "diffusion/error.h"
#include "diffusion/task_threads.h"

namespace atelier::diffusion {

namespace layer_tasks_detail {
template <class T>
struct ValueOf {
  using Type = T;
};
template <class T>
struct ValueOf<Result<T>> {
  using Type = T;
};
}  // namespace layer_tasks_detail

/// task(item) for each of `items` (a map, a vector …), the results in their order. A task may return a Result: then the
/// first Error in the order of the items comes back.
template <class Items, class Task>
auto for_each_layer(const Items& items, const Task& task) {
  using Returned = std::invoke_result_t<const Task&, decltype(*items.begin())>;
  using Value = typename layer_tasks_detail::ValueOf<Returned>::Type;
  std::vector<decltype(items.begin())> places;
  places.reserve(items.size());
  for (auto place = items.begin(); place != items.end(); ++place) places.push_back(place);
  std::vector<std::optional<Result<Value>>> made(places.size());
  for_each_task(static_cast<int64_t>(places.size()), [&](int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    made[at].emplace(task(*places[at]));
  });
  std::vector<Value> values;
  values.reserve(made.size());
  Result<std::vector<Value>> result;
  for (auto& one : made) {
    if (!*one) return result = tl::unexpected(std::move(one->error()));
    values.push_back(std::move(**one));
  }
  return result = std::move(values);
}

}  // namespace atelier::diffusion
