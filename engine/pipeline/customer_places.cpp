// The customers that do not stand in the batch file itself: a CSV file, or a folder.
#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"
#include "base/real_path.h"
#include "pipeline/csv.h"
#include "pipeline/customers.h"
#include "pipeline/modules.h"
#include "pipeline/scalar.h"
#include "pipeline/yaml_reader.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> place_keys{"csv", "folder"};
constexpr std::string_view id_column = "id";

// What a column of a CSV file holds.
struct Column {
  const PipelineInput* input = nullptr;
  const PipelineParam* param = nullptr;
  bool is_id = false;
};

bool is_folder(Files& files, const fs::path& path) {
  const auto stat = files.stat(path);
  return stat && *stat && (*stat)->type == FileStat::Type::folder;
}

// The columns by their names; those that are told stay empty.
class ColumnReader {
 public:
  ColumnReader(const std::string& file, const PipelineNames& names, MistakeList& mistakes)
      : file_(file), names_(names), mistakes_(mistakes) {}

  std::vector<Column> read(const CsvRow& header) {
    std::vector<Column> columns;
    std::vector<std::string> seen;
    if (header.size() == 1 && header.front().text.find(';') != std::string::npos) {
      tell(header.front(), "the columns are separated by ';'; expected ','");
      return columns;
    }
    for (const auto& cell : header) {
      columns.push_back(seen_before(cell, seen) ? Column{} : column(cell));
      seen.push_back(cell.text);
    }
    if (std::ranges::find(seen, id_column) == seen.end())
      tell(header.front(), fmt::format("no column 'id'; expected one{}", did_you_mean(id_column, seen)));
    return columns;
  }

 private:
  void tell(const CsvCell& cell, std::string message) {
    mistakes_.add({file_, cell.line, cell.column}, std::move(message));
  }

  bool seen_before(const CsvCell& cell, const std::vector<std::string>& seen) {
    if (std::ranges::find(seen, cell.text) == seen.end()) return false;
    tell(cell, fmt::format("column '{}' is there twice; expected each once", cell.text));
    return true;
  }

  Column column(const CsvCell& cell) {
    if (cell.text == id_column) return {nullptr, nullptr, true};
    const PipelineInput* input = names_.find_input(cell.text);
    if (input && input->scope == Scope::customer) return {input, nullptr, false};
    if (input) {
      tell(cell, fmt::format("column '{}': the input is the same for every customer; expected it under the batch's "
                             "'inputs:'",
                             cell.text));
      return {};
    }
    if (const PipelineParam* param = names_.find_param(cell.text)) {
      if (!names_.customers_params || names_.customers_params->contains(cell.text)) return {nullptr, param, false};
      tell(cell, fmt::format("column '{}': changes nothing for a single customer; expected it under the batch's "
                             "'params:'",
                             cell.text));
      return {};
    }
    std::vector<std::string> known{std::string(id_column)};
    for (const auto& name : names_.input_names(Scope::customer)) known.push_back(name);
    for (const auto& name : names_.param_names()) known.push_back(name);
    tell(cell, fmt::format("unknown column '{}'; expected one of {}{}", cell.text, listed(known),
                           did_you_mean(cell.text, known)));
    return {};
  }

  const std::string& file_;
  const PipelineNames& names_;
  MistakeList& mistakes_;
};

}  // namespace

GivenPath CustomerReader::csv_path(const std::string& file, const std::string& named, const SourcePosition& position,
                                   const std::string& what) {
  const fs::path folder = fs::absolute(file).lexically_normal().parent_path();
  GivenPath given{relative_to_file(file, named), position, false, folder.string()};
  if (anywhere_ || lies_in(fs::absolute(given.path), folder)) return given;
  mistakes_.add(position, fmt::format("{}: '{}' leads out of the CSV file's folder; expected a path inside it, or "
                                      "'paths: anywhere' in the batch file",
                                      what, named));
  given.path.clear();  // told
  return given;
}

void CustomerReader::read_csv_file(const std::string& file, const SourcePosition& position) {
  const auto text = read_named_file(files_, file, position, "key 'customers': ", mistakes_);
  if (!text) {
    given_ = 1;  // unknown, and told
    return;
  }
  const auto table = read_csv(file, *text, mistakes_);
  given_ = table ? table->rows.size() : 1;
  if (!table) return;
  if (table->rows.empty() && mistakes_.empty())
    mistakes_.add({file, 0, 0}, "has no customers; expected a line for each below the column names");
  given_ = std::max<std::size_t>(given_, 1);
  const auto columns = ColumnReader(file, names_, mistakes_).read(table->header);
  const auto id = std::ranges::find(columns, true, &Column::is_id);
  if (id == columns.end()) return;
  for (const auto& row : table->rows) {
    const auto place = [&](const CsvCell& cell) { return SourcePosition{file, cell.line, cell.column}; };
    CustomerDeclaration customer;
    const CsvCell& id_cell = row[static_cast<std::size_t>(id - columns.begin())];
    customer.id = id_cell.text;
    customer.position = place(id_cell);
    if (!check_id(customer.id, customer.position)) continue;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i].text.empty()) continue;  // not given
      if (columns[i].input)
        customer.inputs[columns[i].input->name] =
            csv_path(file, row[i].text, place(row[i]),
                     fmt::format("customer '{}', input '{}'", customer.id, columns[i].input->name));
      if (!columns[i].param || columns[i].param->value.absent()) continue;
      const PipelineParam& param = *columns[i].param;
      auto value = value_as(param.value, row[i].text);
      if (value)
        customer.params[param.name] = {std::move(*value), place(row[i])};
      else
        mistakes_.add(place(row[i]),
                      fmt::format("customer '{}', param '{}': {}", customer.id, param.name, value.error()));
    }
    add(std::move(customer));
  }
}

