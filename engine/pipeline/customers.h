// pipeline: tonight's customers, from wherever a batch names them: a list in the batch file, a CSV file, or a folder
// with a sub-folder for each.
#pragma once
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/files.h"
#include "pipeline/mistake_list.h"
#include "pipeline/pipeline.h"
#include "pipeline/yaml_tree.h"

namespace atelier {

// A value or path that somebody gave, and where.
struct GivenValue {
  Value value;
  SourcePosition position;
};
struct GivenPath {
  std::string path;  // as messages name it: relative to where the user is
  SourcePosition position;
  bool named_by_id = false;  // a folder whose name is a customer's id and says nothing of what is in it
  std::string within = {};   // the folder in which it was found, or of the CSV file; empty: the batch file names it
};
using GivenValues = std::map<std::string, GivenValue, std::less<>>;
using GivenPaths = std::map<std::string, GivenPath, std::less<>>;

struct CustomerDeclaration {
  std::string id;
  SourcePosition position;
  GivenPaths inputs;
  GivenValues params;
};

// The longest id: it begins file names, which end at 255 bytes.
inline constexpr std::size_t longest_id = 100;

// Why an id cannot be one; empty: it can.
std::string id_mistake(const std::string& id);

// What of a pipeline a batch is read against.
struct PipelineNames {
  const Pipeline& pipeline;
  // The params that change something for a single customer; null: not known, for the pipeline has mistakes.
  const std::set<std::string>* customers_params = nullptr;

  const PipelineInput* find_input(std::string_view name) const;
  const PipelineParam* find_param(std::string_view name) const;
  std::vector<std::string> input_names(Scope scope) const;
  std::vector<std::string> param_names() const;
};

class CustomerReader {
 public:
  // `anywhere`: whether the paths of a CSV file may leave its folder.
  CustomerReader(Files& files, const PipelineNames& names, const std::string& batch_file, bool anywhere,
                 MistakeList& mistakes)
      : files_(files), names_(names), batch_file_(batch_file), anywhere_(anywhere), mistakes_(mistakes) {}

  // The customers that the value of `customers:` names; `given` counts those with mistakes too.
  std::vector<CustomerDeclaration> read(const YamlNode& node);
  std::size_t given() const { return given_; }

 private:
  void read_list(const YamlNode& node);
  void read_entry(const YamlNode& node);
  void read_params(CustomerDeclaration& customer, const YamlNode& node);
  void read_place(const YamlNode& node);
  GivenPath csv_path(const std::string& file, const std::string& named, const SourcePosition& position,
                     const std::string& what);
  void read_csv_file(const std::string& file, const SourcePosition& position);
  void read_folder(const std::string& folder, const SourcePosition& position);
  void read_sub_folder(const std::string& folder, const std::string& id, const SourcePosition& position);
  void add(CustomerDeclaration customer);
  bool check_id(const std::string& id, const SourcePosition& position);
  bool serves_customers(const std::string& param, const std::string& what, const SourcePosition& position);

  Files& files_;
  const PipelineNames& names_;
  const std::string& batch_file_;
  bool anywhere_;
  MistakeList& mistakes_;
  std::vector<CustomerDeclaration> customers_;
  std::map<std::string, SourcePosition> places_;  // of each id
  std::size_t given_ = 0;
};

// Tells, where `value` does not suit the param's default, and otherwise gives it the param's type.
bool check_given(const PipelineParam& param, Value& value, const SourcePosition& position, const std::string& what,
                 MistakeList& mistakes);

}  // namespace atelier
