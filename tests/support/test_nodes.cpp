#include "support/test_nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "support/test_types.h"

namespace atelier {

int TestProbe::runs(std::string_view node) const {
  const std::scoped_lock lock(mutex_);
  const auto found = runs_.find(node);
  return found == runs_.end() ? 0 : found->second;
}
int TestProbe::runs() const {
  const std::scoped_lock lock(mutex_);
  int sum = 0;
  for (const auto& [node, n] : runs_) sum += n;
  return sum;
}
int TestProbe::most_times_out_of_memory() const {
  const std::scoped_lock lock(mutex_);
  return most_times_out_of_memory_;
}
void TestProbe::count(std::string_view node, int times_out_of_memory) {
  const std::scoped_lock lock(mutex_);
  ++runs_[std::string(node)];
  most_times_out_of_memory_ = std::max(most_times_out_of_memory_, times_out_of_memory);
}

Artifact text_artifact(std::string_view text) {
  Artifact artifact;
  const auto bytes = std::as_bytes(std::span(text));
  artifact.tensors["text"] = Tensor::copy_of(DType::u8, {static_cast<std::int64_t>(text.size())}, bytes);
  return artifact;
}

Expected<std::string> text_of(const Artifact& artifact, Files& files) {
  if (const auto found = artifact.tensors.find("text"); found != artifact.tensors.end()) {
    const auto bytes = found->second.bytes();
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string all;
  for (const auto& file : artifact.files) {
    const auto read = files.read(file.path);
    if (!read) return tl::unexpected(read.error());
    const auto bytes = (*read)->bytes();
    if (!all.empty()) all += '\n';
    all.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return all;
}

namespace {

PortSpec port(std::string name, std::string type) { return {std::move(name), std::move(type), "A text.", false, true}; }
PortSpec list_port(std::string name, std::string type) {
  return {std::move(name), std::move(type), "Texts.", true, true};
}
PortSpec optional_port(std::string name, std::string type) {
  return {std::move(name), std::move(type), "A text.", false, false};
}

ParamSpec param(std::string name, ValueType type, Value value) {
  ParamSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.value = std::move(value);
  spec.summary = "A param.";
  return spec;
}
ParamSpec ranged(ParamSpec spec, std::optional<double> minimum, std::optional<double> maximum) {
  spec.minimum = minimum;
  spec.maximum = maximum;
  return spec;
}
ParamSpec list_of(ValueType element, std::string name, Value::List value) {
  ParamSpec spec = param(std::move(name), ValueType::list, Value(std::move(value)));
  spec.element = element;
  return spec;
}
ParamSpec execution(ParamSpec spec) {
  spec.role = ParamRole::execution;
  return spec;
}

NodeSpec node_spec(std::string name, std::vector<PortSpec> inputs, std::vector<PortSpec> outputs,
                   std::vector<ParamSpec> params = {}) {
  NodeSpec spec;
  spec.name = std::move(name);
  spec.summary = "A node for tests.";
  spec.inputs = std::move(inputs);
  spec.outputs = std::move(outputs);
  spec.params = std::move(params);
  return spec;
}

// What a test node needs besides its spec.
struct World {
  Files* files;
  std::shared_ptr<TestProbe> probe;
};

// Reads the texts of all ports, tells the probe, and leaves the rest to `work`.
class TextNode : public SingleNode {
 public:
  TextNode(NodeSpec spec, World world) : spec_(std::move(spec)), world_(std::move(world)) {}
  const NodeSpec& spec() const override { return spec_; }

  Expected<Outputs> run_one(const Job& job, Device&) const override {
    Texts texts;
    for (const auto& [name, artifacts] : job.inputs)
      for (const auto& artifact : artifacts) {
        auto text = text_of(artifact, *world_.files);
        if (!text) return tl::unexpected(text.error());
        texts[name].push_back(std::move(*text));
      }
    world_.probe->count(spec_.name, job.context.times_out_of_memory());
    if (world_.probe->on_run) world_.probe->on_run(spec_.name, texts.empty() ? "" : texts.begin()->second.front());
    return work(job, texts);
  }

 protected:
  using Texts = std::map<std::string, std::vector<std::string>, std::less<>>;
  virtual Expected<Outputs> work(const Job& job, Texts& texts) const = 0;
  static Expected<Outputs> one(std::string_view text) { return Outputs{{"text", text_artifact(text)}}; }
  const TestProbe& probe() const { return *world_.probe; }

 private:
  NodeSpec spec_;
  World world_;
};

class Read final : public TextNode {
 public:
  explicit Read(World world) : TextNode(make_spec(), std::move(world)) {}

 private:
  static NodeSpec make_spec() {
    NodeSpec spec = node_spec("read", {port("files", "texts")}, {port("text", "text")},
                              {param("upper", ValueType::boolean, false)});
    spec.keep = Keep::while_needed;
    return spec;
  }
  Expected<Outputs> work(const Job& job, Texts& texts) const override {
    std::string text = texts["files"].front();
    if (job.params.boolean("upper"))
      std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return one(text);
  }
};

class Shout final : public TextNode {
 public:
  explicit Shout(World world)
      : TextNode(
            node_spec("shout", {port("text", "text")}, {port("text", "text")},
                      {ranged(param("times", ValueType::integer, 1), 1, 100), param("mark", ValueType::text, "!")}),
            std::move(world)) {}

 private:
  Expected<Outputs> work(const Job& job, Texts& texts) const override {
    std::string text = texts["text"].front();
    for (std::int64_t i = 0; i < job.params.integer("times"); ++i) text += job.params.text("mark");
    return one(text);
  }
};

class Join final : public TextNode {
 public:
  explicit Join(World world)
      : TextNode(node_spec("join", {list_port("parts", "text"), optional_port("header", "text")},
                           {port("text", "text")}, {param("separator", ValueType::text, " ")}),
                 std::move(world)) {}

 private:
  Expected<Outputs> work(const Job& job, Texts& texts) const override {
    std::string text = job.has("header") ? texts["header"].front() + ": " : "";
    for (std::size_t i = 0; i < texts["parts"].size(); ++i)
      text += (i ? job.params.text("separator") : "") + texts["parts"][i];
    return one(text);
  }
};

class Split final : public TextNode {
 public:
  explicit Split(World world)
      : TextNode(node_spec("split", {port("text", "text")}, {port("head", "text"), port("tail", "text")},
                           {ranged(param("at", ValueType::integer, 1), 0, {})}),
                 std::move(world)) {}

 private:
  Expected<Outputs> work(const Job& job, Texts& texts) const override {
    const std::string& text = texts["text"].front();
    const auto at = std::min(text.size(), static_cast<std::size_t>(job.params.integer("at")));
    return Outputs{{"head", text_artifact(text.substr(0, at))}, {"tail", text_artifact(text.substr(at))}};
  }
};

class FirstWord final : public TextNode {
 public:
  explicit FirstWord(World world)
      : TextNode(node_spec("first_word", {port("text", "text")}, {port("text", "text")}), std::move(world)) {}

 private:
  Expected<Outputs> work(const Job&, Texts& texts) const override {
    std::istringstream words(texts["text"].front());
    std::string word;
    words >> word;
    return one(word);
  }
};

class Count final : public TextNode {
 public:
  explicit Count(World world)
      : TextNode(node_spec("count", {port("text", "text")}, {port("tally", "tally")}), std::move(world)) {}

 private:
  Expected<Outputs> work(const Job&, Texts& texts) const override {
    Artifact tally;
    tally.metadata["count"] = texts["text"].front().size();
    return Outputs{{"tally", tally}};
  }
};

class Blend final : public TextNode {
 public:
  explicit Blend(World world) : TextNode(make_spec(), std::move(world)) {}
  std::vector<std::string> check(const Params& params,
                                 const std::map<std::string, std::size_t>& list_sizes) const override {
    const auto weights = params.at("weights").list().size();
    const auto parts = list_sizes.contains("parts") ? list_sizes.at("parts") : 0;
    if (weights == parts) return {};
    return {fmt::format("'weights' has {} and 'parts' has {}: one weight for each part", weights, parts)};
  }

 private:
  static NodeSpec make_spec() {
    ParamSpec weights = ranged(list_of(ValueType::number, "weights", {}), 0, 1);
    weights.required = true;
    weights.value = {};
    NodeSpec spec = node_spec("blend", {port("base", "text"), list_port("parts", "text")}, {port("mix", "blend")},
                              {std::move(weights)});
    spec.keep = Keep::recipe;
    return spec;
  }
  Expected<Outputs> work(const Job& job, Texts& texts) const override {
    std::string text = texts["base"].front();
    const auto weights = job.params.numbers("weights");
    for (std::size_t i = 0; i < weights.size(); ++i) text += fmt::format(" + {} {}", weights[i], texts["parts"][i]);
    return Outputs{{"mix", text_artifact(text)}};
  }
};

class FailOn final : public TextNode {
 public:
  explicit FailOn(World world) : TextNode(make_spec(), std::move(world)) {}

 private:
  static NodeSpec make_spec() {
    ParamSpec kind = param("kind", ValueType::text, "input");
    kind.choices = {"input", "transient", "out_of_memory", "fault"};
    return node_spec(
        "fail_on", {port("text", "text")}, {port("text", "text")},
        {param("needle", ValueType::text, "fail"), std::move(kind), param("throws", ValueType::boolean, false)});
  }
  static ErrorKind kind_of(const std::string& name) {
    if (name == "transient") return ErrorKind::transient;
    if (name == "out_of_memory") return ErrorKind::out_of_memory;
    return name == "fault" ? ErrorKind::fault : ErrorKind::input;
  }
  Expected<Outputs> work(const Job& job, Texts& texts) const override {
    const std::string& text = texts["text"].front();
    const std::string& needle = job.params.text("needle");
    if (text.find(needle) == std::string::npos) return one(text);
    const std::string message = fmt::format("the text holds '{}'", needle);
    if (job.params.boolean("throws")) throw Fault(message);
    return failure(message, kind_of(job.params.text("kind")));
  }
};

// Its result depends on texts, steps and seed alone, never on where it was cut off.
class Learn final : public TextNode {
 public:
  explicit Learn(World world) : TextNode(make_spec(), std::move(world)) {}

 private:
  static NodeSpec make_spec() {
    NodeSpec spec =
        node_spec("learn", {list_port("texts", "text")}, {port("text", "text")},
                  {ranged(param("steps", ValueType::integer, 4), 1, {}), param("seed", ValueType::integer, 0),
                   execution(ranged(param("checkpoint_every", ValueType::integer, 2), 1, {}))});
    spec.place = Place::device;
    return spec;
  }
  static Artifact checkpoint(std::int64_t step, std::uint64_t state) {
    Artifact artifact = text_artifact(fmt::format("{}", state));
    artifact.metadata["step"] = step;
    return artifact;
  }
  Expected<Outputs> work(const Job& job, Texts& texts) const override {
    const std::int64_t steps = job.params.integer("steps");
    std::int64_t done = 0;
    std::uint64_t state = static_cast<std::uint64_t>(job.params.integer("seed"));
    if (const auto saved = job.context.load_checkpoint()) {
      done = saved->metadata.at("step").get<std::int64_t>();
      const auto bytes = saved->tensors.at("text").bytes();
      state = std::stoull(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
    std::string all;
    for (const auto& text : texts["texts"]) all += text + "|";
    while (done < steps) {
      if (job.context.stop_requested()) {
        if (auto saved = job.context.save_checkpoint(checkpoint(done, state)); !saved)
          return tl::unexpected(saved.error());
        return failure(fmt::format("stopped at step {} of {}", done, steps), ErrorKind::stopped);
      }
      if (probe().on_learn_step) probe().on_learn_step(done);
      for (const char c : all) state = state * 1099511628211ULL + static_cast<unsigned char>(c) + 1;
      ++done;
      job.context.metric("loss", done, 1.0 / static_cast<double>(done));
      job.context.progress(static_cast<double>(done) / static_cast<double>(steps), "learning");
      if (done < steps && done % job.params.integer("checkpoint_every") == 0)
        if (auto saved = job.context.save_checkpoint(checkpoint(done, state)); !saved)
          return tl::unexpected(saved.error());
    }
    if (all.size() < 4) job.context.warn("the text is short");
    return one(fmt::format("learned {} in {} steps", state, steps));
  }
};

class EveryParam final : public TextNode {
 public:
  explicit EveryParam(World world) : TextNode(make_spec(), std::move(world)) {}

 private:
  static NodeSpec make_spec() {
    ParamSpec label = param("label", ValueType::text, {});
    label.required = true;
    ParamSpec color = param("color", ValueType::text, "red");
    color.choices = {"red", "green", "blue"};
    return node_spec(
        "params", {port("text", "text")}, {port("text", "text")},
        {std::move(label), std::move(color), param("flag", ValueType::boolean, false),
         ranged(param("whole", ValueType::integer, 1), 1, 10), ranged(param("share", ValueType::number, 0.5), 0, 1),
         param("absent", ValueType::number, {}), list_of(ValueType::text, "names", {}),
         list_of(ValueType::integer, "seeds", {}), ranged(list_of(ValueType::number, "weights", {}), 0, 1),
         execution(ranged(param("retries", ValueType::integer, 0), 0, 9))});
  }
  Expected<Outputs> work(const Job& job, Texts& texts) const override {
    auto all = nlohmann::json::object();
    for (const auto& [name, value] : job.params.in_key(spec())) all[name] = value.json();
    return one(texts["text"].front() + all.dump());
  }
};

}  // namespace

NodeRegistry make_test_registry(Files& files, std::shared_ptr<TestProbe> probe) {
  NodeRegistry registry;
  for (const auto& type :
       {make_text_type(files), make_texts_type(files), make_tally_type(files), make_blend_type(files)})
    registry.add_type(type);
  const World world{&files, std::move(probe)};
  registry.add(std::make_unique<Read>(world));
  registry.add(std::make_unique<Shout>(world));
  registry.add(std::make_unique<Join>(world));
  registry.add(std::make_unique<Split>(world));
  registry.add(std::make_unique<FirstWord>(world));
  registry.add(std::make_unique<Count>(world));
  registry.add(std::make_unique<Blend>(world));
  registry.add(std::make_unique<FailOn>(world));
  registry.add(std::make_unique<Learn>(world));
  registry.add(std::make_unique<EveryParam>(world));
  return registry;
}

}  // namespace atelier
