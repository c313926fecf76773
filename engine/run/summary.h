// run: what a run did, for people, from its events alone.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "run/events.h"

namespace atelier {

class Summary final : public Observer {
 public:
  void on(const Event& event) override;

  // Lines, each ended: the customers with what failed, why and where the log is, those that failed alike in one line;
  // counts; the time.
  std::string text() const;

  std::size_t executed() const { return ran_ + written_; }
  std::size_t succeeded() const { return succeeded_; }
  std::size_t failed() const { return failed_; }

 private:
  std::string counts() const;
  std::string ending() const;

  std::string folder_;  // of the run
  std::vector<CustomerFinished> customers_;
  std::map<std::string, std::vector<std::string>> warnings_;  // by task
  std::size_t ran_ = 0, reused_ = 0, shared_ = 0, written_ = 0, kept_ = 0, stopped_ = 0, again_ = 0, waves_ = 0;
  std::size_t succeeded_ = 0, failed_ = 0;
  std::vector<TaskFailed> batch_failures_;
  std::string stop_;
  bool halted_ = false;
  int signal_ = 0;
  double seconds_ = 0, saved_s_ = 0;
};

}  // namespace atelier
