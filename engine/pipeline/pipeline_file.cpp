#include "pipeline/pipeline_file.h"

#include <algorithm>

namespace atelier {
namespace {

template <class T>
const T* named(const std::vector<T>& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &T::name);
  return found == all.end() ? nullptr : &*found;
}

template <class T>
void add_names(const std::vector<T>& all, std::vector<std::string>& names) {
  for (const auto& one : all) names.push_back(one.name);
}

template <class T>
std::vector<std::string> names_of(const std::vector<T>& all) {
  std::vector<std::string> names;
  add_names(all, names);
  return names;
}

}  // namespace

std::string_view Reference::head() const { return std::string_view(text).substr(0, text.find('.')); }
std::string_view Reference::port() const {
  const std::size_t dot = text.find('.');
  return dot == std::string::npos ? std::string_view() : std::string_view(text).substr(dot + 1);
}

bool StepDeclaration::uses_module() const {
  return use.find('/') != std::string::npos || use.ends_with(".yaml") || use.ends_with(".yml");
}
const PortDeclaration* StepDeclaration::find_port(std::string_view port) const {
  const auto found = std::ranges::find(in, port, &PortDeclaration::port);
  return found == in.end() ? nullptr : &*found;
}
const ParamDeclaration* StepDeclaration::find_param(std::string_view param) const {
  const auto found = std::ranges::find(with, param, &ParamDeclaration::param);
  return found == with.end() ? nullptr : &*found;
}

const PipelineParam* PipelineFile::find_param(std::string_view wanted) const { return named(params, wanted); }
const InputDeclaration* PipelineFile::find_input(std::string_view wanted) const { return named(inputs, wanted); }
const StepDeclaration* PipelineFile::find_step(std::string_view wanted) const { return named(steps, wanted); }
const OutputDeclaration* PipelineFile::find_output(std::string_view wanted) const { return named(outputs, wanted); }

std::vector<std::string> PipelineFile::param_names() const { return names_of(params); }
std::vector<std::string> PipelineFile::input_names() const { return names_of(inputs); }
std::vector<std::string> PipelineFile::output_names() const { return names_of(outputs); }
std::vector<std::string> PipelineFile::source_names() const {
  std::vector<std::string> names = names_of(inputs);
  add_names(steps, names);
  return names;
}

}  // namespace atelier
