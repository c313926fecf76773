#include "plan/costs.h"

#include <algorithm>

namespace atelier {
namespace {

constexpr std::size_t kLikenessDigits = 16;
constexpr std::size_t kMostSamples = 1024;  // of one kind of task; more would not move the median

// What of a param's value counts; absent where nothing does.
Value trait(const ParamSpec& spec, const Value& value) {
  if (value.is(ValueType::list)) return static_cast<std::int64_t>(value.list().size());
  if (spec.name == "seed" || (value.is(ValueType::text) && spec.choices.empty())) return {};
  return value;
}

void keep(std::vector<double>& samples, double one) {
  if (samples.size() < kMostSamples) samples.push_back(one);
}

double median(std::vector<double> samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::ranges::nth_element(samples, middle);
  if (samples.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(samples.begin(), middle)) / 2;
}

std::uint64_t median_bytes(const std::vector<double>& samples) { return static_cast<std::uint64_t>(median(samples)); }

template <class T>
std::optional<T> held(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) return std::nullopt;
  } else {
    if (!found->is_number()) return std::nullopt;
  }
  return found->get<T>();
}

std::vector<std::size_t> sources_of(const Task& task) {
  std::vector<std::size_t> counts;
  for (const auto& port : task.inputs) counts.push_back(port.sources.size());
  return counts;
}

// The bytes of the pipeline's files that reach a task, through recipes too.
std::uint64_t file_bytes(const Plan& plan, const Batch& batch, const Task& task) {
  std::uint64_t sum = 0;
  for (const auto& port : task.inputs)
    for (const auto& source : port.sources) {
      if (source.kind == TaskSource::Kind::input) {
        for (const auto& file : plan.inputs[source.index].artifact.files) sum += file.size_bytes;
      } else if (const Task& from = plan.tasks[source.index]; spec_of(plan, batch, from.id)->keep == Keep::recipe) {
        sum += file_bytes(plan, batch, from);
      }
    }
  return sum;
}

}  // namespace

std::string likeness(const NodeSpec& spec, const Params& params, const std::vector<TaskPort>& ports) {
  Encoder encoder;
  encoder.text("likeness").text(spec.name);
  for (const auto& [name, value] : params.in_key(spec)) {
    encoder.text(name);
    trait(*spec.param(name), value).encode(encoder);
  }
  for (const auto& port : ports) encoder.text(port.name).integer(static_cast<std::int64_t>(port.sources.size()));
  return encoder.finish().hex().substr(0, kLikenessDigits);
}

nlohmann::json cost_traits(const Plan& plan, const Batch& batch, TaskId id) {
  const Task& task = plan.task(id);
  return {{"like", likeness(*spec_of(plan, batch, id), *task.params, task.inputs)},
          {"guess_s", NeedsOfTasks(plan, batch).of(task).seconds}};
}

std::string_view device_kind(std::string_view device) { return device.substr(0, device.find(':')); }

void MeasuredCosts::add(const Record& record) {
  const auto like = held<std::string>(record.provenance, "like");
  const auto device = held<std::string>(record.provenance, "device");
  if (!like || !device) return;
  for (Sizes* const sizes : {&alike_sizes_[*like], &node_sizes_[record.node]}) {
    double sum = 0;
    for (const auto& [port, output] : record.outputs) {
      keep(sizes->by_port[port], static_cast<double>(output.size_bytes));
      sum += static_cast<double>(output.size_bytes);
    }
    keep(sizes->all, sum);
  }
  if (record.provenance.contains("resumed")) return;
  const auto guess_s = held<double>(record.provenance, "guess_s");
  const std::string kind(device_kind(*device));
  for (Times* const times : {&alike_times_[{*like, kind}], &node_times_[{record.node, kind}]}) {
    keep(times->seconds, record.cost_s);
    if (guess_s && *guess_s > 0) keep(times->ratios, record.cost_s / *guess_s);
  }
}

