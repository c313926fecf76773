#include "exec/exec_node.h"

#include <fmt/format.h>

#include "exec/check_command.h"
#include "exec/command_files.h"
#include "exec/command_ports.h"
#include "exec/run_command.h"
#include "graph/task_log.h"

namespace atelier {
namespace {

constexpr int kTryAgain = 75;  // EX_TEMPFAIL of sysexits.h
constexpr double kMostThreads = 1024;
constexpr const char* kNotAllowed =
    "runs a command, and commands are off; expected --allow-exec on the command line, for a pipeline that you trust";

using Types = std::map<std::string, const PortType*>;

NodeSpec exec_spec(const Types& types) {
  NodeSpec spec;
  spec.name = "exec";
  spec.summary =
      "Runs a command without a shell, with files in and out; needs --allow-exec. What counts for reuse are the "
      "arguments and the inputs, not the program that the first argument names: after another version of it, change an "
      "argument, or give a script as an input.";
  spec.version = 1;
  for (const auto& input : command_inputs)
    if (types.contains(std::string(input.type)))
      spec.inputs.push_back({.name = std::string(input.port),
                             .type = std::string(input.type),
                             .summary = std::string(input.summary),
                             .many = input.many,
                             .required = false});
  spec.outputs = {
      {.name = std::string(kFileOutput), .type = "file", .summary = "What the command writes as {out:file}."},
      {.name = std::string(kMetricsOutput),
       .type = "metrics",
       .summary = "The JSON object of numbers that the command writes as {out:metrics}; empty where it writes none.",
       .aside = true}};
  spec.params = {
      {.name = "command",
       .type = ValueType::list,
       .summary = "The program, looked up in PATH, and its arguments; {in:PORT} and {out:file.png} stand for the paths "
                  "of files.",
       .element = ValueType::text,
       .required = true},
      {.name = "environment",
       .type = ValueType::list,
       .value = Value::List{},
       .summary = "NAME=VALUE for the command; else it has only PATH, HOME, TMPDIR, LANG and OMP_NUM_THREADS.",
       .element = ValueType::text},
      {.name = "threads",
       .type = ValueType::integer,
       .value = 1,
       .summary = "How many threads the command uses.",
       .unit = "threads",
       .minimum = 1,
       .maximum = kMostThreads,
       .role = ParamRole::execution},
  };
  return spec;
}

Types types_of(const NodeRegistry& registry) {
  Types types;
  const auto add = [&](std::string_view name) {
    if (const PortType* const type = registry.find_type(name)) types[std::string(name)] = type;
  };
  for (const auto& input : command_inputs) add(input.type);
  return types;
}

// Nothing of what the user who starts a night happens to have set.
std::vector<std::string> environment_of(const Job& job, const Commands& commands, const std::filesystem::path& home) {
  std::map<std::string, std::string> settings{{"PATH", commands.search_path},
                                              {"HOME", home.string()},
                                              {"TMPDIR", home.string()},
                                              {"LANG", "C.UTF-8"},
                                              {"OMP_NUM_THREADS", std::to_string(job.context.threads())}};
  for (const auto& setting : job.params.texts("environment")) {
    const auto equals = setting.find('=');
    settings[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  std::vector<std::string> environment;
  for (const auto& [name, value] : settings) environment.push_back(name + "=" + value);
  return environment;
}

std::vector<Argument> arguments_of(const std::vector<std::string>& command) {
  std::vector<Argument> arguments;
  for (const auto& text : command) arguments.push_back(parse_argument(text).value());  // were checked
  return arguments;
}

// A failure of the command, with what it said last.
tl::unexpected<Error> failed(const std::string& program, const std::string& how, const CommandEnd& end,
                             ErrorKind kind) {
  const std::string words = end.last_words.empty() ? "" : "; its last words: " + end.last_words;
  return failure(fmt::format("the command '{}' {}{}", program, how, words), kind);
}

ErrorKind kind_of(const ProcessEnd& end) {
  if (end.signal != 0) return ErrorKind::fault;
  return end.exit_code == kTryAgain ? ErrorKind::transient : ErrorKind::input;
}

class ExecNode final : public SingleNode {
 public:
  ExecNode(Files& files, const NodeRegistry& types, const Commands* commands)
      : files_(files), types_(types_of(types)), commands_(commands), spec_(exec_spec(types_)) {}

  const NodeSpec& spec() const override { return spec_; }

  Needs needs(const Params& params, const InputInfo&) const override {
    return {.threads = static_cast<int>(params.integer("threads"))};
  }

  std::vector<std::string> check(const Params& params,
                                 const std::map<std::string, std::size_t>& list_sizes) const override {
    std::vector<std::string> sentences;
    if (!is_allowed()) sentences.push_back(kNotAllowed);
    for (auto& sentence : check_command(spec_, params.texts("command"), list_sizes))
      sentences.push_back(std::move(sentence));
    for (auto& sentence : check_environment(params.texts("environment"))) sentences.push_back(std::move(sentence));
    return sentences;
  }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    std::map<std::string, std::size_t> list_sizes;
    for (const auto& [port, artifacts] : job.inputs) list_sizes[port] = artifacts.size();
    if (const auto wrong = check(job.params, list_sizes); !wrong.empty()) return failure(wrong.front());
    CommandFiles files(files_, types_, job.context.scratch());
    const auto work = files.work_folder();
    if (!work) return tl::unexpected(work.error());
    auto arguments = files.fill(arguments_of(job.params.texts("command")), job.inputs);
    if (!arguments) return tl::unexpected(arguments.error());
    log_to(job.context, fmt::format("runs {}", Value(Value::List(arguments->begin(), arguments->end())).show()));
    const std::string program = arguments->front();
    const auto end = run_command(
        commands_->processes,
        {.arguments = std::move(*arguments), .folder = *work, .environment = environment_of(job, *commands_, *work)},
        job.context, commands_->grace);
    if (!end) return tl::unexpected(end.error());
    return result_of(program, *end, files);
  }

 private:
  bool is_allowed() const { return commands_ && commands_->allowed; }

  static Expected<Outputs> result_of(const std::string& program, const CommandEnd& end, CommandFiles& files) {
    if (end.stopped) return failure(fmt::format("the command '{}' was stopped", program), ErrorKind::stopped);
    if (end.process.signal != 0 || end.process.exit_code != 0)
      return failed(program, end.process.text(), end, kind_of(end.process));
    auto outputs = files.read_outputs();
    if (!outputs) return failed(program, outputs.error().message, end, outputs.error().kind);
    return outputs;
  }

  Files& files_;
  Types types_;
  const Commands* commands_;
  NodeSpec spec_;
};

}  // namespace

std::unique_ptr<const Node> make_exec(Files& files, const NodeRegistry& types, const Commands* commands) {
  return std::make_unique<ExecNode>(files, types, commands);
}

}  // namespace atelier
