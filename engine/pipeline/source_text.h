// pipeline: a file's text before anything parses it: is it text at all, and where in it is what.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/mistake_list.h"

namespace atelier {

inline constexpr std::size_t longest_text_bytes = std::size_t{4} << 20;  // people do not write more; others attack

// A text with line breaks made "\n" and without byte order mark, and its lines.
class SourceText {
 public:
  explicit SourceText(std::string_view bytes);

  const std::string& text() const { return text_; }
  std::size_t lines() const { return line_starts_.size(); }
  // The line without its break, 0-based; empty beyond the end.
  std::string_view line(std::size_t index) const;
  // Column in code points of a byte of a line; both 0-based. Cheap when asked in reading order.
  std::size_t code_points_before(std::size_t line, std::size_t byte) const;
  std::size_t offset(std::size_t line, std::size_t byte) const;

 private:
  std::string text_;
  std::vector<std::size_t> line_starts_;
  // Where the last question ended, so that a file of one long line is not counted from its start each time.
  mutable std::size_t last_line_ = 0, last_byte_ = 0, last_count_ = 0;
};

// False, and told, where the bytes are no text: longer than allowed, not UTF-8, or with control characters.
bool check_text(const std::string& file, std::string_view bytes, MistakeList& mistakes,
                std::size_t longest_bytes = longest_text_bytes);

// False, and the first line told, where a line is indented by a tab, which YAML does not allow.
bool check_tabs(const std::string& file, const SourceText& text, MistakeList& mistakes);

}  // namespace atelier
