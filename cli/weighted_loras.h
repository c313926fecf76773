// cli: LoRAs with weights on the command line, as `lora combine` and `lora fuse` take them: mia.safetensors:0.8
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/lora_inputs.h"
#include "diffusion/lora_algebra.h"
#include "diffusion/lora_merge.h"

namespace atelier::cli {

struct WeightedOptions {
  std::vector<std::string> loras{};   // PATH or PATH:WEIGHT
  std::vector<std::string> blocks{};  // none, one for all LoRAs, or one for each
  std::string method = "sum";
  std::optional<double> density{};
  std::optional<std::int64_t> seed{};
};

// Adds LORA…, --blocks, --method, --density and --seed.
void add_weighted_options(CLI::App& command, WeightedOptions& options);

// What the words say, without a file opened.
struct Weighting {
  std::vector<std::filesystem::path> paths;
  std::vector<double> weights;                   // in [0, 10]
  std::vector<diffusion::BlockWeights> blocks;   // as many
  std::vector<std::string> block_texts;          // as they were given; as many, empty where none
  std::optional<diffusion::MergeMethod> method;  // nothing: the sum
};

// Errors: a weight that is none or out of its range; blocks that are none; blocks for more or fewer LoRAs than there
// are; --density and --seed without the method that they are of.
diffusion::Result<Weighting> weighting_of(const WeightedOptions& options);

// The terms of the sum; `loras` must outlive them. An Error where blocks mean no layer.
diffusion::Result<std::vector<diffusion::WeightedLora>> terms_of(const Weighting& weighting, const OpenLoras& loras);

// The options and the LoRAs with their weights.
void record(const WeightedOptions& options, const Weighting& weighting, std::span<const diffusion::LoraSource> sources,
            diffusion::Provenance& provenance);
// The same, and the base that DoRA was made with.
void record(const WeightedOptions& options, const Weighting& weighting, const OpenLoras& loras,
            diffusion::Provenance& provenance);

}  // namespace atelier::cli
