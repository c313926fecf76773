#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/amounts.h"
#include "base/nearest.h"
#include "pipeline/pipeline_file.h"
#include "pipeline/template.h"
#include "pipeline/version_one.h"
#include "pipeline/yaml_reader.h"

namespace atelier {
namespace {

using Names = std::vector<std::string>;

const Names pipeline_keys{"atelier", "name", "params", "inputs", "steps", "outputs"};
const Names input_keys{"type", "scope"};
const Names step_keys{"use", "in", "with", "retries", "timeout"};
const Names output_keys{"from", "path"};
const Names scopes{"batch", "customer"};
// A customer in a batch has these keys beside its inputs.
const Names reserved_inputs{"id", "params", "inputs"};

class PipelineParser {
 public:
  PipelineParser(const YamlTree& tree, MistakeList& mistakes) : root_(tree.root), reader_(tree.file, mistakes) {
    result_.file = tree.file;
  }

  PipelineFile parse() {
    reader_.keys(root_, "a pipeline", pipeline_keys);
    reader_.format(root_, "a pipeline");
    if (const YamlNode* name = root_.find("name")) result_.name = reader_.text(*name, "key 'name'").value_or("");
    parse_params();
    parse_inputs();
    parse_steps();
    parse_outputs();
    check_names();
    return std::move(result_);
  }

 private:
  // Calls `use` with each entry of the map under `key` whose name is one.
  template <class Use>
  void each(std::string_view key, std::string_view what, const Use& use) {
    const YamlNode* map = root_.find(key);
    if (!map || !reader_.is_map(*map, fmt::format("key '{}'", key))) return;
    for (std::size_t i = 0; i < map->keys.size(); ++i)
      if (reader_.name(map->keys[i], what)) use(map->keys[i], map->items[i]);
  }

  void check_keys(const YamlNode& map, std::string_view owner, const std::string& what, const Names& allowed) {
    for (const auto& key : map.keys) {
      if (std::ranges::find(allowed, key.name) != allowed.end()) continue;
      if (const auto sentence = beyond_version_one(key.name))
        reader_.tell(reader_.position(key), fmt::format("{}: {}", what, *sentence));
      else
        reader_.unknown_key(key, owner, allowed);
    }
  }

  void parse_params() {
    each("params", "param", [&](const YamlNode::Key& key, const YamlNode& node) {
      PipelineParam param{key.name, {}, reader_.position(key)};
      const std::string what = fmt::format("param '{}'", key.name);
      if (key.name == customer_name)
        reader_.tell(param.position,
                     fmt::format("{}: '${{customer}}' is the customer's id; expected another name", what));
      if (node.kind == YamlNode::Kind::empty)
        reader_.tell(param.position,
                     fmt::format("{}: has no value; expected a default, whose type is the param's", what));
      else if (auto value = reader_.value(node, what))
        param.value = std::move(*value);
      // Kept without its value too, so that its uses are not told as undefined.
      result_.params.push_back(std::move(param));
    });
  }

  void parse_inputs() {
    each("inputs", "input", [&](const YamlNode::Key& key, const YamlNode& node) {
      InputDeclaration input{key.name, reader_.position(key), "", reader_.position(node)};
      const std::string what = fmt::format("input '{}'", key.name);
      if (std::ranges::find(reserved_inputs, key.name) != reserved_inputs.end())
        reader_.tell(input.position, fmt::format("{}: the name is a key of every customer; expected another", what));
      if (reader_.is_map(node, what)) parse_input(input, node, what);
      result_.inputs.push_back(std::move(input));
    });
  }

  void parse_input(InputDeclaration& input, const YamlNode& node, const std::string& what) {
    check_keys(node, "an input", what, input_keys);
    if (const YamlNode* type = node.find("type")) {
      input.type = reader_.text(*type, what + ", key 'type'").value_or("");
      input.type_position = reader_.position(*type);
    } else if (!node.incomplete) {
      reader_.tell(input.position, fmt::format("{}: has no type; expected 'type: …'", what));
    }
    const YamlNode* scope = node.find("scope");
    if (!scope) return;
    const auto text = reader_.text(*scope, what + ", key 'scope'");
    if (!text) return;
    if (const auto sentence = beyond_version_one(*text))
      reader_.tell(reader_.position(*scope), fmt::format("{}: {}", what, *sentence));
    else if (std::ranges::find(scopes, *text) == scopes.end())
      reader_.tell(reader_.position(*scope), fmt::format("{}: unknown scope '{}'; expected batch or customer{}", what,
                                                         *text, did_you_mean(*text, scopes)));
    input.scope = *text == "batch" ? Scope::batch : Scope::customer;
  }

