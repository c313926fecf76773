// run: OUT/runs/<utc>-<n>/: the event log, step logs and report of one run; and the lock that keeps it one run per OUT.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/files.h"

namespace atelier {

struct RunFolder {
  std::string name;  // "20261121T131900Z-1"
  std::filesystem::path path;
  std::unique_ptr<FileLock> lock;  // of the whole OUT

  std::filesystem::path events() const { return path / "events.jsonl"; }
  std::filesystem::path scratch() const { return path / "scratch"; }
};

// A new folder for a run into `out`, which is made where it is missing. Errors: another run works into `out`; what the
// system says.
Expected<RunFolder> open_run_folder(Files& files, const Clock& clock, const std::filesystem::path& out);

// A name of a task as a file name: "output lora/anna" is "output-lora+anna".
std::string file_name_of(std::string_view task);

}  // namespace atelier
