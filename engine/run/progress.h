// run: how a run goes, for people, while it goes: one line that is drawn anew on a terminal, plain lines where the
// output is piped.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "run/events.h"

namespace atelier {

class Progress final : public Observer {
 public:
  struct Style {
    bool terminal = false;
    bool colour = false;  // on a terminal, unless NO_COLOR is set
    int columns = 80;
  };
  // `write` gets text with its line ends and control characters.
  Progress(Style style, std::function<void(std::string_view)> write) : style_(style), write_(std::move(write)) {}

  void on(const Event& event) override;
  void beat() override;  // draws the line again, on a terminal

  // The line without control characters: "1/3 customers, 12/40 tasks, person/anna step 30/60 loss 0.1234, about 2 min
  // left".
  std::string line() const;

 private:
  struct Running {
    std::string name{}, what{}, metric_name{}, metric{};
    bool device = false;
    double fraction = 0, guess_s = 0;
  };
  void see(const RunStarted& event);
  void see(const WaveStarted& event);
  void see(const TaskStarted& event);
  void see(const TaskProgress& event);
  void see(const TaskMetric& event);
  void see(const TaskWarning& event);
  void see(const TaskFinished& event);
  void see(const TaskReused& event);
  void see(const TaskRetried& event);
  void see(const TaskFailed& event);
  void see(const TaskSkipped& event);
  void see(const TaskStopped& event);
  void see(const TaskInputLost& event);
  void see(const OutputWritten& event);
  void see(const CustomerFinished& event);
  void see(const StopRequested& event);
  void see(const RunFinished& event);
  void see(const TaskPlanned&) {}
  void see(const TaskPreview&) {}
  void tell(std::string_view text, std::string_view colour = "");
  void clear();
  void end(const TaskRef& task);
  std::string eta() const;

  Style style_;
  std::function<void(std::string_view)> write_;
  std::map<std::uint32_t, Running> running_;
  std::size_t customers_ = 0, customers_done_ = 0, tasks_ = 0, tasks_done_ = 0;
  double began_s_ = 0, now_s_ = 0, to_do_s_ = 0, done_s_ = 0;  // times of events; seconds of guesses
  bool drawn_ = false, changed_ = false;
};

// The style for a file descriptor: a terminal or not, its width, and NO_COLOR from the environment.
Progress::Style progress_style(int file_descriptor);

}  // namespace atelier
