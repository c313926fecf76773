// cli: an output that appears under its name whole or not at all: it is written beside its place under a temporary
// name, and what is left under that when something went wrong is removed.
#pragma once
#include <filesystem>
#include <span>
#include <string>

#include "base/files.h"

namespace atelier::cli {

class WholeOutput {
 public:
  // `target` as the user gave it, perhaps with a slash behind a folder's name. Nothing is made yet.
  WholeOutput(Files& files, std::filesystem::path target);
  ~WholeOutput();
  WholeOutput(const WholeOutput&) = delete;
  WholeOutput& operator=(const WholeOutput&) = delete;

  // Where a target will stand: absolute, without a slash at its end.
  static std::filesystem::path place_of(const std::filesystem::path& target);
  const std::filesystem::path& place() const { return place_; }
  // Where to write it: a file or a folder.
  const std::filesystem::path& partial() const { return partial_; }

  // Gives what was written its name, in place of a file or an empty folder that has it. Errors: the disk's.
  Expected<void> put_in_place();

  // The message of an error with the output's name where it has the temporary one, of which no user has heard.
  std::string told(std::string message) const;

 private:
  Files& files_;
  std::filesystem::path target_, place_, partial_;
};

// Whether something stands at `path` that must not be replaced: all but an empty folder.
bool is_taken(const std::filesystem::path& path);

// Whether `path`, where something stands, is one of the inputs, through links too, or lies in one that is a folder.
bool is_of_inputs(const std::filesystem::path& path, std::span<const std::filesystem::path> inputs);

}  // namespace atelier::cli
