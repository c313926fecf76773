#include "report/write_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "told_run.h"

namespace atelier {
namespace {

TEST(WriteReport, AppearsWholeOrNotAtAll) {
  ToldRun run;
  const auto report = run.read();
  const Evidence evidence(&run.store, run.files, "/out/runs/r-1");
  ASSERT_TRUE(write_report(run.files, report, evidence, {}, "/out/runs/r-1/report.html"));
  EXPECT_THAT(run.files.text("/out/runs/r-1/report.html").value_or(""), testing::EndsWith("</html>\n"));
  const auto files_before = run.files.all_files();
  run.files.set_capacity(1);
  EXPECT_FALSE(write_report(run.files, report, evidence, {}, "/out/runs/r-1/report.html"));
  EXPECT_EQ(run.files.all_files(), files_before);
}

TEST(FindRun, TakesARunsFolderOrTheLatestRunOfAnOutFolder) {
  MemoryFiles files;
  files.put("/out/runs/20261130T000000Z-10/events.jsonl", "x");
  files.put("/out/runs/20261130T000000Z-9/events.jsonl", "x");
  files.put("/out/runs/lock", "");
  EXPECT_EQ(find_run(files, "/out/runs/20261130T000000Z-10").value(), "/out/runs/20261130T000000Z-10");
  EXPECT_EQ(find_run(files, "/out").value(), "/out/runs/20261130T000000Z-9") << "it was written last";
  const auto none = find_run(files, "/elsewhere");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message,
            "/elsewhere: neither a run's folder (it has no events.jsonl) nor an --out folder with runs in it");
}

}  // namespace
}  // namespace atelier
