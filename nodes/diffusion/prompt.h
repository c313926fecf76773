// What a prompt says besides its words: how much each part counts, where a chunk begins, and which LoRAs to use. The
// grammar of Stable Diffusion WebUI (AUTOMATIC1111, `parse_prompt_attention` and its extra networks):
//
//   (x)        x counts 1.1 times as much; ((x)) 1.21 times, and so on
//   [x]        x counts 1 / 1.1 times as much
//   (x:1.2)    x counts 1.2 times as much; only round brackets take a number
//   \( \) \[ \] \\   the character itself; a backslash before anything else is dropped
//   BREAK      what follows begins a new chunk of 75 tokens
//   <lora:name:0.8>  uses a LoRA that was given, by its name; <lora:name> with the weight 1
//
// Brackets nest and multiply. One that is never closed lasts to the end of the prompt; one that was never opened is
// itself. BREAK within brackets breaks too (WebUI encodes the word then). What WebUI has besides, changing a prompt
// between steps ([from:to:when], [a|b]) and hypernetworks, is refused by name; AND is a word like any other.
//
// Training captions are literal: nothing of this applies to them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/error.h"

namespace atelier::diffusion {

/// Text of one weight.
struct PromptPart {
  std::string text;           ///< without the grammar's characters
  double weight = 1;          ///< its hidden states are multiplied by it
  bool starts_chunk = false;  ///< a BREAK stands before it
  bool operator==(const PromptPart&) const = default;
};

/// One `<lora:name:weight>`.
struct LoraChoice {
  std::string name;
  double weight = 1;
  bool operator==(const LoraChoice&) const = default;
};

struct ParsedPrompt {
  std::vector<PromptPart> parts;  ///< in order, neighbours of one weight joined; never empty
  std::vector<LoraChoice> loras;  ///< in order, as often as they stand there
};

/// The prompt's parts and LoRAs. Errors: a number that is none, as in `(x:1.2.3)`; `<lora:…>` without an end, a name
/// or with anything but a number after it; what is refused above. Every text names the prompt.
Result<ParsedPrompt> parse_prompt(std::string_view prompt);

/// A text as it stands: one part of the weight 1. What captions are.
ParsedPrompt literal_prompt(std::string text);

/// For each LoRA that was given, by name, the sum of the weights that the choices give it; nothing where no choice
/// names it. Errors: a choice that names none of them; the text lists them.
Result<std::vector<std::optional<double>>> chosen_weights(std::span<const LoraChoice> choices,
                                                          std::span<const std::string> given);

}  // namespace atelier::diffusion
