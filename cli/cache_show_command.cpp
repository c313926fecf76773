// `atelier cache show KEY`: one key of a cache, with the tensors of its content.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/amounts.h"
#include "cache/open_with.h"
#include "cli/cache_commands.h"
#include "cli/json_text.h"
#include "cli/printable.h"
#include "report/text.h"

namespace atelier::cli {
namespace {

struct ShowOptions {
  std::filesystem::path cache;
  std::string key;
  bool json = false;
};

std::string shape_text(const Tensor& tensor) {
  return fmt::format("{} [{}]", name_of(tensor.dtype()), fmt::join(tensor.shape(), ", "));
}

void print_facts(const CacheEntry& entry) {
  const auto line = [](const char* name, const std::string& text) { fmt::print("  {:<8}{}\n", name, printable(text)); };
  line("node", entry.record ? fmt::format("{}, version {}", entry.node(), entry.record->node_version) : entry.node());
  if (entry.shown_by) line("of", "what the task of " + entry.shown_by->hex() + " showed");
  if (!entry.steps.empty()) line("steps", fmt::format("{}", fmt::join(entry.steps, ", ")));
  line("whose", owners_text(entry));
  line("made", moment_text(entry.made_ns));
  line("used", moment_text(entry.used_ns));
  if (entry.record && entry.record->cost_s > 0) line("cost", fmt::format("{:.1f} s", entry.record->cost_s));
  if (entry.record)
    for (const auto& warning : entry.record->warnings) line("warned", warning);
  const auto file = [&](const char* name, const StoredFile& one) {
    line(name, fmt::format("{}, {}", one.path.string(), show_bytes(one.size_bytes)));
  };
  if (entry.content) file("content", *entry.content);
  if (entry.checkpoint) file("state", *entry.checkpoint);
  for (const auto& one : entry.quarantined) file("damaged", one);
}

void print_artifact(const Artifact& artifact) {
  for (const auto& [name, tensor] : artifact.tensors) fmt::print("    {}: {}\n", printable(name), shape_text(tensor));
  for (const auto& file : artifact.files)
    fmt::print("    file {}: {}\n", printable(file.name), show_bytes(file.size_bytes));
}

// What the ledger says of each output and, where the content is there, its tensors.
void print_outputs(const CacheEntry& entry, const std::optional<Outputs>& outputs) {
  fmt::print("  outputs\n");
  const auto tensors = [&](const std::string& port) {
    const auto found = outputs ? outputs->find(port) : Outputs::const_iterator{};
    if (outputs && found != outputs->end()) print_artifact(found->second);
  };
  if (entry.record) {
    for (const auto& [port, output] : entry.record->outputs) {
      fmt::print("   {}: {}, digest {}\n", printable(port), show_bytes(output.size_bytes), output.digest.brief());
      tensors(port);
    }
  } else if (outputs) {
    for (const auto& [port, artifact] : *outputs) {
      fmt::print("   {}: {}\n", printable(port), show_bytes(artifact.size_bytes()));
      tensors(port);
    }
  }
  if (!entry.content) fmt::print("    the content is not kept\n");
}

void print_opening(const CacheEntry& entry, const Outputs& outputs) {
  fmt::print("  open it with\n    {}\n", h5dump_line(entry.content->path));
  for (const auto& [port, artifact] : outputs) {
    if (artifact.tensors.empty()) continue;
    fmt::print("    {}\n", h5py_line(entry.content->path, port, artifact.tensors.begin()->first));
    return;
  }
}

nlohmann::ordered_json tensors_json(const Outputs& outputs) {
  auto json = nlohmann::ordered_json::object();
  for (const auto& [port, artifact] : outputs) {
    auto& tensors = json[port] = nlohmann::ordered_json::object();
    for (const auto& [name, tensor] : artifact.tensors)
      tensors[name] = {{"dtype", name_of(tensor.dtype())}, {"shape", tensor.shape()}};
  }
  return json;
}

void print_json(const CacheEntry& entry, const std::optional<Outputs>& outputs) {
  auto json = entry_json(entry);
  if (entry.record) json["provenance"] = entry.record->provenance;
  if (outputs) {
    json["tensors"] = tensors_json(*outputs);
    json["open_with"] = h5dump_line(entry.content->path);
  }
  fmt::print("{}\n", json_text(json, kIndented));
}

int show_it(Program& program, const ShowOptions& options) {
  const auto cache = open_existing_cache(program, options.cache);
  if (!cache) return program.exit_code;
  const auto entries = list_entries(program.files, *cache);
  const auto entry = entries ? find_entry(*entries, options.key) : tl::unexpected(entries.error());
  if (!entry) {
    fmt::print(stderr, "atelier cache show: {}\n", entry.error().message);
    return kWrongInput;
  }
  const bool has_content = (*entry)->content.has_value();
  const auto outputs = has_content ? cache->store().get((*entry)->key) : std::nullopt;
  const int exit_code = has_content && !outputs ? kSomeFailed : kSucceeded;  // damaged, and told
  if (options.json) {
    print_json(**entry, outputs);
    return exit_code;
  }
  fmt::print("{}\n", (*entry)->key.hex());
  print_facts(**entry);
  print_outputs(**entry, outputs);
  if (outputs) print_opening(**entry, *outputs);
  return exit_code;
}

}  // namespace

void add_cache_show_command(CLI::App& cache, Program& program) {
  auto* command = cache.add_subcommand("show", "Show one key: its task, outputs and tensors, and how to open it");
  auto options = std::make_shared<ShowOptions>();
  command->add_option("KEY", options->key, "The key, or as many of its first digits as tell it from the others")
      ->type_name("")
      ->required();
  add_cache_option(*command, options->cache);
  add_json_flag(*command, options->json);
  add_example(*command, "atelier cache show 4f1c22");
  command->callback([&program, options] { program.exit_code = show_it(program, *options); });
}

}  // namespace atelier::cli
