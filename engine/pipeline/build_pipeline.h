// pipeline: from a file to a validated Pipeline; what load_pipeline() and load_batch() share.
#pragma once
#include <optional>
#include <string>

#include "base/files.h"
#include "graph/node.h"
#include "pipeline/mistake_list.h"
#include "pipeline/pipeline.h"

namespace atelier {

// Complete only where `mistakes` has not grown; empty where the file could not be read at all, which is told at
// `named_at`, where the user names it.
std::optional<Pipeline> build_pipeline(Files& files, const std::string& file, const SourcePosition& named_at,
                                       const NodeRegistry& registry, MistakeList& mistakes);

}  // namespace atelier
