#include "diffusion/prompt.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace atelier::diffusion {
namespace {

constexpr double kRoundBracket = 1.1, kSquareBracket = 1 / 1.1;
constexpr std::string_view kBreak = "BREAK";
constexpr std::string_view kLoraTag = "<lora:";

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// Letters beyond ASCII count as letters: every byte of theirs is above 0x7F.
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) > 0x7F;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<double> number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

tl::unexpected<Error> wrong(std::string_view prompt, const std::string& what) {
  return fail(fmt::format("the prompt \"{}\": {}", prompt, what));
}

/// Reads brackets, escapes and BREAK of a text that has no tags any more.
class Grammar {
 public:
  /// @param prompt  what messages quote
  Grammar(std::string_view text, std::string_view prompt) : text_(text), prompt_(prompt) {}

  Result<std::vector<PromptPart>> parts() {
    while (at_ < text_.size()) {
      if (auto ok = step(); !ok) return tl::unexpected(ok.error());
    }
    for (const Bracket& open : round_) multiply_from(open.part, kRoundBracket);
    for (const Bracket& open : square_) multiply_from(open.part, kSquareBracket);
    return joined();
  }

 private:
  struct Bracket {
    std::size_t part;  ///< the first part in it
    std::size_t at;    ///< of the bracket in the text
  };

  Result<void> step() {
    const char c = text_[at_];
    if (c == '\\') {
      escape();
    } else if (c == '(') {
      round_.push_back({parts_.size(), at_++});
    } else if (c == '[') {
      square_.push_back({parts_.size(), at_++});
    } else if (c == ')' && !round_.empty()) {
      close(round_, kRoundBracket);
    } else if (c == ']' && !square_.empty()) {
      return close_square();
    } else if (c == ':') {
      return colon();
    } else if (c == ')' || c == ']') {
      parts_.push_back({std::string(1, text_[at_++])});
    } else {
      plain();
    }
    return {};
  }

  void escape() {
    ++at_;
    constexpr std::string_view kEscaped = "()[]\\";
    if (at_ < text_.size() && kEscaped.find(text_[at_]) != std::string_view::npos) {
      parts_.push_back({std::string(1, text_[at_++])});
    }
  }

  void close(std::vector<Bracket>& open, double factor) {
    multiply_from(open.back().part, factor);
    open.pop_back();
    ++at_;
  }

  Result<void> close_square() {
    const auto from = square_.back().at;
    const auto whole = text_.substr(from, at_ + 1 - from);
    if (changes_between_steps(whole.substr(1, whole.size() - 2))) {
      return wrong(prompt_, fmt::format("'{}' changes the prompt between steps, which is not supported; for the "
                                        "brackets themselves write \\[ and \\]",
                                        whole));
    }
    close(square_, kSquareBracket);
    return {};
  }

  /// WebUI's prompt editing ends in a colon and a number; its alternating words stand between bars.
  static bool changes_between_steps(std::string_view inner) {
    int depth = 0;
    for (std::size_t i = 0; i < inner.size(); ++i) {
      if (inner[i] == '\\') {
        ++i;
      } else if (inner[i] == '[' || inner[i] == '(') {
        ++depth;
      } else if (inner[i] == ']' || inner[i] == ')') {
        --depth;
      } else if (depth == 0 && (inner[i] == '|' || (inner[i] == ':' && number_of(trimmed(inner.substr(i + 1)))))) {
        return true;
      }
    }
    return false;
  }

