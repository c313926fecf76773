#include "exec/argument.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace atelier {
namespace {

constexpr std::string_view kInput = "{in:", kOutput = "{out:";

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// A file's ending goes into its name, and so must not lead elsewhere.
bool is_ending(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return text.size() > 1 && text.front() == '.' && std::ranges::all_of(text, fits);
}

// 0 where the text is no number from 1 on.
std::size_t number_in(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

Expected<FilePlace> input_place(std::string_view written, std::string_view inside) {
  const auto colon = inside.find(':');
  FilePlace place{FilePlace::Kind::input, std::string(written), std::string(inside.substr(0, colon))};
  if (colon != std::string_view::npos) place.number = number_in(inside.substr(colon + 1));
  if (is_name(place.port) && (colon == std::string_view::npos || place.number > 0)) return place;
  return failure(
      fmt::format("'{}' is not understood; expected {{in:PORT}}, or {{in:PORT:2}} for the second of a list", written));
}

Expected<FilePlace> output_place(std::string_view written, std::string_view inside) {
  const auto dot = std::min(inside.find('.'), inside.size());
  FilePlace place{FilePlace::Kind::output, std::string(written), std::string(inside.substr(0, dot)), 0,
                  std::string(inside.substr(dot))};
  if (is_name(place.port) && (place.ending.empty() || is_ending(place.ending))) return place;
  return failure(fmt::format(
      "'{}' is not understood; expected {{out:PORT}}, or {{out:PORT.png}} for a file whose name ends so", written));
}

}  // namespace

Expected<Argument> parse_argument(std::string_view text) {
  Argument pieces;
  const auto add_text = [&](std::string_view more) {
    if (more.empty()) return;
    if (pieces.empty() || pieces.back().place) pieces.emplace_back();
    pieces.back().text += more;
  };
  while (!text.empty()) {
    const auto begin = std::min({text.find(kInput), text.find(kOutput), text.size()});
    add_text(text.substr(0, begin));
    text.remove_prefix(begin);
    if (text.empty()) break;
    const auto close = text.find('}');
    if (close == std::string_view::npos) return failure(fmt::format("'{}' lacks its closing brace", text));
    const bool is_input = text.starts_with(kInput);
    const auto begins = is_input ? kInput.size() : kOutput.size();
    const auto written = text.substr(0, close + 1), inside = text.substr(begins, close - begins);
    auto place = is_input ? input_place(written, inside) : output_place(written, inside);
    if (!place) return tl::unexpected(place.error());
    pieces.push_back({.text = {}, .place = std::move(*place)});
    text.remove_prefix(close + 1);
  }
  return pieces;
}

}  // namespace atelier
