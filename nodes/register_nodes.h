// nodes: the explicit list of all nodes and port types.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/files.h"
#include "graph/node.h"

namespace atelier {

struct Commands;  // exec/exec_node.h

// What nodes and port types need from outside. All outlive the registry.
struct Resources {
  Files& files;
  std::filesystem::path models;          // the small models that ship: YuNet, SINet
  std::filesystem::path pipelines;       // rule files of captions
  std::optional<std::string> date = {};  // written into LoRA files, ISO 8601; from SOURCE_DATE_EPOCH or not at all
  const Commands* commands = nullptr;    // of the node exec; null: it runs none
};

NodeRegistry make_registry(const Resources& resources);

}  // namespace atelier
