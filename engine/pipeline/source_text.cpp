#include "pipeline/source_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace atelier {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Bytes of the code point that begins at `at`; 0 where it is none (overlong, surrogate, beyond U+10FFFF, cut off).
std::size_t code_point_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const unsigned first = byte(at), second = byte(at + 1);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned lowest = 0x80, highest = 0xBF;  // of the second byte
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) lowest = 0xA0;
    if (first == 0xED) highest = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) lowest = 0x90;
    if (first == 0xF4) highest = 0x8F;
  } else {
    return 0;
  }
  if (second < lowest || second > highest) return 0;
  for (std::size_t i = at + 2; i < at + length; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  return length;
}

bool is_control(char c) {
  const auto value = static_cast<unsigned char>(c);
  return (value < 0x20 && c != '\t' && c != '\n' && c != '\r') || value == 0x7F;
}

std::string sentence_about(char c, std::size_t code_point_length) {
  const auto value = static_cast<unsigned char>(c);
  if (code_point_length == 0) return fmt::format("byte 0x{:02X} is not UTF-8; expected a text in UTF-8", value);
  if (value == 0) return "a NUL byte; expected a text in UTF-8";
  return fmt::format("control character U+{:04X}; expected a text without any", value);
}

}  // namespace

SourceText::SourceText(std::string_view bytes) {
  if (bytes.starts_with(byte_order_mark)) bytes.remove_prefix(byte_order_mark.size());
  text_.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != '\r') {
      text_ += bytes[i];
    } else if (i + 1 >= bytes.size() || bytes[i + 1] != '\n') {
      text_ += '\n';
    }
  }
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i)
    if (text_[i] == '\n') line_starts_.push_back(i + 1);
}

std::string_view SourceText::line(std::size_t index) const {
  if (index >= line_starts_.size()) return {};
  const std::size_t start = line_starts_[index];
  const std::size_t end = index + 1 < line_starts_.size() ? line_starts_[index + 1] - 1 : text_.size();
  return std::string_view(text_).substr(start, end - start);
}

std::size_t SourceText::code_points_before(std::size_t line_index, std::size_t byte) const {
  const std::string_view all = line(line_index);
  byte = std::min(byte, all.size());
  if (line_index != last_line_ || byte < last_byte_) {
    last_line_ = line_index;
    last_byte_ = last_count_ = 0;
  }
  const auto part = all.substr(last_byte_, byte - last_byte_);
  last_count_ += static_cast<std::size_t>(std::ranges::count_if(part, [](char c) { return !is_continuation(c); }));
  last_byte_ = byte;
  return last_count_;
}

std::size_t SourceText::offset(std::size_t line_index, std::size_t byte) const {
  if (line_index >= line_starts_.size()) return text_.size();
  return std::min(line_starts_[line_index] + byte, text_.size());
}

bool check_text(const std::string& file, std::string_view bytes, MistakeList& mistakes, std::size_t longest_bytes) {
  if (bytes.size() > longest_bytes) {
    mistakes.add({file, 0, 0}, fmt::format("has {} bytes; expected at most {} MB", bytes.size(), longest_bytes >> 20));
    return false;
  }
  if (bytes.starts_with(byte_order_mark)) bytes.remove_prefix(byte_order_mark.size());
  SourcePosition position{file, 1, 1};
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t length = code_point_length(bytes, i);
    if (length == 0 || is_control(bytes[i])) {
      mistakes.add(position, sentence_about(bytes[i], length));
      return false;
    }
    const bool breaks = bytes[i] == '\n' || (bytes[i] == '\r' && (i + 1 == bytes.size() || bytes[i + 1] != '\n'));
    position.line += breaks ? 1 : 0;
    position.column = breaks ? 1 : position.column + 1;
    i += length;
  }
  return true;
}

bool check_tabs(const std::string& file, const SourceText& text, MistakeList& mistakes) {
  for (std::size_t i = 0; i < text.lines(); ++i) {
    const std::string_view line = text.line(i);
    const std::size_t content = line.find_first_not_of(" \t");
    const std::size_t tab = line.find('\t');
    if (content == std::string_view::npos || tab == std::string_view::npos || tab > content) continue;
    mistakes.add({file, static_cast<int>(i) + 1, static_cast<int>(tab) + 1},
                 "a tab in the indentation; expected spaces");
    return false;
  }
  return true;
}

}  // namespace atelier