  void parse_steps() {
    if (!root_.find("steps") && !root_.incomplete)
      reader_.tell(reader_.position(root_), "'steps' is missing; expected it in a pipeline");
    each("steps", "step", [&](const YamlNode::Key& key, const YamlNode& node) {
      StepDeclaration step;
      step.name = key.name;
      step.position = step.use_position = reader_.position(key);
      const std::string what = fmt::format("step '{}'", key.name);
      if (reader_.is_map(node, what)) parse_step(step, node, what);
      result_.steps.push_back(std::move(step));
    });
  }

  void parse_step(StepDeclaration& step, const YamlNode& node, const std::string& what) {
    check_keys(node, "a step", what, step_keys);
    if (const YamlNode* use = node.find("use")) {
      step.use = reader_.text(*use, what + ", key 'use'").value_or("");
      step.use_position = reader_.position(*use);
    } else if (!node.incomplete) {
      reader_.tell(step.position, fmt::format("{}: has no node; expected 'use: …'", what));
    }
    if (const YamlNode* in = node.find("in")) {
      step.in_is_whole = in->kind == YamlNode::Kind::map && !in->incomplete;
      if (reader_.is_map(*in, what + ", key 'in'"))
        for (std::size_t i = 0; i < in->keys.size(); ++i) parse_port(step, in->keys[i], in->items[i], what);
    }
    if (const YamlNode* with = node.find("with")) {
      step.with_is_whole = with->kind == YamlNode::Kind::map && !with->incomplete;
      if (reader_.is_map(*with, what + ", key 'with'"))
        for (std::size_t i = 0; i < with->keys.size(); ++i) parse_param(step, with->keys[i], with->items[i], what);
    }
    if (const YamlNode* retries = node.find("retries")) step.retries = parse_retries(*retries, what);
    if (const YamlNode* timeout = node.find("timeout")) step.timeout = parse_timeout(*timeout, what);
    if (node.incomplete) step.in_is_whole = step.with_is_whole = false;
  }

  std::optional<int> parse_retries(const YamlNode& node, const std::string& what) {
    const auto value = reader_.value(node, what + ", key 'retries'");
    if (!value) return {};
    if (value->is(ValueType::integer) && value->integer() >= 0 && value->integer() <= most_retries)
      return static_cast<int>(value->integer());
    reader_.tell(reader_.position(node), fmt::format("{}, key 'retries': expects an integer from 0 to {}, is {}", what,
                                                     most_retries, value->show()));
    return {};
  }

  std::optional<std::chrono::seconds> parse_timeout(const YamlNode& node, const std::string& what) {
    const auto text = reader_.text(node, what + ", key 'timeout'");
    if (!text) return {};
    const auto time = duration_of(*text);
    if (time && time->count() > 0) return time;
    reader_.tell(reader_.position(node),
                 fmt::format("{}, key 'timeout': expects a time as in 90s, 30m or 2h, is {}", what, *text));
    return {};
  }

  void parse_port(StepDeclaration& step, const YamlNode::Key& key, const YamlNode& node, const std::string& what) {
    PortDeclaration port{key.name,
                         reader_.position(key),
                         {},
                         node.kind == YamlNode::Kind::list,
                         node.kind == YamlNode::Kind::list && node.items.empty()};
    const std::string port_what = fmt::format("{}, port '{}'", what, key.name);
    const auto add = [&](const YamlNode& one) {
      if (one.kind == YamlNode::Kind::scalar)
        port.references.push_back({one.text, reader_.position(one)});
      else if (one.kind != YamlNode::Kind::refused)
        reader_.tell(reader_.position(one), fmt::format("{}: expects the name of an input or a step", port_what));
    };
    if (port.is_list)
      std::ranges::for_each(node.items, add);
    else
      add(node);
    step.in.push_back(std::move(port));
  }

