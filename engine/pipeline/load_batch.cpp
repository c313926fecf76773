#include <fmt/format.h>

#include "base/nearest.h"
#include "pipeline/build_pipeline.h"
#include "pipeline/check_batch.h"
#include "pipeline/customers.h"
#include "pipeline/load.h"
#include "pipeline/modules.h"
#include "pipeline/scalar.h"
#include "pipeline/yaml_reader.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> batch_keys{"atelier", "pipeline", "name", "inputs", "params", "paths", "customers"};

class BatchLoader {
 public:
  BatchLoader(Files& files, const fs::path& file, const NodeRegistry& registry)
      : files_(files), file_(file.string()), registry_(registry) {
    batch_.file = fs::absolute(file).lexically_normal();
  }

  Checked<Batch> load(const Settings& settings) {
    const auto text = read_named_file(files_, file_, {file_, 0, 0}, "", mistakes_);
    if (text) {
      const YamlTree tree = read_yaml(file_, *text, mistakes_);
      if (tree.whole) read_root(tree.root, settings);
    }
    if (!mistakes_.empty()) return tl::unexpected(mistakes_.sorted());
    return std::move(batch_);
  }

 private:
  void read_root(const YamlNode& root, const Settings& settings) {
    if (root.kind == YamlNode::Kind::empty) {
      mistakes_.add({file_, 0, 0}, "is empty; expected a batch, which begins with 'atelier: 1'");
      return;
    }
    if (!reader_.is_map(root, "the file")) return;
    if (root.find("steps") && !root.find("pipeline")) {
      reader_.tell(reader_.position(root), "this is a pipeline; expected a batch, which names one with 'pipeline: …'");
      return;
    }
    reader_.keys(root, "a batch", batch_keys);
    reader_.format(root, "a batch");
    batch_.name = batch_.file.stem().string();
    if (const YamlNode* name = root.find("name")) batch_.name = reader_.text(*name, "key 'name'").value_or(batch_.name);
    if (!read_pipeline(root)) return;
    const PipelineNames names{batch_.pipeline, pipeline_is_right_ ? &customers_params_ : nullptr};
    read_inputs(root, names);
    read_params(root, names);
    read_settings(settings, names);
    read_paths(root);
    read_customers(root, names);
    if (!pipeline_is_right_) return;
    check_values(batch_, params_, customers_, settings_, mistakes_);
    if (mistakes_.empty()) check_output_paths(batch_, mistakes_);
  }

  const YamlNode* required(const YamlNode& root, std::string_view key) {
    const YamlNode* node = root.find(key);
    if (!node && !root.incomplete)
      reader_.tell(reader_.position(root), fmt::format("'{}' is missing; expected it in a batch", key));
    return node;
  }

  bool read_pipeline(const YamlNode& root) {
    const YamlNode* node = required(root, "pipeline");
    const auto path = node ? reader_.text(*node, "key 'pipeline'") : std::nullopt;
    if (!path) return false;
    const std::size_t count = mistakes_.size();
    auto pipeline =
        build_pipeline(files_, relative_to_file(file_, *path), reader_.position(*node), registry_, mistakes_);
    if (!pipeline) return false;
    pipeline_is_right_ = mistakes_.size() == count;
    batch_.pipeline = std::move(*pipeline);
    customers_params_ = params_of_customers(batch_.pipeline);
    return true;
  }

  // The absolute path, which must lead to something. One whose name is an id ends in '/', as PortType::open_input wants
  // it. What is near a customer's path is mostly another customer's, and not suggested.
  fs::path existing(const GivenPath& given, const std::string& what, Scope scope) {
    if (given.path.empty()) return {};  // told when it was read
    fs::path path = fs::absolute(given.path).lexically_normal();
    if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
    const auto stat = files_.stat(path);
    if (!stat)
      mistakes_.add(given.position, fmt::format("{}: {}", what, stat.error().message));
    else if (!*stat)
      mistakes_.add(given.position, fmt::format("{}: there is no file or folder '{}'{}", what, given.path,
                                                scope == Scope::batch ? near_file(files_, given.path) : ""));
    return given.named_by_id ? path / "" : path;
  }

  void read_inputs(const YamlNode& root, const PipelineNames& names) {
    const YamlNode* node = root.find("inputs");
    if (node && !reader_.is_map(*node, "key 'inputs'")) return;
    for (std::size_t i = 0; node && i < node->keys.size(); ++i) read_input(node->keys[i], node->items[i], names);
    if (root.incomplete || (node && node->incomplete)) return;
    for (const auto& name : names.input_names(Scope::batch))
      if (!node || !node->find(name))
        reader_.tell(reader_.position(node ? *node : root),
                     fmt::format("input '{}' is missing; expected its path under 'inputs:'", name));
  }

