// graph: what a running task may ask of the engine. One per job; safe to call from the task's own threads.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "artifact/artifact.h"
#include "base/error.h"
#include "base/random.h"

namespace atelier {

class Context {
 public:
  virtual ~Context() = default;

  // True once the run is being stopped: save a checkpoint and return an error of kind `stopped`.
  virtual bool stop_requested() const = 0;
  virtual int threads() const = 0;              // how many threads the task may use
  virtual std::filesystem::path scratch() = 0;  // an empty folder of the task's own, removed afterwards
  // How often the task ran out of memory before, in this run. What can do its work in smaller pieces does so then.
  virtual int times_out_of_memory() const { return 0; }

  virtual void progress(double fraction, std::string_view what) = 0;                // fraction in [0, 1]
  virtual void metric(std::string_view name, std::int64_t step, double value) = 0;  // a loss per step
  virtual void warn(std::string text) = 0;                                          // belongs to the result
  virtual void preview(std::string_view name, std::span<const std::byte> png) = 0;  // for the report

  virtual std::optional<Artifact> load_checkpoint() = 0;
  virtual Expected<void> save_checkpoint(const Artifact& state) = 0;  // durable when it returns

  // Keyed by (seed, purpose, subject) alone.
  RandomStream random(std::int64_t seed, std::string_view purpose, const Digest& subject) const {
    return {seed, purpose, subject};
  }
};

}  // namespace atelier
