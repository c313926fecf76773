#include "report/write_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char* record_name = "events.jsonl";

bool is_run(Files& files, const fs::path& folder) {
  const auto record = files.stat(folder / record_name);
  return record && *record;
}

// The modification time of a run's record: names are made of seconds and a number without leading zeros.
std::int64_t last_written(Files& files, const fs::path& run) {
  const auto record = files.stat(run / record_name);
  return record && *record ? (*record)->modified_ns : 0;
}

// Writes what comes in large pieces; what fails first is kept.
class PageFile {
 public:
  explicit PageFile(FileWriter& file) : file_(file) {}
  void write(std::string_view text) {
    pending_ += text;
    constexpr std::size_t piece = 1 << 20;
    if (pending_.size() >= piece) flush();
  }
  Expected<void> finish() {
    flush();
    if (done_) done_ = file_.sync();
    if (done_) done_ = file_.close();
    return done_;
  }

 private:
  void flush() {
    if (done_) done_ = file_.write_at(offset_, std::as_bytes(std::span(pending_)));
    offset_ += pending_.size();
    pending_.clear();
  }
  FileWriter& file_;
  std::uint64_t offset_ = 0;
  std::string pending_;
  Expected<void> done_;
};

}  // namespace

Expected<fs::path> find_run(Files& files, const fs::path& given) {
  if (is_run(files, given)) return given;
  const auto names = files.list(given / "runs");
  std::optional<fs::path> latest;
  for (const auto& name : names.value_or(std::vector<fs::path>{})) {
    const fs::path run = given / "runs" / name;
    if (is_run(files, run) && (!latest || last_written(files, run) >= last_written(files, *latest))) latest = run;
  }
  if (latest) return *latest;
  return failure(fmt::format("{}: neither a run's folder (it has no {}) nor an --out folder with runs in it",
                             given.string(), record_name));
}

Expected<RunReport> read_run(Files& files, const fs::path& run) {
  const auto record = files.read(run / record_name);
  if (!record) return tl::unexpected(record.error());
  const auto bytes = (*record)->bytes();
  StoryTeller teller;
  const auto facts = read_record({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                 [&](const Event& event) { teller.on(event); });
  if (!facts) return failure(fmt::format("{}: {}", (run / record_name).string(), facts.error().message));
  return RunReport{std::move(teller).finish(), *facts};
}

Expected<void> write_report(Files& files, const RunReport& report, const Evidence& evidence, const PageOptions& options,
                            const fs::path& path) {
  const fs::path temporary = path.parent_path() / fmt::format(".{}.{}.tmp", path.filename().string(), ::getpid());
  auto file = files.create(temporary);
  if (!file) return tl::unexpected(file.error());
  PageFile page(**file);
  write_page(report.story, report.facts, evidence, options, [&](std::string_view text) { page.write(text); });
  auto done = page.finish();
  if (done) done = files.rename(temporary, path);
  if (!done) {
    (void)files.remove_all(temporary);
    return done;
  }
  return files.sync_folder(path.parent_path());
}

}  // namespace atelier
