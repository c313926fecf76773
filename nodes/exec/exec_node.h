// exec: the step `exec`, a command of the user's with files in and out. Off until the command line allows it: who runs
// a stranger's pipeline would else run a stranger's programs.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "base/files.h"
#include "base/process.h"
#include "graph/node.h"

namespace atelier {

// What commands are run with.
struct Commands {
  Processes& processes;
  bool allowed = false;                       // by the command line, before any pipeline is read
  std::string search_path = "/usr/bin:/bin";  // where programs are looked up; the commands' PATH
  std::chrono::milliseconds grace{5'000};     // between SIGTERM and SIGKILL
};

// `types` has the port types; inputs of a type that it lacks are no ports. `commands` may be null: none are allowed.
// All outlive the node.
std::unique_ptr<const Node> make_exec(Files& files, const NodeRegistry& types, const Commands* commands);

}  // namespace atelier
