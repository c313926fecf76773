// pipeline: a pipeline file with all the modules it uses, each read once.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "pipeline/mistake_list.h"
#include "pipeline/pipeline_file.h"

namespace atelier {

struct PipelineFiles {
  std::vector<std::unique_ptr<const PipelineFile>> files;         // the pipeline first
  std::map<const StepDeclaration*, const PipelineFile*> modules;  // what a step uses; absent where it could not be read

  const PipelineFile& pipeline() const { return *files.front(); }
};

// How positions name the file that `named`, which stands in the file `from`, means: relative to its folder.
std::string relative_to_file(const std::string& from, const std::string& named);

// Empty where the pipeline itself could not be read. A module that uses itself, directly or not, is told with the path.
std::optional<PipelineFiles> read_pipeline_files(Files& files, const std::string& file, const SourcePosition& named_at,
                                                 MistakeList& mistakes);

// The text of a file a user named. Empty after telling, at `position`, that it is not there or cannot be read.
std::optional<std::string> read_named_file(Files& files, const std::string& file, const SourcePosition& position,
                                           std::string_view what, MistakeList& mistakes);

// "; did you mean 'pipelines/portrait.yaml'?" for what stands beside a file or folder that is not there; or nothing.
std::string near_file(Files& files, const std::string& file);

}  // namespace atelier
