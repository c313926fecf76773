// report: what a run did, made readable: from its record (events.jsonl), its logs and the store to report.html, JSON
// and a Chrome trace. This file reads the record back into events.
#pragma once
#include <cstddef>
#include <functional>
#include <string_view>

#include "base/error.h"
#include "run/events.h"

namespace atelier {

struct RecordFacts {
  int version = 0;
  std::size_t unread = 0;  // lines that are damaged
  bool torn = false;       // the last line is cut off: the run is writing it, or died there
};

// Hands each event of a record to `see`, in order. What a later version may have added is passed over: events and
// fields that are not known. Errors: it is no run's record, or one of a newer version of the vocabulary.
Expected<RecordFacts> read_record(std::string_view text, const std::function<void(const Event&)>& see);

}  // namespace atelier
