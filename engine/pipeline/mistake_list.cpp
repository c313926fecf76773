#include "pipeline/mistake_list.h"

#include <algorithm>

namespace atelier {

void MistakeList::opened(const std::string& file) { file_order_.emplace(file, file_order_.size()); }

void MistakeList::add(const SourcePosition& position, std::string message) {
  opened(position.file);
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
