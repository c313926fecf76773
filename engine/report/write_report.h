// report: the room's way in: from a run's folder to its report.
#pragma once
#include <filesystem>

#include "report/page.h"

namespace atelier {

struct RunReport {
  RunStory story;
  RecordFacts facts;
};

// The folder of a run: `given` itself, or where it is an --out folder, its latest run. Error: neither.
Expected<std::filesystem::path> find_run(Files& files, const std::filesystem::path& given);

// Reads a run's record. Errors: it is missing, no record, or of a newer version.
Expected<RunReport> read_run(Files& files, const std::filesystem::path& run);

// Writes the page to `path`, whole or not at all, readable by the owner only.
Expected<void> write_report(Files& files, const RunReport& report, const Evidence& evidence, const PageOptions& options,
                            const std::filesystem::path& path);

}  // namespace atelier
