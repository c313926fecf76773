// pipeline: from files to values. All mistakes at once, none of the data touched.
#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "graph/node.h"
#include "pipeline/batch.h"

namespace atelier {

template <class T>
using Checked = tl::expected<T, Mistakes>;

// Whether a file is a pipeline: it names none, and has steps or no customers. False too where it cannot be read.
bool is_pipeline(Files& files, const std::filesystem::path& file);

// A pipeline with its modules, validated against the registry.
Checked<Pipeline> load_pipeline(Files& files, const std::filesystem::path& file, const NodeRegistry& registry);

// `name=value` as --set takes it: the value is read as a YAML scalar or flow list.
using Settings = std::vector<std::pair<std::string, std::string>>;

// A batch with its pipeline: customers found (list, CSV, folder), paths made absolute and checked to exist, params of
// every customer checked against the nodes, output paths checked to be distinct.
Checked<Batch> load_batch(Files& files, const std::filesystem::path& file, const NodeRegistry& registry,
                          const Settings& settings = {});

}  // namespace atelier
