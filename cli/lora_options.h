// cli: the options that commands of `atelier lora` share.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "diffusion/lora_files.h"

namespace atelier::cli {

// --rank, --energy and --error: how much of each layer stays.
struct LimitOptions {
  std::optional<std::int64_t> rank{};
  std::optional<double> energy{}, error{};

  // Nothing where none is given.
  std::optional<diffusion::RankLimit> limit() const;
  // What full matrices in the inputs are brought to: the rank, or without one all that they have, so that energy and
  // error count once, in what is made of the inputs.
  std::optional<diffusion::RankLimit> limit_of_inputs() const;
};

// `of` says what is reduced: "the difference".
void add_limit_options(CLI::App& command, LimitOptions& options, const std::string& of);
void add_rank_option(CLI::App& command, std::optional<std::int64_t>& rank, const std::string& of);
void record(const LimitOptions& options, diffusion::Provenance& provenance);

// How LoRA files are read.
struct ReadOptions {
  std::filesystem::path base{};  // a model, for DoRA
  bool skip_unknown = false;
};
void add_read_options(CLI::App& command, ReadOptions& options);

// What is written, and where.
struct OutOptions {
  std::filesystem::path out{};
  std::string naming = "kohya";
  std::string dtype = "input";
  std::string title{};
  bool keep_alpha = false;
  bool json = false;

  diffusion::LoraNaming to() const;
};

// What comes of LoRAs can have their number format; what comes of models is float32 where nothing else is asked for.
enum class MadeOf { loras, models };
void add_out_options(CLI::App& command, OutOptions& options, MadeOf made_of);

}  // namespace atelier::cli