  void parse_param(StepDeclaration& step, const YamlNode::Key& key, const YamlNode& node, const std::string& what) {
    ParamDeclaration param{key.name, reader_.position(key), reader_.position(node), {}};
    const std::string param_what = fmt::format("{}, param '{}'", what, key.name);
    param.expression = reader_.expression(node, param_what);
    if (param.expression && !check_template(*param.expression, param.value_position, param_what))
      param.expression.reset();
    step.with.push_back(std::move(param));
  }

  void parse_outputs() {
    each("outputs", "output", [&](const YamlNode::Key& key, const YamlNode& node) {
      OutputDeclaration output;
      output.name = key.name;
      output.position = output.path_position = reader_.position(key);
      const std::string what = fmt::format("output '{}'", key.name);
      if (reader_.is_map(node, what)) parse_output(output, node, what);
      result_.outputs.push_back(std::move(output));
    });
  }

  void parse_output(OutputDeclaration& output, const YamlNode& node, const std::string& what) {
    check_keys(node, "an output", what, output_keys);
    if (const YamlNode* from = node.find("from")) {
      if (auto text = reader_.text(*from, what + ", key 'from'")) output.from = {*text, reader_.position(*from)};
    } else if (!node.incomplete) {
      reader_.tell(output.position, fmt::format("{}: comes from nowhere; expected 'from: …'", what));
    }
    const YamlNode* path = node.find("path");
    output.has_path = path != nullptr || node.incomplete;
    if (!path) return;
    output.path_position = reader_.position(*path);
    const auto text = reader_.text(*path, what + ", key 'path'");
    if (!text) return;
    auto parsed = parse_template(*text);
    if (!parsed) {
      reader_.tell(output.path_position, fmt::format("{}: {}", what, parsed.error()));
      return;
    }
    Expression expression;
    expression.text.push_back(*parsed);
    expression.text.front().exact = false;  // a path is always a text
    if (check_template(expression, output.path_position, what)) output.path = std::move(*parsed);
  }

  // Tells names that are no params and lists within a text.
  bool check_template(const Expression& expression, const SourcePosition& position, const std::string& what) {
    bool good = true;
    for (const auto& name : names_in(expression)) {
      if (name == customer_name || result_.find_param(name)) continue;
      Names known = result_.param_names();
      known.emplace_back(customer_name);
      reader_.tell(position, fmt::format("{}: no param is named '{}'; expected one of {}{}", what, name, listed(known),
                                         did_you_mean(name, known)));
      good = false;
    }
    return check_lists(expression, position, what) && good;
  }

  bool check_lists(const Expression& expression, const SourcePosition& position, const std::string& what) {
    bool good = true;
    for (const auto& part : expression.parts) good = check_lists(part, position, what) && good;
    for (const auto& text : expression.text)
      for (const auto& name : names_in(text)) {
        const PipelineParam* param = result_.find_param(name);
        if (text.exact || !param || !param->value.is(ValueType::list)) continue;
        reader_.tell(position, fmt::format("{}: '{}' is a list; expected a single value within a text", what, name));
        good = false;
      }
    return good;
  }

  // A name serves one thing: a CSV has inputs and params as columns, a reference names an input or a step.
  void check_names() {
    for (const auto& input : result_.inputs) {
      if (result_.find_param(input.name))
        reader_.tell(input.position,
                     fmt::format("input '{0}': a param is named '{0}' too; expected another name", input.name));
    }
    for (const auto& step : result_.steps) {
      if (result_.find_input(step.name))
        reader_.tell(step.position,
                     fmt::format("step '{0}': an input is named '{0}' too; expected another name", step.name));
    }
  }

  const YamlNode& root_;
  YamlReader reader_;
  PipelineFile result_;
};

}  // namespace

std::optional<PipelineFile> parse_pipeline(const std::string& file, std::string_view text, MistakeList& mistakes) {
  const YamlTree tree = read_yaml(file, text, mistakes);
  if (!tree.whole) return {};
  YamlReader reader(tree.file, mistakes);
  if (tree.root.kind == YamlNode::Kind::empty) {
    mistakes.add({file, 0, 0}, "is empty; expected a pipeline, which begins with 'atelier: 1'");
    return {};
  }
  if (!reader.is_map(tree.root, "the file")) return {};
  if (tree.root.find("customers") && tree.root.find("pipeline")) {
    mistakes.add(reader.position(tree.root), "this is a batch; expected a pipeline, as the one it names");
    return {};
  }
  return PipelineParser(tree, mistakes).parse();
}

}  // namespace atelier
