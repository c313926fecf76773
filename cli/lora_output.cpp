#include "cli/lora_output.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/json_text.h"
#include "cli/lora_inputs.h"
#include "cli/printable.h"
#include "cli/whole_output.h"
#include "diffusion/dtype_names.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;
using diffusion::fail;
using diffusion::LoraNaming;
using diffusion::LoraResult;
using diffusion::Result;

constexpr double kExact = 1e-6;  // relative errors below are rounding

// Metadata that is right of one file only, and written anew where it applies.
constexpr std::array<std::string_view, 6> kOfOneFile = {"lora_adapter_metadata", "modelspec.hash_sha256",
                                                        "ss_network_args",       "ss_network_module",
                                                        "sshs_legacy_hash",      "sshs_model_hash"};

Result<void> check_name(const OutOptions& options) {
  const bool is_file_name = options.out.extension() == ".safetensors";
  const bool folder = options.to() == LoraNaming::peft;
  if (folder && is_file_name)
    return fail(fmt::format("{}: peft's naming is a folder; give a name that does not end in .safetensors",
                            options.out.string()));
  if (!folder && !is_file_name)
    return fail(fmt::format("{}: {}'s naming is one file; give a name that ends in .safetensors", options.out.string(),
                            options.naming));
  return {};
}

Result<void> check_place(const OutOptions& options) {
  std::error_code error;
  const std::string name = options.out.string();
  const auto there = fs::status(options.out, error);
  if (!fs::exists(there)) return {};
  if (fs::is_directory(there)) {
    if (is_taken(options.out))
      return fail(fmt::format("{}: is a folder that is not empty; give another name, or remove it first", name));
    return {};
  }
  if (!fs::is_regular_file(there)) return fail(fmt::format("{}: is neither a file nor a folder", name));
  if (options.to() == LoraNaming::peft)
    return fail(fmt::format("{}: is a file, and peft's naming is a folder; give another name", name));
  return {};
}

std::string default_title(const OutOptions& options) {
  const fs::path place = WholeOutput::place_of(options.out);
  return (options.to() == LoraNaming::peft ? place.filename() : place.stem()).string();
}

diffusion::LoraOutput output_of(const Program& program, const OutOptions& options, const OutFacts& facts) {
  diffusion::LoraOutput output;
  output.naming = options.to();
  output.alphas = options.keep_alpha ? diffusion::LoraAlphas::keep : diffusion::LoraAlphas::one;
  output.dtype = diffusion::dtype_named(options.dtype).value_or(facts.dtype);
  output.about.title = options.title.empty() ? facts.title.value_or(default_title(options)) : options.title;
  if (!facts.metadata.contains("modelspec.date")) output.about.date = program.date;
  output.about.more = facts.metadata;
  return output;
}

// The least and the greatest rank.
std::pair<std::int64_t, std::int64_t> ranks_of(const diffusion::Lora& lora) {
  const auto rank = [](const auto& one) { return one.second.rank(); };
  const auto [least, greatest] = std::ranges::minmax_element(lora.layers, {}, rank);
  return {rank(*least), rank(*greatest)};
}

std::string loss_text(double relative_error) {
  return relative_error < kExact ? "exact" : fmt::format("off by {}", percent(relative_error));
}

void print_text(const LoraResult& result, const OutOptions& options, std::uintmax_t bytes) {
  const auto [least, greatest] = ranks_of(result.lora);
  fmt::print("{}: {}, {}, {}", options.out.string(), counted(result.lora.layers.size(), "layer"),
             least == greatest ? fmt::format("rank {}", least) : fmt::format("ranks {} to {}", least, greatest),
             size_text(bytes));
  if (result.relative_error) fmt::print(", {}", loss_text(*result.relative_error));
  fmt::print("\n");
}

void print_json(const LoraResult& result, const OutOptions& options, at::ScalarType dtype, std::uintmax_t bytes) {
  const auto [least, greatest] = ranks_of(result.lora);
  nlohmann::json json = {{"out", options.out.string()},
                         {"naming", options.naming},
                         {"dtype", diffusion::name_of(dtype)},
                         {"layers", result.lora.layers.size()},
                         {"least_rank", least},
                         {"greatest_rank", greatest},
                         {"bytes", bytes},
                         {"relative_error", nullptr},
                         {"notes", result.notes}};
  if (result.relative_error) json["relative_error"] = *result.relative_error;
  fmt::print("{}\n", json_text(json, kOneLine));
}

}  // namespace

Result<void> check_target(const fs::path& out, std::span<const fs::path> inputs) {
  std::error_code error;
  if (!fs::is_directory(WholeOutput::place_of(out).parent_path(), error))
    return fail(fmt::format("{}: there is no such folder to write it into; make the folder first", out.string()));
  if (is_of_inputs(out, inputs))
    return fail(fmt::format("{}: is an input too, which stays as it is; give another name", out.string()));
  return {};
}

Result<void> check_out(const OutOptions& options, std::span<const fs::path> inputs, const fs::path& base) {
  if (auto suits = check_name(options); !suits) return suits;
  std::vector<fs::path> all(inputs.begin(), inputs.end());
  if (!base.empty()) all.push_back(base);
  if (auto free = check_target(options.out, all); !free) return free;
  return check_place(options);
}

Result<void> write_out(Program& program, const LoraResult& result, const OutOptions& options, const OutFacts& facts) {
  for (const auto& note : result.notes) print_note(note);
  WholeOutput output(program.files, options.out);
  const auto how = output_of(program, options, facts);
  if (auto written = diffusion::write_lora(result.lora, output.partial(), how); !written)
    return fail(output.told(written.error().message));
  if (auto placed = output.put_in_place(); !placed) return fail(output.told(placed.error().message));
  const std::uintmax_t bytes = bytes_under(output.place());
  options.json ? print_json(result, options, how.dtype, bytes) : print_text(result, options, bytes);
  return {};
}

diffusion::Metadata kept_metadata(diffusion::Metadata of_input) {
  for (const auto key : kOfOneFile) of_input.erase(std::string(key));
  return of_input;
}

void tell(Program& program, std::string_view command, const Result<void>& done) {
  if (done) return;
  fmt::print(stderr, "atelier lora {}: {}\n", command, printable(done.error().message));
  program.exit_code = kWrongInput;
}

std::uintmax_t bytes_under(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return fs::file_size(path, ignored);
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path, ignored))
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  return bytes;
}

std::string counted(std::size_t number, std::string_view thing) {
  return fmt::format("{} {}{}", fmt::group_digits(number), thing, number == 1 ? "" : "s");
}

std::string percent(double share) {
  const double hundredths = 100 * share;
  return hundredths < 1 ? fmt::format("{:.2g} %", hundredths) : fmt::format("{:.1f} %", hundredths);
}

std::string size_text(std::uintmax_t bytes) {
  constexpr double kThousand = 1000;
  if (bytes < 1000) return counted(bytes, "byte");
  double size = static_cast<double>(bytes) / kThousand;
  const char* unit = "kB";
  for (const char* larger : {"MB", "GB"}) {
    if (size < kThousand) break;
    size /= kThousand;
    unit = larger;
  }
  return fmt::format("{:.1f} {}", size, unit);
}

}  // namespace atelier::cli
