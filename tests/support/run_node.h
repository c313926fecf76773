// support: runs one job of a node as the engine would: params with defaults filled in, inputs by port.
#pragma once
#include <map>
#include <string>

#include "graph/node.h"

namespace atelier {

// The job's outputs or its error. Fault: a value does not fit its param; the text says which.
inline Expected<Outputs> run_node(const Node& node, const Inputs& inputs, const std::map<std::string, Value>& given,
                                  Context& context, Device& device) {
  for (const auto& [name, value] : given) {
    const ParamSpec* spec = node.spec().param(name);
    if (!spec) return failure("the node has no param '" + name + "'", ErrorKind::fault);
    if (const auto wrong = mismatch(*spec, value); !wrong.empty())
      return failure("param '" + name + "' " + wrong, ErrorKind::fault);
  }
  const Params params(node.spec(), given);
  Job job{inputs, params, context};
  return node.run({&job, 1}, device).front();
}

}  // namespace atelier