  void read_input(const YamlNode::Key& key, const YamlNode& node, const PipelineNames& names) {
    const PipelineInput* input = names.find_input(key.name);
    const std::string what = fmt::format("input '{}'", key.name);
    if (!input) {
      const auto known = names.input_names(Scope::batch);
      reader_.tell(reader_.position(key),
                   fmt::format("no input of the batch is named '{}'; expected {}{}", key.name,
                               known.empty() ? "none" : "one of " + listed(known), did_you_mean(key.name, known)));
    } else if (input->scope == Scope::customer) {
      reader_.tell(reader_.position(key),
                   fmt::format("{}: every customer has one; expected it with each customer", what));
    } else if (const auto path = reader_.text(node, what)) {
      batch_.inputs[key.name] = existing({relative_to_file(file_, *path), reader_.position(node)}, what, Scope::batch);
    }
  }

  void read_params(const YamlNode& root, const PipelineNames& names) {
    const YamlNode* node = root.find("params");
    if (!node || !reader_.is_map(*node, "key 'params'")) return;
    for (std::size_t i = 0; i < node->keys.size(); ++i) {
      const std::string& name = node->keys[i].name;
      const PipelineParam* param = names.find_param(name);
      if (!param) {
        reader_.tell(reader_.position(node->keys[i]), unknown_param(name, names));
        continue;
      }
      const std::string what = fmt::format("param '{}'", name);
      auto value = reader_.value(node->items[i], what);
      const SourcePosition position = reader_.position(node->items[i]);
      if (!value || !check_given(*param, *value, position, what, mistakes_)) continue;
      batch_.params[name] = *value;
      params_[name] = {std::move(*value), position};
    }
  }

  static std::string unknown_param(const std::string& name, const PipelineNames& names) {
    const auto known = names.param_names();
    return fmt::format("no param is named '{}'; the pipeline has {}{}", name, known.empty() ? "none" : listed(known),
                       did_you_mean(name, known));
  }

  void read_settings(const Settings& settings, const PipelineNames& names) {
    for (const auto& [name, written] : settings) {
      const SourcePosition position{fmt::format("--set {}={}", name, written), 0, 0};
      const PipelineParam* param = names.find_param(name);
      if (!param) {
        mistakes_.add(position, unknown_param(name, names));
        continue;
      }
      if (param->value.absent()) continue;  // told in the pipeline
      auto value = value_as(param->value, written);
      if (!value) {
        mistakes_.add(position, fmt::format("expects {}", expectation(param->value)));
        continue;
      }
      batch_.set[name] = *value;
      settings_[name] = {std::move(*value), position};
    }
  }

  void read_paths(const YamlNode& root) {
    const YamlNode* node = root.find("paths");
    const auto written = node ? reader_.text(*node, "key 'paths'") : std::nullopt;
    if (!written) return;
    batch_.paths_anywhere = *written == "anywhere";
    if (!batch_.paths_anywhere && *written != "inside")
      reader_.tell(reader_.position(*node), fmt::format("key 'paths': expects inside or anywhere, is '{}'", *written));
  }

  void read_customers(const YamlNode& root, const PipelineNames& names) {
    const YamlNode* node = required(root, "customers");
    if (!node || node->kind == YamlNode::Kind::refused) return;
    CustomerReader customers(files_, names, file_, batch_.paths_anywhere, mistakes_);
    const bool is_empty = node->kind == YamlNode::Kind::empty;
    if (!is_empty) customers_ = customers.read(*node);
    if (is_empty || customers.given() == 0)
      reader_.tell(reader_.position(*node), "key 'customers': there are none; expected at least one");
    for (const auto& declared : customers_) {
      Customer customer;
      customer.id = declared.id;
      customer.position = declared.position;
      for (const auto& [name, given] : declared.inputs) {
        customer.inputs[name] =
            existing(given, fmt::format("customer '{}', input '{}'", declared.id, name), Scope::customer);
        if (!given.within.empty()) customer.within[name] = given.within;
      }
      for (const auto& [name, given] : declared.params) customer.params[name] = given.value;
      batch_.customers.push_back(std::move(customer));
    }
  }

  Files& files_;
  std::string file_;
  const NodeRegistry& registry_;
  MistakeList mistakes_;
  YamlReader reader_{file_, mistakes_};
  Batch batch_;
  bool pipeline_is_right_ = false;
  std::set<std::string> customers_params_;
  GivenValues params_, settings_;
  std::vector<CustomerDeclaration> customers_;
};

}  // namespace

Checked<Batch> load_batch(Files& files, const std::filesystem::path& file, const NodeRegistry& registry,
                          const Settings& settings) {
  return BatchLoader(files, file, registry).load(settings);
}

}  // namespace atelier
