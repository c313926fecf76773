#include "pipeline/mistake_list.h"

#include <algorithm>

namespace atelier {

namespace {

// A mistake is one line, whatever text it quotes.
std::string one_line(const std::string& message) {
  std::string line;
  for (const char c : message) line += c == '\n' ? std::string("\\n") : std::string(1, c);
  return line;
}

}  // namespace

void MistakeList::opened(const std::string& file) { file_order_.emplace(file, file_order_.size()); }

void MistakeList::add(const SourcePosition& position, std::string message) {
  opened(position.file);
  message = one_line(message);
  if (!seen_.emplace(position.file, position.line, position.column, message).second) return;
  mistakes_.push_back({position, std::move(message)});
}

Mistakes MistakeList::sorted() const {
  Mistakes all = mistakes_;
  std::ranges::stable_sort(all, {}, [&](const Mistake& mistake) {
    return std::tuple(file_order_.at(mistake.position.file), mistake.position.line, mistake.position.column);
  });
  return all;
}

}  // namespace atelier
