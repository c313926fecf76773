// cli: the LoRA files that a command of `atelier lora` is given, open.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/lora_options.h"
#include "cli/program.h"
#include "diffusion/base_model.h"

namespace atelier::cli {

struct OpenLora {
  diffusion::LoraSource source;
  diffusion::Lora lora;
};

struct OpenLoras {
  std::vector<OpenLora> loras;             // in the order of their paths
  std::optional<std::string> base_hash{};  // of the base, where a DoRA is made with it

  // The dtype that holds the numbers of all; at most float32.
  at::ScalarType widest() const;
};

// The files as LoRAs; keys that are left out and the base's notes are told on standard error. Errors, with the path:
// those of opening them; a LoRA for another architecture than options.base; one that needs an option that is not given.
diffusion::Result<OpenLoras> open_loras(const Program& program, std::span<const std::filesystem::path> paths,
                                        const ReadOptions& options, const std::optional<diffusion::RankLimit>& limit);

// A base model; its notes are told on standard error. `config` is a folder whose configurations hold instead.
diffusion::Result<diffusion::BaseModel> open_base(const Program& program, const std::filesystem::path& path,
                                                  const std::filesystem::path& config = {});

// `note: …` on standard error, with the characters that a terminal takes for commands made visible.
void print_note(const std::string& note);

}  // namespace atelier::cli
