// exec: the folder of one command: what it reads is written there, what it must write is read from there.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/files.h"
#include "exec/argument.h"
#include "graph/node.h"

namespace atelier {

class CommandFiles {
 public:
  // `folder` is empty and the command's own. `types` has the port types of the node's ports, by name.
  CommandFiles(Files& files, const std::map<std::string, const PortType*>& types, std::filesystem::path folder)
      : files_(files), types_(types), folder_(std::move(folder)) {}

  // Where the command runs: an empty folder, which is its home too.
  Expected<std::filesystem::path> work_folder();

  // The arguments with paths in place of the braces; what they name of the inputs is written.
  Expected<std::vector<std::string>> fill(const std::vector<Argument>& arguments, const Inputs& inputs);

  // What the command wrote where the arguments told it. Errors name what is missing or is not what it should be, as
  // half sentences that follow "the command '…' ".
  Expected<Outputs> read_outputs();

 private:
  Expected<std::vector<std::string>> paths_of(const FilePlace& place, const Inputs& inputs);
  Expected<std::string> written(const std::string& port, std::size_t number, const Artifact& artifact);
  Expected<std::shared_ptr<const FileBytes>> read_output(const FilePlace& place);

  Files& files_;
  const std::map<std::string, const PortType*>& types_;
  std::filesystem::path folder_;
  std::map<std::string, FilePlace> outputs_;  // by port, as the arguments name them
};

}  // namespace atelier
