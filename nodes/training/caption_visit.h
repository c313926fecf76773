// training: the words a photo is learned under at one of its visits. Pure: drawn from streams keyed by (seed, photo,
// visit) alone, so two trainings that show a photo for the n-th time show it under the same words.
#pragma once
#include <cstdint>
#include <string>

#include "types/dataset.h"

namespace atelier {

struct CaptionOptions {
  std::int64_t seed = 0;
  double dropout = 0;            // share of the visits without words: the caption is then empty
  bool shuffle_tags = false;     // comma-separated tags in another order at each visit
  std::int64_t keep_tokens = 0;  // tags that stay in front: kohya's keep_tokens

  // Whether a photo's words are the same at each visit.
  bool fixed() const { return dropout == 0 && !shuffle_tags; }
};

// The caption of `item` at its n-th visit. Tags are put together again with ", ".
std::string caption_of_visit(const DatasetItem& item, std::uint64_t visit, const CaptionOptions& options);

}  // namespace atelier
