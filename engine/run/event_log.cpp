#include "run/event_log.h"

#include <fmt/format.h>

#include "base/log.h"

namespace atelier {
namespace {

constexpr std::size_t most_pending_bytes = 1 << 20;  // a beat that comes late must not cost memory

bool must_be_seen_at_once(const Event& event) {
  return event.as<TaskFailed>() || event.as<CustomerFinished>() || event.as<StopRequested>() ||
         event.as<RunStarted>() || event.as<RunFinished>();
}

}  // namespace

Expected<std::unique_ptr<EventLog>> EventLog::open(Files& files, const std::filesystem::path& path) {
  auto file = files.create(path);
  if (!file) return tl::unexpected(file.error());
  return std::unique_ptr<EventLog>(new EventLog(std::move(*file)));
}

EventLog::~EventLog() {
  flush();
  if (!pending_.empty()) give_up();
}

void EventLog::on(const Event& event) {
  if (broken_) return;
  // Messages may quote bytes of files: what is not UTF-8 is replaced, never thrown at.
  pending_ += to_json(event).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  pending_ += '\n';
  if (must_be_seen_at_once(event) || pending_.size() > most_pending_bytes) flush();
}

void EventLog::beat() { flush(); }

void EventLog::flush() {
  if (pending_.empty()) return;
  if (const auto written = file_->write_at(offset_, std::as_bytes(std::span(pending_))); !written) {
    why_not_ = written.error().message;
    if (pending_.size() > most_pending_bytes) give_up();
    return;  // with the next beat
  }
  offset_ += pending_.size();
  pending_.clear();
}

void EventLog::give_up() {
  broken_ = true;
  pending_.clear();
  log(LogLevel::warning, fmt::format("the event log is not written any more: {}", why_not_));
}

}  // namespace atelier
