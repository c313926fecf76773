// pipeline: comma-separated values as RFC 4180 has them, with positions: quotes around cells that hold commas, quotes
// or line breaks, and a doubled quote for a quote. A byte order mark and CRLF are fine; empty lines are passed over.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/mistake_list.h"

namespace atelier {

inline constexpr std::size_t longest_csv_bytes = std::size_t{64} << 20;  // half a million customers

struct CsvCell {
  std::string text;
  int line = 0, column = 0;  // where it begins, 1-based, in code points
};
using CsvRow = std::vector<CsvCell>;

struct CsvTable {
  CsvRow header;
  std::vector<CsvRow> rows;  // each as long as the header
};

// Empty after a mistake that ends the reading: no text, a quote that is not closed, no header. Rows of another length
// than the header's are told and left out.
std::optional<CsvTable> read_csv(const std::string& file, std::string_view bytes, MistakeList& mistakes);

}  // namespace atelier
