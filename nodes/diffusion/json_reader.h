// Reads a JSON object key by key: the first mistake is kept, and keys that nobody asked for can be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "diffusion/error.h"

namespace atelier::diffusion {

class JsonReader {
 public:
  /// `json` must outlive the reader; `file` names it in messages.
  JsonReader(const nlohmann::json& json, std::string file);

  /// Whether the key is there and not null.
  bool has(const std::string& key);
  const nlohmann::json* get(const std::string& key);

  /// The value, or `fallback` where the key is absent or null. A wrong type or a size below 1 is noted as the mistake.
  int64_t size(const std::string& key, int64_t fallback);
  int64_t integer(const std::string& key, int64_t fallback);
  double number(const std::string& key, double fallback);
  bool flag(const std::string& key, bool fallback);
  std::string text(const std::string& key, const std::string& fallback);
  std::vector<int64_t> sizes(const std::string& key, const std::vector<int64_t>& fallback);
  std::vector<std::string> texts(const std::string& key, const std::vector<std::string>& fallback);
  /// A list, or one size that holds for all `count` places.
  std::vector<int64_t> sizes_for_each(const std::string& key, int64_t fallback, std::size_t count);

  /// Notes a mistake unless the key is absent, null or equal to one of the values.
  void only(const std::string& key, std::initializer_list<nlohmann::json> values);
  /// Marks keys that change nothing for us.
  void ignore(std::initializer_list<const char*> keys);
  /// Notes a key that was never asked for and asks for something: neither null, false, nor starting with '_'.
  void refuse_unknown();

  /// Keeps the first mistake: "FILE: WHAT".
  void mistake(const std::string& what);
  Result<void> check() const;

 private:
  const nlohmann::json& json_;
  std::string file_;
  std::string mistake_;
  std::set<std::string> asked_;
};

/// The file as JSON. Errors: not readable, not JSON, not an object.
Result<nlohmann::json> read_json_object(const std::filesystem::path& path);

}  // namespace atelier::diffusion
