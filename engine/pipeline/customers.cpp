#include "pipeline/customers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "pipeline/modules.h"
#include "pipeline/output_paths.h"
#include "pipeline/scalar.h"
#include "pipeline/yaml_reader.h"

namespace atelier {
namespace {

bool suits_file_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// The code point at `at`, whole.
std::string_view character_at(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  return text.substr(at, end - at);
}

}  // namespace

std::string id_mistake(const std::string& id) {
  if (id.empty()) return "the id is empty; expected letters, digits, '-', '_' and '.'";
  const auto wrong = std::ranges::find_if_not(id, suits_file_name);
  if (wrong != id.end())
    return fmt::format("id '{}': '{}' does not suit a file name; expected letters, digits, '-', '_' and '.'", id,
                       character_at(id, static_cast<std::size_t>(wrong - id.begin())));
  if (id.front() == '.' || id.front() == '-')
    return fmt::format("id '{}' begins with '{}'; expected a letter, a digit or '_' there", id, id.front());
  if (id == runs_folder) return fmt::format("id '{}' is the folder where the runs are kept; expected another", id);
  if (id.size() > longest_id)
    return fmt::format("id '{}…' has {} characters; expected at most {}", id.substr(0, 20), id.size(), longest_id);
  return {};
}

const PipelineInput* PipelineNames::find_input(std::string_view name) const {
  const auto found = std::ranges::find(pipeline.inputs, name, &PipelineInput::name);
  return found == pipeline.inputs.end() ? nullptr : &*found;
}
const PipelineParam* PipelineNames::find_param(std::string_view name) const {
  const auto found = std::ranges::find(pipeline.params, name, &PipelineParam::name);
  return found == pipeline.params.end() ? nullptr : &*found;
}
std::vector<std::string> PipelineNames::input_names(Scope scope) const {
  std::vector<std::string> names;
  for (const auto& input : pipeline.inputs)
    if (input.scope == scope) names.push_back(input.name);
  return names;
}
std::vector<std::string> PipelineNames::param_names() const {
  std::vector<std::string> names;
  for (const auto& param : pipeline.params) names.push_back(param.name);
  return names;
}

bool check_given(const PipelineParam& param, Value& value, const SourcePosition& position, const std::string& what,
                 MistakeList& mistakes) {
  if (param.value.absent()) return false;  // told in the pipeline
  if (fits(param.value, value)) {
    value = as_type_of(param.value, value);
    return true;
  }
  mistakes.add(position, fmt::format("{}: expects {}, is {}", what, expectation(param.value), value.show()));
  return false;
}

std::vector<CustomerDeclaration> CustomerReader::read(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::list)
    read_list(node);
  else
    read_place(node);
  return std::move(customers_);
}

bool CustomerReader::check_id(const std::string& id, const SourcePosition& position) {
  const std::string wrong = id_mistake(id);
  if (!wrong.empty()) {
    mistakes_.add(position, wrong);
    return false;
  }
  const auto [first, is_new] = places_.emplace(id, position);
  if (is_new) return true;
  mistakes_.add(position, fmt::format("customer '{}' is there twice; expected each id once, and line {} has it", id,
                                      first->second.line));
  return false;
}

void CustomerReader::add(CustomerDeclaration customer) {
  for (const auto& name : names_.input_names(Scope::customer))
    if (!customer.inputs.contains(name))
      mistakes_.add(customer.position,
                    fmt::format("customer '{}': input '{}' is missing; expected its path", customer.id, name));
  customers_.push_back(std::move(customer));
}

bool CustomerReader::serves_customers(const std::string& param, const std::string& what,
                                      const SourcePosition& position) {
  if (!names_.customers_params || names_.customers_params->contains(param)) return true;
  mistakes_.add(
      position,
      fmt::format("{}: changes nothing for a single customer; expected it under the batch's 'params:'", what));
  return false;
}

void CustomerReader::read_list(const YamlNode& node) {
  for (const auto& entry : node.items) read_entry(entry);
}

void CustomerReader::read_entry(const YamlNode& node) {
  ++given_;
  YamlReader reader(batch_file_, mistakes_);
  if (!reader.is_map(node, "a customer")) return;
  CustomerDeclaration customer;
  customer.position = reader.position(node);
  const YamlNode* id = node.find("id");
  if (!id) {
    if (!node.incomplete) reader.tell(customer.position, "a customer has no id; expected 'id: …'");
    return;
  }
  const auto text = reader.text(*id, "a customer, key 'id'");
  if (!text || !check_id(*text, reader.position(*id))) return;
  customer.id = *text;
  const std::string what = fmt::format("customer '{}'", customer.id);
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    const auto& key = node.keys[i];
    const PipelineInput* input = names_.find_input(key.name);
    if (key.name == "id") continue;
    if (key.name == "params") {
      read_params(customer, node.items[i]);
    } else if (input && input->scope == Scope::customer) {
      const auto path = reader.text(node.items[i], fmt::format("{}, input '{}'", what, key.name));
      customer.inputs[key.name] = {path ? relative_to_file(batch_file_, *path) : "", reader.position(node.items[i])};
    } else if (input) {
      reader.tell(reader.position(key), fmt::format("{}: input '{}' is the same for every customer; expected it under "
                                                    "the batch's 'inputs:'",
                                                    what, key.name));
    } else if (names_.find_param(key.name)) {
      reader.tell(reader.position(key),
                  fmt::format("{}: '{}' is a param; expected it under the customer's 'params:'", what, key.name));
    } else {
      std::vector<std::string> allowed{"id"};
      for (const auto& name : names_.input_names(Scope::customer)) allowed.push_back(name);
      allowed.emplace_back("params");
      reader.tell(reader.position(key), fmt::format("{}: unknown key '{}'; a customer has {}{}", what, key.name,
                                                    listed(allowed), did_you_mean(key.name, allowed)));
    }
  }
  if (!node.incomplete) add(std::move(customer));
}

void CustomerReader::read_params(CustomerDeclaration& customer, const YamlNode& node) {
  YamlReader reader(batch_file_, mistakes_);
  const std::string what = fmt::format("customer '{}'", customer.id);
  if (!reader.is_map(node, what + ", key 'params'")) return;
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    const std::string& name = node.keys[i].name;
    const std::string param_what = fmt::format("{}, param '{}'", what, name);
    const PipelineParam* param = names_.find_param(name);
    if (!param) {
      const auto known = names_.param_names();
      reader.tell(reader.position(node.keys[i]), fmt::format("{}: no param is named '{}'; expected one of {}{}", what,
                                                             name, listed(known), did_you_mean(name, known)));
      continue;
    }
    if (!serves_customers(name, param_what, reader.position(node.keys[i]))) continue;
    auto value = reader.value(node.items[i], param_what);
    const SourcePosition position = reader.position(node.items[i]);
    if (value && check_given(*param, *value, position, param_what, mistakes_))
      customer.params[name] = {std::move(*value), position};
  }
}

}  // namespace atelier
