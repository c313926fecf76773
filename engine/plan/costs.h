// plan: what tasks will take, seconds and bytes, from what the records of finished ones say that they took.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plan/needs.h"
#include "plan/plan.h"

namespace atelier {

// What tells whether another task takes as long and makes as much, as far as its node, its params and its ports say it:
// in_key numbers, switches and choices as they are; of lists, and of what is connected to a port, how many there are.
// Free texts and seeds do not count. Sixteen hexadecimal digits, the same for tasks that are alike.
std::string likeness(const NodeSpec& spec, const Params& params, const std::vector<TaskPort>& ports);

// For the provenance of a task's record: "like", its likeness, and "guess_s", what its node guessed.
nlohmann::json cost_traits(const Plan& plan, const Batch& batch, TaskId id);

// "cuda" of "cuda:1": tasks take as long on any device of a kind.
std::string_view device_kind(std::string_view device);

// What is expected of a task, and what that stands on.
struct TaskCost {
  enum class Basis : std::uint8_t {
    alike,  // tasks alike were measured
    node,   // others of the node were: their median, for seconds in the ratio of the nodes' guesses
    guess,  // none was: seconds are the node's own guess, bytes are not known
  };
  double seconds = 0;
  std::uint64_t bytes = 0;  // of all outputs
  Basis time_basis = Basis::guess, size_basis = Basis::guess;
};

// What finished tasks took. A value: filled once, then asked.
class MeasuredCosts {
 public:
  // Records that tell nothing (of outputs, of what was shown) count nothing. Of a training that went on from a
  // checkpoint the seconds are not those of all of it: only its bytes count.
  void add(const Record& record);

  // `like` is the task's likeness, `kind` the kind of the device where it runs (or "cpu"), `guess_s` its node's guess.
  TaskCost of(const std::string& node, const std::string& like, std::string_view kind, double guess_s) const;
  // Of what arrives from one port of such a task; empty where none was measured.
  std::optional<std::uint64_t> port_bytes(const std::string& node, const std::string& like,
                                          std::string_view port) const;

 private:
  struct Sizes {
    std::vector<double> all;
    std::map<std::string, std::vector<double>, std::less<>> by_port;
  };
  struct Times {
    std::vector<double> seconds;
    std::vector<double> ratios;  // to the guess, of those records that hold one
  };
  using Place = std::pair<std::string, std::string>;  // likeness or node, and kind
  const Sizes* sizes(const std::string& node, const std::string& like, TaskCost::Basis& basis) const;

  std::map<Place, Times> alike_times_, node_times_;
  std::unordered_map<std::string, Sizes> alike_sizes_, node_sizes_;
};

// Asks for the tasks of a plan, once for all in a row that are alike. All must outlive it.
class CostsOfTasks {
 public:
  // `kind`: of the devices that device tasks will run on.
  CostsOfTasks(const Plan& plan, const Batch& batch, const MeasuredCosts& measured, std::string kind);

  // Of an output: a short guess, and the bytes of what it is made from; of an output of a recipe those of the
  // pipeline's files that the recipe is made from, as a fused model is as large as its base.
  TaskCost of(const Task& task);
  // What its node says that it needs, with the seconds that are expected.
  Needs needs_of(const Task& task);

 private:
  struct Answer {
    std::shared_ptr<const Params> params;
    double guess_s = 0;
    std::vector<std::size_t> sources;  // by port
    std::string like;
    TaskCost cost;
  };
  const Answer& answer(const Task& task, double guess_s);
  TaskCost of_output(const Task& task);

  const Plan& plan_;
  const Batch& batch_;
  const MeasuredCosts& measured_;
  std::string kind_;
  NeedsOfTasks needs_;
  std::vector<Answer> last_;  // by step
};

}  // namespace atelier
