// support of the pipeline tests: files in memory, the nodes of support/test_nodes.h, and all mistakes as lines.
#pragma once
#include <map>
#include <string>

#include "pipeline/load.h"
#include "support/memory_files.h"
#include "support/test_nodes.h"

namespace atelier {

inline std::string lines(const Mistakes& mistakes) {
  std::string all;
  for (const auto& mistake : mistakes) all += mistake.text() + "\n";
  return all;
}

// A world with a pipeline at /p.yaml and whatever else is put into `files`.
struct PipelineCase {
  MemoryFiles files;
  NodeRegistry registry = make_test_registry(files);

  explicit PipelineCase(std::string_view pipeline = {}, const std::map<std::string, std::string>& others = {}) {
    if (!pipeline.empty()) files.put("/p.yaml", pipeline);
    for (const auto& [path, text] : others) files.put(path, text);
  }
  Checked<Pipeline> load() { return load_pipeline(files, "/p.yaml", registry); }
  Checked<Batch> load_night(const Settings& settings = {}) {
    return load_batch(files, "/night.yaml", registry, settings);
  }
  // "" where the file is right.
  std::string mistakes() {
    const auto loaded = load();
    return loaded ? "" : lines(loaded.error());
  }
  std::string night_mistakes(const Settings& settings = {}) {
    const auto loaded = load_night(settings);
    return loaded ? "" : lines(loaded.error());
  }
};

}  // namespace atelier
