// report: what a page shows beside the story: pictures and curves from the store, lines from the logs. What is gone,
// damaged or cannot be read is simply not there.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "artifact/shown.h"
#include "base/files.h"

namespace atelier {

class Evidence {
 public:
  // `store` may be null: the cache is gone. `folder` is the run's. All must outlive it.
  Evidence(Store* store, Files& files, std::filesystem::path folder)
      : store_(store), files_(files), folder_(std::move(folder)) {}

  bool has_store() const { return store_ != nullptr; }
  Shown shown(const Digest& key) const;  // empty where there is nothing any more
  bool kept(const Digest& key) const { return store_ && store_->has(key); }
  // The last lines of a log of the run's; empty where it cannot be read or lies elsewhere.
  std::string last_lines(const std::string& log, std::size_t most) const;

 private:
  Store* store_;
  Files& files_;
  std::filesystem::path folder_;
};

}  // namespace atelier
