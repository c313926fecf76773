#include "pipeline/modules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/nearest.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

fs::path absolute_of(const std::string& file) { return fs::absolute(file).lexically_normal(); }

class ModuleReader {
 public:
  ModuleReader(Files& files, MistakeList& mistakes) : files_(files), mistakes_(mistakes) {}

  std::optional<PipelineFiles> read(const std::string& file, const SourcePosition& named_at) {
    if (!read_file(file, named_at, named_at.line ? "key 'pipeline': " : "")) return {};
    return std::move(result_);
  }

 private:
  const PipelineFile* read_file(const std::string& file, const SourcePosition& position, std::string_view what) {
    const fs::path path = absolute_of(file);
    if (const auto known = known_.find(path); known != known_.end()) return known->second;
    known_[path] = nullptr;
    const auto text = read_named_file(files_, file, position, what, mistakes_);
    if (!text) return nullptr;
    auto parsed = parse_pipeline(file, *text, mistakes_);
    if (!parsed) return nullptr;
    parsed->path = path;
    auto kept = std::make_unique<const PipelineFile>(std::move(*parsed));
    const PipelineFile* const found = known_[path] = kept.get();
    result_.files.push_back(std::move(kept));
    open_.push_back(found);
    for (const auto& step : found->steps)
      if (step.uses_module()) read_module(*found, step);
    open_.pop_back();
    return found;
  }

  void read_module(const PipelineFile& user, const StepDeclaration& step) {
    const std::string file = relative_to_file(user.file, step.use);
    const fs::path path = absolute_of(file);
    const auto cycle = std::ranges::find(open_, path, &PipelineFile::path);
    if (cycle != open_.end()) {
      std::vector<std::string> names;
      for (auto it = cycle; it != open_.end(); ++it) names.push_back((*it)->file);
      mistakes_.add(step.use_position, fmt::format("step '{}': a module cannot use itself: {} -> {}", step.name,
                                                   fmt::join(names, " -> "), (*cycle)->file));
      return;
    }
    if (const PipelineFile* module = read_file(file, step.use_position, fmt::format("step '{}': ", step.name)))
      result_.modules[&step] = module;
  }

  Files& files_;
  MistakeList& mistakes_;
  PipelineFiles result_;
  std::map<fs::path, const PipelineFile*> known_;  // null: could not be read
  std::vector<const PipelineFile*> open_;          // from the pipeline to the module being read
};

}  // namespace

std::string near_file(Files& files, const std::string& file) {
  const fs::path path = fs::path(file).has_filename() ? fs::path(file) : fs::path(file).parent_path();
  const auto beside = files.list(absolute_of(path.string()).parent_path());
  if (!beside) return {};
  std::vector<std::string> names;
  for (const auto& name : *beside) names.push_back(name.string());
  const std::string near = nearest(path.filename().string(), names);
  if (near.empty() || near == path.filename()) return {};
  return fmt::format("; did you mean '{}'?", (path.parent_path() / near).string());
}

std::string relative_to_file(const std::string& from, const std::string& named) {
  const std::string path = (fs::path(from).parent_path() / named).lexically_normal().string();
  return path.empty() ? "." : path;  // a path that is empty has no absolute one
}

std::optional<std::string> read_named_file(Files& files, const std::string& file, const SourcePosition& position,
                                           std::string_view what, MistakeList& mistakes) {
  const auto stat = files.stat(absolute_of(file));
  const bool told_by_position = position.line == 0;
  const std::string name = told_by_position ? "there is no such file" : fmt::format("there is no file '{}'", file);
  if (stat && !*stat) {
    mistakes.add(position, fmt::format("{}{}{}", what, name, near_file(files, file)));
    return {};
  }
  if (stat && (*stat)->type != FileStat::Type::file) {
    mistakes.add(position, fmt::format("{}'{}' is no file", what, file));
    return {};
  }
  auto text = read_text(files, absolute_of(file));
  if (text) return std::move(*text);
  mistakes.add(position, fmt::format("{}{}", what, text.error().message));
  return {};
}

std::optional<PipelineFiles> read_pipeline_files(Files& files, const std::string& file, const SourcePosition& named_at,
                                                 MistakeList& mistakes) {
  return ModuleReader(files, mistakes).read(file, named_at);
}

}  // namespace atelier
