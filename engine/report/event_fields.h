// report: one line of a record as the event it tells. The other half of to_json() in run/events.h.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "run/events.h"

namespace atelier {

// The fields of a line. One that is absent or of another type gives the empty value.
class EventFields {
 public:
  explicit EventFields(const nlohmann::json& line) : line_(line) {}

  std::string text(const char* name) const;
  double number(const char* name) const;
  std::int64_t whole(const char* name) const { return static_cast<std::int64_t>(number(name)); }
  std::size_t count(const char* name) const;
  bool flag(const char* name) const;
  std::optional<Digest> digest(const char* name) const;
  std::vector<std::string> texts(const char* name) const;
  std::vector<std::uint32_t> ids(const char* name) const;
  std::map<std::string, std::string> text_by_name(const char* name) const;
  std::map<std::string, OutputRecord> outputs(const char* name) const;
  TaskRef task() const;

 private:
  const nlohmann::json* find(const char* name) const;
  const nlohmann::json& line_;
};

// Empty for an event that this version does not know.
std::optional<Event> event_of(const nlohmann::json& line);

}  // namespace atelier
