// report: how a run ended, in one sentence: what an operator wants to know first.
#pragma once
#include <string>

#include "report/story.h"

namespace atelier {

struct Verdict {
  enum class Mood { good, bad, unsure } mood = Mood::good;
  std::string headline;  // "2 of 3 customers succeeded, 1 failed"
  std::string detail;    // why it stopped, or when it was last heard of; may be empty
};

// `now_s`: since the epoch, when the report is made.
Verdict verdict_of(const RunStory& story, double now_s);

}  // namespace atelier
