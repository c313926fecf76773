// cli: the report of a run, for `run` at its end and for `report` at any time.
#pragma once
#include <filesystem>

#include "cli/program.h"
#include "report/write_report.h"

namespace atelier::cli {

// Writes report.html into the run's folder and gives its path. `store` may be null: without pictures.
Expected<std::filesystem::path> write_run_report(Program& program, const RunReport& report,
                                                 const std::filesystem::path& run, Store* store);

double now_s(const Program& program);  // since the epoch

}  // namespace atelier::cli