void CustomerReader::read_folder(const std::string& folder, const SourcePosition& position) {
  given_ = 1;  // fewer are told here
  const auto names = files_.list(fs::absolute(folder));
  if (!names) {
    mistakes_.add(position, fmt::format("key 'customers': {}", names.error().message));
    return;
  }
  bool any = false;
  for (const auto& name : *names) {
    const std::string id = name.string();
    if (id.starts_with('.') || !is_folder(files_, fs::absolute(folder) / name)) continue;
    any = true;
    if (check_id(id, position)) read_sub_folder((fs::path(folder) / name).string(), id, position);
  }
  if (!any)
    mistakes_.add(position,
                  fmt::format("key 'customers': '{}' has no sub-folder; expected one for each customer", folder));
}

void CustomerReader::read_sub_folder(const std::string& folder, const std::string& id, const SourcePosition& position) {
  const auto inputs = names_.input_names(Scope::customer);
  const std::string within = fs::absolute(folder).lexically_normal().parent_path().string();
  CustomerDeclaration customer;
  customer.id = id;
  customer.position = position;
  const auto entries = files_.list(fs::absolute(folder));
  if (!entries) {
    mistakes_.add(position, fmt::format("customer '{}': {}", id, entries.error().message));
    return;
  }
  // One of several inputs may be a file: it then has the input's name and whatever ending. The only input is the
  // customer's folder, unless a folder in it has the input's name.
  for (const auto& input : inputs) {
    const auto is_input = [&](const fs::path& entry) {
      if (inputs.size() > 1) return entry == input || entry.stem() == input;
      return entry == input && is_folder(files_, fs::absolute(folder) / entry);
    };
    const auto found = std::ranges::find_if(*entries, is_input);
    if (found != entries->end())
      customer.inputs[input] = {(fs::path(folder) / *found).string(), position, false, within};
  }
  if (inputs.size() == 1 && customer.inputs.empty()) customer.inputs[inputs.front()] = {folder, position, true, within};
  std::vector<std::string> present;
  for (const auto& entry : *entries) present.push_back(entry.string());
  for (const auto& input : inputs) {
    if (customer.inputs.contains(input)) continue;
    mistakes_.add(position,
                  fmt::format("customer '{}': '{}' has nothing named '{}'; expected a sub-folder or a file for "
                              "the input{}",
                              id, folder, input, did_you_mean(input, present)));
  }
  customers_.push_back(std::move(customer));
}

void CustomerReader::read_place(const YamlNode& node) {
  YamlReader reader(batch_file_, mistakes_);
  const YamlNode* named = &node;
  std::string kind;
  given_ = 1;  // where nothing can be read, that is told and not that there are none
  if (node.kind == YamlNode::Kind::map) {
    reader.keys(node, "'customers'", place_keys);
    if (node.items.size() != 1 || std::ranges::find(place_keys, node.keys.front().name) == place_keys.end()) {
      reader.tell(reader.position(node), "key 'customers': expects a list, 'csv: …' or 'folder: …'");
      return;
    }
    kind = node.keys.front().name;
    named = &node.items.front();
  }
  const auto text = reader.text(*named, "key 'customers'");
  if (!text) return;
  const std::string place = relative_to_file(batch_file_, *text);
  const SourcePosition position = reader.position(*named);
  const auto stat = files_.stat(fs::absolute(place));
  if (!stat || !*stat) {
    mistakes_.add(position, stat ? fmt::format("key 'customers': there is no file or folder '{}'{}", place,
                                               near_file(files_, place))
                                 : fmt::format("key 'customers': {}", stat.error().message));
    return;
  }
  const bool leads_to_folder = (*stat)->type == FileStat::Type::folder;
  if (kind == "csv" && leads_to_folder)
    mistakes_.add(position, fmt::format("key 'customers': '{}' is a folder; expected a CSV file", place));
  else if (kind == "folder" && !leads_to_folder)
    mistakes_.add(position, fmt::format("key 'customers': '{}' is a file; expected a folder", place));
  else if (leads_to_folder)
    read_folder(place, position);
  else
    read_csv_file(place, position);
}

}  // namespace atelier
