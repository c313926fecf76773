// cli: what the commands of `atelier lora` write, and what they say about it.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

#include "cli/lora_options.h"
#include "cli/program.h"
#include "diffusion/lora_operations.h"

namespace atelier::cli {

// Errors, beginning with `out`: no folder to write it into; one of `inputs`, through links too, or a file in one.
diffusion::Result<void> check_target(const std::filesystem::path& out, std::span<const std::filesystem::path> inputs);

// Errors, beginning with options.out: a name that does not suit the naming; no folder to write into; something there
// that must not be replaced; one of `inputs` or `base` (empty: none), through links too, or a file in one. Before
// anything is read.
diffusion::Result<void> check_out(const OutOptions& options, std::span<const std::filesystem::path> inputs,
                                  const std::filesystem::path& base);

// What the file holds beside the LoRA.
struct OutFacts {
  at::ScalarType dtype = at::kFloat;  // where options.dtype is "input"
  diffusion::Metadata metadata{};
  std::optional<std::string> title{};  // where options.title is empty; else OUT's name
};

// Writes the result to options.out, whole or not at all, tells its notes on standard error and in one line on standard
// output what was written. Errors: those of write_lora() and the disk's.
diffusion::Result<void> write_out(Program& program, const diffusion::LoraResult& result, const OutOptions& options,
                                  const OutFacts& facts);

// The metadata of a LoRA that one made of it goes on to hold: all but what the writer says of each file itself.
diffusion::Metadata kept_metadata(diffusion::Metadata of_input);

// An operation's error as `atelier lora NAME: …` on standard error, with kWrongInput in program.exit_code.
void tell(Program& program, std::string_view command, const diffusion::Result<void>& done);

// "264 layers", "1 layer".
std::string counted(std::size_t number, std::string_view thing);
// Of a share: "1.2 %", "0.034 %".
std::string percent(double share);
// Of a file, or of all files in a folder.
std::uintmax_t bytes_under(const std::filesystem::path& path);
// "532 bytes", "12.3 kB", "1.5 GB".
std::string size_text(std::uintmax_t bytes);

}  // namespace atelier::cli
