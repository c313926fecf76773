#include "run/task_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

namespace atelier {
namespace {

tl::unexpected<Error> lost(std::string message) { return failure(std::move(message), ErrorKind::input_lost); }

std::vector<Expected<Outputs>> run_caught(const Node& node, const Job& job, Device& device) {
  Job jobs[] = {job};
  const auto failed = [](std::string message, ErrorKind kind) {
    return std::vector<Expected<Outputs>>{failure(std::move(message), kind)};
  };
  try {
    return node.run(jobs, device);
  } catch (const UserError& error) {
    return failed(error.what(), ErrorKind::input);
  } catch (const std::bad_alloc&) {
    return failed("out of memory", ErrorKind::out_of_memory);
  } catch (const std::exception& error) {
    return failed(error.what(), ErrorKind::fault);
  } catch (...) {
    return failed("an unknown exception", ErrorKind::fault);
  }
}

bool is_same(const FileRef& a, const FileRef& b) { return a.name == b.name && a.digest == b.digest; }

const FileRef* find_file(const Artifact& artifact, const FileRef& file) {
  const auto found = std::ranges::find_if(artifact.files, [&](const auto& one) { return is_same(one, file); });
  return found == artifact.files.end() ? nullptr : &*found;
}

// Stored outputs refer to files by what they are; who opens them finds the places among the task's inputs. Empty where
// all are there.
std::string unplaceable(const Artifact& output, const Inputs& inputs) {
  for (const auto& file : output.files) {
    const auto has = [&](const auto& port) {
      return std::ranges::any_of(port.second, [&](const auto& input) { return find_file(input, file) != nullptr; });
    };
    if (std::ranges::none_of(inputs, has)) return file.name;
  }
  return {};
}

// Empty where the outputs are what the node declares.
std::string wrong_with(const NodeSpec& spec, const NodeRegistry& registry, const Inputs& inputs,
                       const Outputs& outputs) {
  for (const auto& port : spec.outputs) {
    const auto output = outputs.find(port.name);
    if (output == outputs.end()) {
      if (port.required) return fmt::format("port '{}' is missing", port.name);
      continue;
    }
    const PortType* const type = registry.find_type(port.type);
    const std::string wrong = type ? type->validate(output->second) : fmt::format("no type is named '{}'", port.type);
    if (!wrong.empty()) return fmt::format("port '{}': {}", port.name, wrong);
    if (const auto file = unplaceable(output->second, inputs); !file.empty() && spec.keep != Keep::recipe)
      return fmt::format("port '{}' refers to the file '{}', which none of its inputs has", port.name, file);
  }
  for (const auto& [port, artifact] : outputs)
    if (!spec.output(port)) return fmt::format("port '{}' is not declared", port);
  return {};
}

// For a node that is run again for its reader: threads, scratch folder and stop are the reader's; what it would tell
// was told when it ran for itself, and is no part of the reader's result.
class QuietContext final : public Context {
 public:
  explicit QuietContext(Context& reader) : reader_(reader) {}
  bool stop_requested() const override { return reader_.stop_requested(); }
  int threads() const override { return reader_.threads(); }
  std::filesystem::path scratch() override { return reader_.scratch(); }
  void progress(double, std::string_view) override {}
  void metric(std::string_view, std::int64_t, double) override {}
  void warn(std::string) override {}
  void preview(std::string_view, std::span<const std::byte>) override {}
  std::optional<Artifact> load_checkpoint() override { return {}; }
  Expected<void> save_checkpoint(const Artifact&) override { return {}; }

 private:
  Context& reader_;
};

}  // namespace

Expected<Outputs> run_node(const Node& node, const NodeRegistry& registry, const Job& job, Device& device) {
  auto results = run_caught(node, job, device);
  const auto& spec = node.spec();
  if (results.size() != 1)
    return failure(fmt::format("node '{}' gave {} results for one job", spec.name, results.size()), ErrorKind::fault);
  if (!results.front()) return results.front();
  if (const auto wrong = wrong_with(spec, registry, job.inputs, *results.front()); !wrong.empty())
    return failure(fmt::format("node '{}' gave a wrong result: {}", spec.name, wrong), ErrorKind::fault);
  return results.front();
}

Expected<Inputs> TaskInputs::open(TaskId id, Context& context, Device& device) const {
  Inputs inputs;
  Opened opened;
  for (const TaskPort& port : graph_.ports(id)) {
    auto& artifacts = inputs[std::string(port.name)];
    for (const TaskSource& source : port.sources) {
      auto one = artifact(source, opened, context, device);
      if (!one) return tl::unexpected(one.error());
      artifacts.push_back(std::move(*one));
    }
    if (artifacts.empty()) inputs.erase(std::string(port.name));
  }
  return inputs;
}

Expected<Artifact> TaskInputs::artifact(const TaskSource& source, Opened& opened, Context& context,
                                        Device& device) const {
  if (source.kind == TaskSource::Kind::input) return graph_.input(source.index);
  auto found = opened.find(source.index);
  if (found == opened.end()) {
    auto outputs = outputs_of(static_cast<TaskId>(source.index), context, device);
    if (!outputs) return tl::unexpected(outputs.error());
    found = opened.emplace(source.index, std::move(*outputs)).first;
  }
  const auto output = found->second.find(std::string(source.port));
  if (output == found->second.end())
    return lost(fmt::format("{} has no '{}'", graph_.name(static_cast<TaskId>(source.index)), source.port));
  return output->second;
}

Expected<Outputs> TaskInputs::outputs_of(TaskId id, Context& context, Device& device) const {
  if (graph_.node(id).spec().keep == Keep::recipe) return make_again(id, context, device);
  const auto key = graph_.key(id);
  if (!key) return failure(graph_.name(id) + " has not finished", ErrorKind::fault);
  auto content = store_.get(*key);
  if (!content) return lost(fmt::format("the content of {} is missing or damaged", graph_.name(id)));
  if (const auto placed = place_files(id, *content, context, device); !placed) return tl::unexpected(placed.error());
  return std::move(*content);
}

Expected<void> TaskInputs::place_files(TaskId id, Outputs& outputs, Context& context, Device& device) const {
  std::vector<FileRef*> open;
  for (auto& [port, artifact] : outputs)
    for (auto& file : artifact.files) open.push_back(&file);
  Opened opened;
  for (const TaskPort& port : graph_.ports(id))
    for (const TaskSource& source : port.sources) {
      if (open.empty()) return {};
      const auto input = artifact(source, opened, context, device);
      if (!input) return tl::unexpected(input.error());
      std::erase_if(open, [&](FileRef* file) {
        const FileRef* const found = find_file(*input, *file);
        if (found) file->path = found->path;
        return found != nullptr;
      });
    }
  if (open.empty()) return {};
  return lost(fmt::format("{} refers to the file '{}', which none of its inputs has any more", graph_.name(id),
                          open.front()->name));
}

Expected<Outputs> TaskInputs::make_again(TaskId id, Context& context, Device& device) const {
  const auto inputs = open(id, context, device);
  if (!inputs) return tl::unexpected(inputs.error());
  QuietContext quiet(context);
  return run_node(graph_.node(id), registry_, Job{*inputs, graph_.params(id), quiet}, device);
}

}  // namespace atelier
