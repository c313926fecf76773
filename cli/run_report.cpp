#include "cli/run_report.h"

namespace atelier::cli {

double now_s(const Program& program) {
  return std::chrono::duration<double>(program.clock.wall().time_since_epoch()).count();
}

Expected<std::filesystem::path> write_run_report(Program& program, const RunReport& report,
                                                 const std::filesystem::path& run, Store* store) {
  const auto page = run / "report.html";
  const auto written =
      write_report(program.files, report, Evidence(store, program.files, run), {.now_s = now_s(program)}, page);
  if (!written) return tl::unexpected(written.error());
  return page;
}

}  // namespace atelier::cli
