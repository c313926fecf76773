#include "report/verdict.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/amounts.h"
#include "report/text.h"
#include "run/run_batch.h"

namespace atelier {
namespace {

using Result = CustomerFinished::Result;
using Mood = Verdict::Mood;

std::string so_far(const RunStory& story) {
  const std::size_t well = story.customers_that(Result::succeeded), failed = story.customers_that(Result::failed);
  std::string text =
      fmt::format("{} of {} done", show_count(well), plural(story.customers.size(), "customer", "customers"));
  if (failed > 0) text += fmt::format(", {} failed", show_count(failed));
  return text;
}

std::string stop_reason(const RunStory& story) {
  constexpr const char* on = "; the same command goes on from here";
  if (story.stop && story.stop->signal == 0) return story.stop->reason + on;
  return story.stop ? fmt::format("Signal {} asked for it{}", story.stop->signal, on) : "";
}

}  // namespace

Verdict verdict_of(const RunStory& story, double now_s) {
  const std::size_t all = story.customers.size(), well = story.customers_that(Result::succeeded),
                    failed = story.customers_that(Result::failed);
  if (!story.end)
    return {Mood::unsure, "Not at its end: " + so_far(story),
            fmt::format("It is still going, or it was cut off. Last heard of {} ago.",
                        show_duration(std::max(0.0, now_s - story.last_s)))};
  const int code = story.end->exit_code;
  if (code == static_cast<int>(ExitCode::wrong)) return {Mood::bad, "Nothing was run", "What was given is wrong."};
  if (code == static_cast<int>(ExitCode::stopped_itself))
    return {Mood::bad, "The run stopped itself: " + so_far(story), stop_reason(story)};
  if (story.stop) return {Mood::unsure, "Stopped: " + so_far(story), stop_reason(story)};
  if (failed > 0)
    return {Mood::bad, fmt::format("{} of {} failed", show_count(failed), plural(all, "customer", "customers")),
            well > 0 ? fmt::format("{} succeeded.", show_count(well)) : ""};
  if (code != 0) return {Mood::bad, "Something of the whole batch failed", so_far(story)};
  return {Mood::good, all == 1 ? "The customer succeeded" : fmt::format("All {} customers succeeded", show_count(all)),
          ""};
}

}  // namespace atelier
