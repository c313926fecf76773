#include "diffusion/json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace atelier::diffusion {
namespace {

bool is_size(const nlohmann::json& value) { return value.is_number_integer() && value.get<int64_t>() >= 1; }

}  // namespace

JsonReader::JsonReader(const nlohmann::json& json, std::string file) : json_(json), file_(std::move(file)) {
  if (!json_.is_object()) mistake("expected a JSON object");
}

const nlohmann::json* JsonReader::get(const std::string& key) {
  asked_.insert(key);
  if (!json_.is_object()) return nullptr;
  const auto found = json_.find(key);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

bool JsonReader::has(const std::string& key) { return get(key) != nullptr; }

int64_t JsonReader::size(const std::string& key, int64_t fallback) {
  const auto* value = get(key);
  if (value == nullptr) return fallback;
  if (is_size(*value)) return value->get<int64_t>();
  mistake(fmt::format("'{}' is {}, expected a size of at least 1", key, value->dump()));
  return fallback;
}

int64_t JsonReader::integer(const std::string& key, int64_t fallback) {
  const auto* value = get(key);
  if (value == nullptr) return fallback;
  if (value->is_number_integer()) return value->get<int64_t>();
  mistake(fmt::format("'{}' is {}, expected an integer", key, value->dump()));
  return fallback;
}

double JsonReader::number(const std::string& key, double fallback) {
  const auto* value = get(key);
  if (value == nullptr) return fallback;
  if (value->is_number()) return value->get<double>();
  mistake(fmt::format("'{}' is {}, expected a number", key, value->dump()));
  return fallback;
}

bool JsonReader::flag(const std::string& key, bool fallback) {
  const auto* value = get(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  mistake(fmt::format("'{}' is {}, expected true or false", key, value->dump()));
  return fallback;
}

std::string JsonReader::text(const std::string& key, const std::string& fallback) {
  const auto* value = get(key);
  if (value == nullptr) return fallback;
  if (value->is_string()) return value->get<std::string>();
  mistake(fmt::format("'{}' is {}, expected a text", key, value->dump()));
  return fallback;
}

std::vector<int64_t> JsonReader::sizes(const std::string& key, const std::vector<int64_t>& fallback) {
  const auto* value = get(key);
  if (value == nullptr) return fallback;
  if (value->is_array() && !value->empty() && std::ranges::all_of(*value, is_size)) {
    return value->get<std::vector<int64_t>>();
  }
  mistake(fmt::format("'{}' is {}, expected a list of sizes", key, value->dump()));
  return fallback;
}

std::vector<std::string> JsonReader::texts(const std::string& key, const std::vector<std::string>& fallback) {
  const auto* value = get(key);
  if (value == nullptr) return fallback;
  if (value->is_array() && std::ranges::all_of(*value, [](const auto& item) { return item.is_string(); })) {
    return value->get<std::vector<std::string>>();
  }
  mistake(fmt::format("'{}' is {}, expected a list of texts", key, value->dump()));
  return fallback;
}

std::vector<int64_t> JsonReader::sizes_for_each(const std::string& key, int64_t fallback, std::size_t count) {
  const auto* value = get(key);
  if (value == nullptr || !value->is_array()) return std::vector<int64_t>(count, size(key, fallback));
  auto list = sizes(key, std::vector<int64_t>(count, fallback));
  if (list.size() != count) {
    mistake(fmt::format("'{}' has {} values, expected one for each of the {} blocks", key, list.size(), count));
    list.resize(count, fallback);
  }
  return list;
}

void JsonReader::only(const std::string& key, std::initializer_list<nlohmann::json> values) {
  const auto* value = get(key);
  if (value == nullptr || std::ranges::find(values, *value) != values.end()) return;
  std::vector<std::string> texts;
  for (const auto& item : values) texts.push_back(item.dump());
  mistake(fmt::format("'{}' is {}, which is not supported{}", key, value->dump(),
                      texts.empty() ? "" : fmt::format("; supported: {}", fmt::join(texts, ", "))));
}

void JsonReader::ignore(std::initializer_list<const char*> keys) { asked_.insert(keys.begin(), keys.end()); }

void JsonReader::refuse_unknown() {
  if (!json_.is_object()) return;
  for (const auto& [key, value] : json_.items()) {
    const bool asks_for_nothing = value.is_null() || value == false || key.starts_with('_');
    if (!asks_for_nothing && !asked_.contains(key)) {
      mistake(fmt::format("'{}' is {}, an option that is not supported", key, value.dump()));
    }
  }
}

void JsonReader::mistake(const std::string& what) {
  if (mistake_.empty()) mistake_ = fmt::format("{}: {}", file_, what);
}

Result<void> JsonReader::check() const {
  if (!mistake_.empty()) return fail(mistake_);
  return {};
}

Result<nlohmann::json> read_json_object(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(fmt::format("{}: cannot be opened", path.string()));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return fail(fmt::format("{}: is not a JSON object", path.string()));
  }
  return json;
}

}  // namespace atelier::diffusion
