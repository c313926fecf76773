// support: a Context in memory, the fake of what the engine gives a task. Thread-safe.
#pragma once
#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "graph/context.h"
#include "support/temporary_folder.h"

namespace atelier {

class FakeContext final : public Context {
 public:
  struct Metric {
    std::string name;
    std::int64_t step = 0;
    double value = 0;
    bool operator==(const Metric&) const = default;
  };

  // For the test, before the node runs.
  int thread_count = 1;
  int out_of_memory_before = 0;           // times
  std::int64_t stop_after = -1;           // stop_requested() is true after so many calls; negative: never
  std::optional<Artifact> checkpoint;     // what load_checkpoint() finds, and what was saved last
  std::optional<Error> checkpoint_error;  // what save_checkpoint() answers

  // What the node said, afterwards.
  std::vector<std::string> warnings;
  std::vector<Metric> metrics;
  std::vector<std::pair<double, std::string>> progressed;
  std::map<std::string, std::vector<std::byte>> previews;  // PNG by name
  std::vector<Artifact> saved;                             // every checkpoint, in order

  bool stop_requested() const override {
    const std::lock_guard lock(mutex_);
    return stop_after >= 0 && asked_++ >= stop_after;
  }
  int threads() const override { return thread_count; }
  int times_out_of_memory() const override { return out_of_memory_before; }
  std::filesystem::path scratch() override { return scratch_.path(); }
  void progress(double fraction, std::string_view what) override {
    const std::lock_guard lock(mutex_);
    progressed.emplace_back(fraction, what);
  }
  void metric(std::string_view name, std::int64_t step, double value) override {
    const std::lock_guard lock(mutex_);
    metrics.push_back({std::string(name), step, value});
  }
  void warn(std::string text) override {
    const std::lock_guard lock(mutex_);
    warnings.push_back(std::move(text));
  }
  void preview(std::string_view name, std::span<const std::byte> png) override {
    const std::lock_guard lock(mutex_);
    previews[std::string(name)] = {png.begin(), png.end()};
  }
  std::optional<Artifact> load_checkpoint() override { return checkpoint; }
  Expected<void> save_checkpoint(const Artifact& state) override {
    const std::lock_guard lock(mutex_);
    if (checkpoint_error) return tl::unexpected(*checkpoint_error);
    checkpoint = state;
    saved.push_back(state);
    return {};
  }

 private:
  mutable std::mutex mutex_;
  mutable std::int64_t asked_ = 0;
  TemporaryFolder scratch_;
};

}  // namespace atelier
