#include "pipeline/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pipeline/source_text.h"

namespace atelier {
namespace {

class CsvReader {
 public:
  CsvReader(const std::string& file, std::string_view text, MistakeList& mistakes)
      : file_(file), text_(text), mistakes_(mistakes) {}

  // False after a quote that is not closed.
  bool read(std::vector<CsvRow>& rows) {
    while (at_ < text_.size()) {
      CsvRow row;
      do {
        if (!read_cell(row)) return false;
      } while (take(','));
      take('\n');
      if (row.size() > 1 || !row.front().text.empty()) rows.push_back(std::move(row));
    }
    return true;
  }

 private:
  char next() {
    const char c = text_[at_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++column_;
    }
    return c;
  }
  bool is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(char c) {
    if (!is(c)) return false;
    next();
    return true;
  }
  void tell(const CsvCell& place, std::string message) {
    mistakes_.add({file_, place.line, place.column}, std::move(message));
  }
  CsvCell here() const { return {"", line_, column_}; }

  bool read_cell(CsvRow& row) {
    row.push_back(here());
    CsvCell& cell = row.back();
    if (take('"')) return read_quoted(cell);
    while (at_ < text_.size() && !is(',') && !is('\n')) {
      if (is('"'))
        tell(here(), "a quote within a cell; expected quotes around the whole cell, and \"\" for one within");
      cell.text += next();
    }
    return true;
  }

  bool read_quoted(CsvCell& cell) {
    while (true) {
      if (at_ == text_.size()) {
        tell(cell, "a quote that is not closed; expected '\"' at the end of the cell");
        return false;
      }
      if (!take('"'))
        cell.text += next();
      else if (take('"'))
        cell.text += '"';
      else
        break;
    }
    if (at_ < text_.size() && !is(',') && !is('\n')) {
      tell(here(), "text after a closing quote; expected ',' or the end of the line");
      while (at_ < text_.size() && !is(',') && !is('\n')) next();
    }
    return true;
  }

  const std::string& file_;
  std::string_view text_;
  MistakeList& mistakes_;
  std::size_t at_ = 0;
  int line_ = 1, column_ = 1;
};

}  // namespace

std::optional<CsvTable> read_csv(const std::string& file, std::string_view bytes, MistakeList& mistakes) {
  mistakes.opened(file);
  if (!check_text(file, bytes, mistakes, longest_csv_bytes)) return {};
  const SourceText source(bytes);
  std::vector<CsvRow> rows;
  if (!CsvReader(file, source.text(), mistakes).read(rows)) return {};
  if (rows.empty()) {
    mistakes.add({file, 0, 0}, "is empty; expected a line of column names, which begins with 'id'");
    return {};
  }
  CsvTable table;
  table.header = std::move(rows.front());
  for (auto row = rows.begin() + 1; row != rows.end(); ++row) {
    if (row->size() == table.header.size()) {
      table.rows.push_back(std::move(*row));
      continue;
    }
    mistakes.add({file, row->front().line, row->front().column},
                 fmt::format("{} cells; expected {}, as many as there are columns", row->size(), table.header.size()));
  }
  return table;
}

}  // namespace atelier