const MeasuredCosts::Sizes* MeasuredCosts::sizes(const std::string& node, const std::string& like,
                                                 TaskCost::Basis& basis) const {
  if (const auto found = alike_sizes_.find(like); found != alike_sizes_.end()) {
    basis = TaskCost::Basis::alike;
    return &found->second;
  }
  const auto found = node_sizes_.find(node);
  basis = found == node_sizes_.end() ? TaskCost::Basis::guess : TaskCost::Basis::node;
  return found == node_sizes_.end() ? nullptr : &found->second;
}

TaskCost MeasuredCosts::of(const std::string& node, const std::string& like, std::string_view kind,
                           double guess_s) const {
  TaskCost cost{.seconds = guess_s};
  if (const Sizes* const found = sizes(node, like, cost.size_basis)) cost.bytes = median_bytes(found->all);
  if (const auto found = alike_times_.find({like, std::string(kind)}); found != alike_times_.end()) {
    cost.seconds = median(found->second.seconds);
    cost.time_basis = TaskCost::Basis::alike;
  } else if (const auto others = node_times_.find({node, std::string(kind)}); others != node_times_.end()) {
    const auto& ratios = others->second.ratios;
    cost.seconds = ratios.empty() ? median(others->second.seconds) : guess_s * median(ratios);
    cost.time_basis = TaskCost::Basis::node;
  }
  return cost;
}

std::optional<std::uint64_t> MeasuredCosts::port_bytes(const std::string& node, const std::string& like,
                                                       std::string_view port) const {
  TaskCost::Basis basis{};
  const Sizes* const found = sizes(node, like, basis);
  if (!found) return std::nullopt;
  const auto of_port = found->by_port.find(port);
  return of_port == found->by_port.end() ? std::nullopt : std::optional(median_bytes(of_port->second));
}

CostsOfTasks::CostsOfTasks(const Plan& plan, const Batch& batch, const MeasuredCosts& measured, std::string kind)
    : plan_(plan),
      batch_(batch),
      measured_(measured),
      kind_(std::move(kind)),
      needs_(plan, batch),
      last_(batch.pipeline.steps.size()) {}

const CostsOfTasks::Answer& CostsOfTasks::answer(const Task& task, double guess_s) {
  Answer& last = last_[task.step];
  auto sources = sources_of(task);
  if (last.params == task.params && last.guess_s == guess_s && last.sources == sources) return last;
  const NodeSpec& spec = *spec_of(plan_, batch_, task.id);
  last = {task.params, guess_s, std::move(sources), likeness(spec, *task.params, task.inputs), {}};
  last.cost = measured_.of(spec.name, last.like, spec.place == Place::device ? kind_ : "cpu", guess_s);
  return last;
}

TaskCost CostsOfTasks::of_output(const Task& task) {
  TaskCost cost{.seconds = needs_.of(task).seconds};
  const TaskSource& source = task.inputs.front().sources.front();
  const Task& from = plan_.tasks[source.index];
  const NodeSpec& spec = *spec_of(plan_, batch_, from.id);
  if (spec.keep == Keep::recipe) {
    cost.bytes = file_bytes(plan_, batch_, from);
    cost.size_basis = cost.bytes > 0 ? TaskCost::Basis::node : TaskCost::Basis::guess;
  } else if (from.record) {
    cost.bytes = from.record->outputs.at(std::string(source.port)).size_bytes;
    cost.size_basis = TaskCost::Basis::alike;
  } else {
    const Answer& made = answer(from, needs_.of(from).seconds);
    cost.bytes = measured_.port_bytes(spec.name, made.like, source.port).value_or(0);
    cost.size_basis = made.cost.size_basis;
  }
  return cost;
}

TaskCost CostsOfTasks::of(const Task& task) {
  return task.is_output ? of_output(task) : answer(task, needs_.of(task).seconds).cost;
}

Needs CostsOfTasks::needs_of(const Task& task) {
  Needs needs = needs_.of(task);
  if (!task.is_output) needs.seconds = answer(task, needs.seconds).cost.seconds;
  return needs;
}

}  // namespace atelier
