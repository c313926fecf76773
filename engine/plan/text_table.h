// plan: rows of text as a table for people.
#pragma once
#include <string>
#include <vector>

namespace atelier {

using TextRow = std::vector<std::string>;

// Columns as wide as their widest cell in code points, two spaces between them, none at the end of a line. All rows
// have as many cells as the first; there is one.
std::string text_table(const std::vector<TextRow>& rows);

}  // namespace atelier
