#include "run/summary.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/amounts.h"

namespace atelier {
namespace {

constexpr std::size_t most_listed = 20;    // customers that succeeded; beyond it only the others are listed
constexpr std::size_t most_warnings = 10;  // the rest is in the event log
constexpr std::size_t alike_at_once = 3;   // so many customers that failed alike are told in one line
constexpr std::size_t most_named = 10;     // of those

std::string plural(std::size_t n, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

std::string log_line(const std::string& folder, const std::string& log) {
  return log.empty() ? "" : fmt::format("  log: {}\n", (std::filesystem::path(folder) / log).string());
}

// "person" of "person/anna".
std::string step_of(const std::string& task) { return task.substr(0, task.rfind('/')); }

using Failures = std::vector<const CustomerFinished*>;

// Those that failed at the same step for the same reason, by the first of them.
std::map<const CustomerFinished*, Failures> failures_alike(const std::vector<CustomerFinished>& customers) {
  std::map<const CustomerFinished*, Failures> groups;
  std::map<std::pair<std::string, std::string>, const CustomerFinished*> firsts;
  for (const auto& customer : customers) {
    if (customer.result != CustomerFinished::Result::failed) continue;
    const auto first = firsts.emplace(std::pair(step_of(customer.failed_task), customer.why), &customer).first;
    groups[first->second].push_back(&customer);
  }
  return groups;
}

std::string show_failures(const Failures& alike, const std::string& folder) {
  std::string text;
  if (alike.size() < alike_at_once) {
    for (const auto* customer : alike)
      text += fmt::format("{}: failed at {}: {}\n", customer->customer, customer->failed_task, customer->why) +
              log_line(folder, customer->log);
    return text;
  }
  const CustomerFinished& first = *alike.front();
  text = fmt::format("{} customers failed at {}: {}\n ", alike.size(), step_of(first.failed_task), first.why);
  for (std::size_t i = 0; i < std::min(alike.size(), most_named); ++i)
    text += fmt::format("{}{}", i == 0 ? " " : ", ", alike[i]->customer);
  if (alike.size() > most_named) text += fmt::format(" and {} more", alike.size() - most_named);
  return text + '\n' + log_line(folder, first.log);
}

}  // namespace

void Summary::on(const Event& event) {
  if (const auto* started = event.as<RunStarted>()) folder_ = started->folder;
  if (const auto* finished = event.as<TaskFinished>()) {
    ++ran_;
    if (finished->customers > 1) ++shared_;
  }
  if (const auto* reused = event.as<TaskReused>()) {
    ++(reused->key ? reused_ : kept_);
    if (reused->key && reused->customers > 1) ++shared_;
    saved_s_ += reused->saved_s;
  }
  if (event.as<OutputWritten>()) ++written_;
  if (event.as<TaskRetried>()) ++again_;
  if (event.as<TaskStopped>()) ++stopped_;
  if (event.as<WaveStarted>()) ++waves_;
  if (const auto* warning = event.as<TaskWarning>()) {
    auto& texts = warnings_[warning->task.name];
    if (std::find(texts.begin(), texts.end(), warning->text) == texts.end()) texts.push_back(warning->text);
  }
  if (const auto* failure = event.as<TaskFailed>(); failure && failure->customers == 0)
    batch_failures_.push_back(*failure);
  if (const auto* customer = event.as<CustomerFinished>()) {
    customers_.push_back(*customer);
    if (customer->result == CustomerFinished::Result::succeeded) ++succeeded_;
    if (customer->result == CustomerFinished::Result::failed) ++failed_;
  }
  if (const auto* stop = event.as<StopRequested>()) {
    signal_ = stop->signal;
    halted_ = stop->signal == 0;
    stop_ = stop->reason;
  }
  if (const auto* finished = event.as<RunFinished>()) seconds_ = finished->seconds;
}

std::string Summary::text() const {
  auto customers = customers_;
  std::sort(customers.begin(), customers.end(), [](const auto& a, const auto& b) { return a.customer < b.customer; });
  std::string text;
  for (const auto& [task, texts] : warnings_) {
    for (const auto& warning : texts) text += fmt::format("warning: {}: {}\n", task, warning);
    if (static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) < most_warnings) continue;
    text += "more warnings are in the event log\n";
    break;
  }
  const auto alike = failures_alike(customers);
  for (const auto& customer : customers) {
    using Result = CustomerFinished::Result;
    if (customer.result == Result::succeeded && customers.size() <= most_listed && executed() > 0)
      text += fmt::format("{}: succeeded after {}\n", customer.customer, show_duration(customer.seconds));
    if (customer.result == Result::stopped)
      text += fmt::format("{}: stopped, goes on in the next run\n", customer.customer);
    if (const auto failed = alike.find(&customer); failed != alike.end())
      text += show_failures(failed->second, folder_);
  }
  for (const auto& failure : batch_failures_)
    text += fmt::format("{}: failed: {}\n", failure.task.name, failure.message) + log_line(folder_, failure.log);
  return text + counts() + ending();
}

std::string Summary::counts() const {
  if (waves_ == 0) return "";  // it was stopped before anything began
  if (executed() == 0 && failed_ == 0 && stopped_ == 0 && batch_failures_.empty())
    return fmt::format("nothing to do: {} reused, {} up to date\n", plural(reused_, "task is", "tasks are"),
                       plural(kept_, "output is", "outputs are"));
  std::string text = plural(succeeded_, "customer succeeded", "customers succeeded");
  if (failed_ > 0) text += fmt::format(", {} failed", failed_);
  text += fmt::format("\ntasks: {} run, {} reused, {} of them shared by customers", ran_, reused_, shared_);
  if (again_ > 0) text += fmt::format(", {} tried again", again_);
  if (waves_ > 1) text += fmt::format("; {} waves, because content was lost", waves_);
  text += fmt::format("\noutputs: {} written, {} up to date\n", written_, kept_);
  return text;
}

std::string Summary::ending() const {
  std::string text;
  if (halted_)
    text = fmt::format("the run stopped itself: {}; the same command goes on from here\n", stop_);
  else if (signal_ != 0)
    text = "stopped; the same command goes on from here\n";
  text += fmt::format("took {}", show_duration(seconds_));
  if (saved_s_ >= 1) text += fmt::format(", reuse saved {}", show_duration(saved_s_));
  return text + fmt::format("; record: {}\n", folder_);
}

}  // namespace atelier
