// run: how a run goes, for people, while it goes: a few lines that are drawn anew on a terminal; where the output is
// piped a line for what happens, and now and then those that say how far it is.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "run/events.h"
#include "run/night_watch.h"

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
  void beat() override;  // draws the lines again, on a terminal; elsewhere tells them when it is time

 private:
  void see(const RunStarted&);
  void see(const WaveStarted& event);
  void see(const TaskStarted& event);
  void see(const TaskWarning& event);
  void see(const TaskFinished& event);
  void see(const TaskRetried& event);
  void see(const TaskFailed& event);
  void see(const TaskInputLost& event);
  void see(const OutputWritten& event);
  void see(const CustomerFinished& event);
  void see(const StopRequested& event);
  void see(const RunFinished& event);
  template <class Other>  // nothing is told of the others
  void see(const Other&) {}
  void tell(std::string_view text, std::string_view colour = "");
  void draw();
  void clear();

  Style style_;
  std::function<void(std::string_view)> write_;
  NightWatch watch_;
  double now_s_ = 0, told_s_ = 0;  // times of events
  std::size_t drawn_ = 0;          // lines
  bool changed_ = false;
};

// The style for a file descriptor: a terminal or not, its width, and NO_COLOR from the environment.
Progress::Style progress_style(int file_descriptor);

}  // namespace atelier
