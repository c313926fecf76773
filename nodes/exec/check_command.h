// exec: what is wrong with a command, told before anything runs.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "exec/argument.h"
#include "graph/node_spec.h"

namespace atelier {

// Sentences about the arguments: braces that are wrong, ports that are not there or to which nothing is connected, no
// output. `list_sizes` has the number of sources connected to each port.
std::vector<std::string> check_command(const NodeSpec& spec, const std::vector<std::string>& command,
                                       const std::map<std::string, std::size_t>& list_sizes);

// Sentences about settings that are no NAME=VALUE.
std::vector<std::string> check_environment(const std::vector<std::string>& environment);

}  // namespace atelier