  /// `:1.2)` closes a round bracket; any other colon is itself.
  Result<void> colon() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && is_space(text_[end])) ++end;
    const std::size_t from = end;
    if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
    const std::size_t digits = end;
    while (end < text_.size() && (is_digit(text_[end]) || text_[end] == '.')) ++end;
    const auto number = text_.substr(from, end - from);
    const bool any = end > digits;
    while (end < text_.size() && is_space(text_[end])) ++end;
    if (!any || end == text_.size() || text_[end] != ')' || round_.empty()) {
      parts_.push_back({std::string(1, text_[at_++])});
      return {};
    }
    const auto weight = number_of(number);
    if (!weight) {
      return wrong(prompt_, fmt::format("the weight '{}' is not a number; for the bracket itself write \\)", number));
    }
    at_ = end;
    close(round_, *weight);
    return {};
  }

  void plain() {
    const auto run = text_.substr(at_, text_.find_first_of("\\()[]:", at_) - at_);
    at_ += run.size();
    std::string_view rest = run;
    bool starts_chunk = false;
    for (auto found = find_break(rest); found != std::string_view::npos; found = find_break(rest)) {
      parts_.push_back({std::string(trimmed_end(rest.substr(0, found))), 1, starts_chunk});
      rest.remove_prefix(found + kBreak.size());
      while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
      starts_chunk = true;
    }
    parts_.push_back({std::string(rest), 1, starts_chunk});
  }

  static std::string_view trimmed_end(std::string_view text) {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
  }

  /// The first BREAK that is a word of its own.
  static std::size_t find_break(std::string_view text) {
    for (auto at = text.find(kBreak); at != std::string_view::npos; at = text.find(kBreak, at + 1)) {
      const auto end = at + kBreak.size();
      if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) return at;
    }
    return std::string_view::npos;
  }

  void multiply_from(std::size_t part, double factor) {
    for (; part < parts_.size(); ++part) parts_[part].weight *= factor;
  }

  std::vector<PromptPart> joined() const {
    std::vector<PromptPart> result;
    for (const PromptPart& part : parts_) {
      if (!result.empty() && !part.starts_chunk && result.back().weight == part.weight) {
        result.back().text += part.text;
      } else {
        result.push_back(part);
      }
    }
    if (result.empty()) result.emplace_back();
    return result;
  }

  std::string_view text_, prompt_;
  std::size_t at_ = 0;
  std::vector<PromptPart> parts_;
  std::vector<Bracket> round_, square_;
};

/// What stands between `<lora:` and `>`: a name, and perhaps a colon and a number.
Result<LoraChoice> lora_choice(std::string_view inner, std::string_view prompt) {
  const auto colon = inner.find(':');
  LoraChoice choice{std::string(trimmed(inner.substr(0, colon)))};
  if (choice.name.empty()) {
    return wrong(prompt, fmt::format("'{}{}>' names no LoRA; write <lora:name:weight>", kLoraTag, inner));
  }
  if (colon == std::string_view::npos) return choice;
  const auto weight = trimmed(inner.substr(colon + 1));
  const auto number = number_of(weight);
  if (!number) {
    return wrong(prompt, fmt::format("the weight '{}' in '{}{}>' is not a number; write <lora:name:weight>", weight,
                                     kLoraTag, inner));
  }
  choice.weight = *number;
  return choice;
}

/// Kinds of WebUI's extra networks that are no LoRA of ours.
Result<void> refuse_other_networks(std::string_view prompt) {
  for (const std::string_view kind : {"<hypernet:", "<lyco:"}) {
    const auto at = prompt.find(kind);
    if (at == std::string_view::npos) continue;
    const auto tag = prompt.substr(at, prompt.find('>', at) - at);
    return wrong(prompt, fmt::format("'{}>' is not supported; only <lora:name:weight> is", tag));
  }
  return {};
}

}  // namespace

Result<ParsedPrompt> parse_prompt(std::string_view prompt) {
  if (auto ok = refuse_other_networks(prompt); !ok) return tl::unexpected(ok.error());
  ParsedPrompt parsed;
  std::string text;  // without the tags
  std::string_view rest = prompt;
  for (auto at = rest.find(kLoraTag); at != std::string_view::npos; at = rest.find(kLoraTag)) {
    text += rest.substr(0, at);
    const auto end = rest.find('>', at);
    if (end == std::string_view::npos) {
      return wrong(prompt, fmt::format("'{}' has no '>'; write <lora:name:weight>", rest.substr(at)));
    }
    const auto from = at + kLoraTag.size();
    auto choice = lora_choice(rest.substr(from, end - from), prompt);
    if (!choice) return tl::unexpected(choice.error());
    parsed.loras.push_back(std::move(*choice));
    rest.remove_prefix(end + 1);
  }
  text += rest;
  auto parts = Grammar(text, prompt).parts();
  if (!parts) return tl::unexpected(parts.error());
  parsed.parts = std::move(*parts);
  return parsed;
}

ParsedPrompt literal_prompt(std::string text) { return {{PromptPart{std::move(text)}}, {}}; }

Result<std::vector<std::optional<double>>> chosen_weights(std::span<const LoraChoice> choices,
                                                          std::span<const std::string> given) {
  std::vector<std::optional<double>> weights(given.size());
  for (const LoraChoice& choice : choices) {
    const auto found = std::ranges::find(given, choice.name);
    if (found == given.end()) {
      if (given.empty()) return fail(fmt::format("the prompt names the LoRA '{}', but none was given", choice.name));
      return fail(fmt::format("the prompt names the LoRA '{}', which was not given; given: {}", choice.name,
                              fmt::join(given, ", ")));
    }
    auto& weight = weights[static_cast<std::size_t>(found - given.begin())];
    weight = weight.value_or(0) + choice.weight;
  }
  return weights;
}

}  // namespace atelier::diffusion
