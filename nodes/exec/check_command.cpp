#include "exec/check_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/nearest.h"
#include "exec/command_ports.h"

namespace atelier {
namespace {

std::vector<std::string> names_of(const std::vector<PortSpec>& ports) {
  std::vector<std::string> names;
  for (const auto& port : ports) names.push_back(port.name);
  return names;
}

class CommandCheck {
 public:
  CommandCheck(const NodeSpec& spec, const std::map<std::string, std::size_t>& list_sizes)
      : spec_(spec), list_sizes_(list_sizes) {}

  std::vector<std::string> check(const std::vector<std::string>& command) {
    if (command.empty() || command.front().empty()) tell("names no program; expected one, and its arguments");
    for (const auto& text : command) {
      const auto argument = parse_argument(text);
      if (!argument) {
        tell(argument.error().message);
        continue;
      }
      for (const auto& piece : *argument)
        if (piece.place) check(*piece.place, argument->size() > 1);
    }
    if (sentences_.empty() && !endings_.contains(kFileOutput))
      tell("makes no file; expected {out:file} where the command is told what to write");
    return std::move(sentences_);
  }

 private:
  void tell(std::string_view sentence) { sentences_.push_back(fmt::format("param 'command': {}", sentence)); }

  void check(const FilePlace& place, bool within_text) {
    const bool is_input = place.kind == FilePlace::Kind::input;
    if (is_input ? spec_.input(place.port) != nullptr : spec_.output(place.port) != nullptr) {
      if (is_input)
        check_input(place, within_text);
      else
        check_output(place);
      return;
    }
    const auto names = names_of(is_input ? spec_.inputs : spec_.outputs);
    tell(fmt::format("'{}' names no {}; expected one of {}{}", place.written, is_input ? "input" : "output",
                     fmt::join(names, ", "), did_you_mean(place.port, names)));
  }

  void check_input(const FilePlace& place, bool within_text) {
    const auto found = list_sizes_.find(place.port);
    const std::size_t size = found == list_sizes_.end() ? 0 : found->second;
    if (size == 0)
      tell(fmt::format("nothing is connected to the port '{}', which '{}' names", place.port, place.written));
    else if (place.number > size)
      tell(fmt::format("'{}' is more than the port has: {} connected", place.written, size));
    else if (place.number == 0 && size > 1 && within_text)
      tell(fmt::format(
          "'{}' stands for {} files, which need an argument of their own; expected {{in:{}:1}} for the first",
          place.written, size, place.port));
  }

  void check_output(const FilePlace& place) {
    const auto [known, is_new] = endings_.emplace(place.port, place);
    if (!is_new && known->second.ending != place.ending)
      tell(fmt::format("'{}' and '{}' name one file; expected one ending", known->second.written, place.written));
  }

  const NodeSpec& spec_;
  const std::map<std::string, std::size_t>& list_sizes_;
  std::map<std::string, FilePlace, std::less<>> endings_;  // of the outputs, as they were named first
  std::vector<std::string> sentences_;
};

}  // namespace

std::vector<std::string> check_command(const NodeSpec& spec, const std::vector<std::string>& command,
                                       const std::map<std::string, std::size_t>& list_sizes) {
  return CommandCheck(spec, list_sizes).check(command);
}

std::vector<std::string> check_environment(const std::vector<std::string>& environment) {
  std::vector<std::string> sentences;
  for (const auto& setting : environment)
    if (const auto equals = setting.find('='); equals == std::string::npos || equals == 0)
      sentences.push_back(fmt::format("param 'environment': '{}' sets nothing; expected NAME=VALUE", setting));
  return sentences;
}

}  // namespace atelier
