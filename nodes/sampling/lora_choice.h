// sampling: which of the LoRAs that were given a prompt uses, and how much.
#pragma once
#include <string>
#include <vector>

#include "base/error.h"
#include "diffusion/lora.h"
#include "diffusion/prompt.h"
#include "types/model.h"

namespace atelier {

// LoRAs beside a base, each with its weight, and what prompts call them by.
struct LoraShelf {
  std::vector<FusedLora> loras;
  std::vector<std::string> names;  // one for each, or none: then prompts cannot choose
};

// A LoRA in use.
struct LoraUse {
  std::size_t place;  // on the shelf
  double weight;
};

// A prompt that names LoRAs (`<lora:name:0.8>`) uses those alone, with the weights it gives them; any other uses all
// with their own. Errors: a name that was not given; the text lists those that were.
Expected<std::vector<LoraUse>> choose_loras(const LoraShelf& shelf, const diffusion::ParsedPrompt& prompt);

// The sum of what is used. Errors name the layer whose shapes differ.
Expected<diffusion::Lora> sum_of(const LoraShelf& shelf, const std::vector<LoraUse>& uses);

}  // namespace atelier
