// nodes: the explicit list of all nodes and port types.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/files.h"
#include "graph/node.h"

namespace atelier {

// What nodes and port types need from outside.
struct Resources {
  Files& files;                          // outlives the registry
  std::filesystem::path models;          // the small models that ship: YuNet, SINet
  std::filesystem::path pipelines;       // rule files of captions
  std::optional<std::string> date = {};  // written into LoRA files, ISO 8601; from SOURCE_DATE_EPOCH or not at all
};

NodeRegistry make_registry(const Resources& resources);

}  // namespace atelier
