#include "run/step_log.h"

#include <fmt/format.h>

namespace atelier {
namespace {

constexpr std::size_t most_first = 100, most_last = 400;  // lines

}  // namespace

void StepLog::add(std::string line) {
  const std::lock_guard hold(mutex_);
  if (first_.size() < most_first) return first_.push_back(std::move(line));
  last_.push_back(std::move(line));
  if (last_.size() <= most_last) return;
  last_.pop_front();
  ++left_out_;
}

std::string StepLog::text() const {
  const std::lock_guard hold(mutex_);
  std::string text;
  for (const auto& line : first_) text += line + '\n';
  if (left_out_ > 0) text += fmt::format("… {} lines left out …\n", left_out_);
  for (const auto& line : last_) text += line + '\n';
  return text;
}

}  // namespace atelier
