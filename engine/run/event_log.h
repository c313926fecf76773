// run: the event log, OUT/runs/<run>/events.jsonl. Only ever appended to.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/files.h"
#include "run/events.h"

namespace atelier {

// Lines are written in groups: on every beat, at failures, when a customer is finished, and at the end. What cannot be
// written waits for the next time, up to a megabyte.
class EventLog final : public Observer {
 public:
  static Expected<std::unique_ptr<EventLog>> open(Files& files, const std::filesystem::path& path);
  ~EventLog() override;

  void on(const Event& event) override;
  void beat() override;
  // What kept it from being written, told once on the program's log; the run goes on.
  bool broken() const { return broken_; }

 private:
  explicit EventLog(std::unique_ptr<FileWriter> file) : file_(std::move(file)) {}
  void flush();
  void give_up();

  std::unique_ptr<FileWriter> file_;
  std::uint64_t offset_ = 0;
  std::string pending_;
  std::string why_not_;
  bool broken_ = false;
};

}  // namespace atelier
