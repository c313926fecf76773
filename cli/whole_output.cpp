#include "cli/whole_output.h"

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

bool is_empty_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_empty(path, error) && !error;
}

}  // namespace

fs::path WholeOutput::place_of(const fs::path& target) {
  const fs::path place = fs::absolute(target).lexically_normal();
  return place.has_filename() ? place : place.parent_path();
}

WholeOutput::WholeOutput(Files& files, fs::path target)
    : files_(files), target_(std::move(target)), place_(place_of(target_)), partial_(place_) {
  partial_ += fmt::format(".partial-{}", getpid());
}

WholeOutput::~WholeOutput() { (void)files_.remove_all(partial_); }

Expected<void> WholeOutput::put_in_place() {
  std::error_code ignored;  // the rename says it
  if (!fs::is_directory(partial_, ignored) && is_empty_folder(place_)) fs::remove(place_, ignored);
  if (auto renamed = files_.rename(partial_, place_); !renamed) return renamed;
  return files_.sync_folder(place_.parent_path());
}

std::string WholeOutput::told(std::string message) const {
  const std::string temporary = partial_.string(), name = target_.string();
  for (auto at = message.find(temporary); at != std::string::npos; at = message.find(temporary, at + name.size()))
    message.replace(at, temporary.size(), name);
  return message;
}

bool is_taken(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) && !is_empty_folder(path);
}

bool is_of_inputs(const fs::path& path, std::span<const fs::path> inputs) {
  std::error_code error;
  for (fs::path at = fs::canonical(path, error); !error && at != at.root_path(); at = at.parent_path())
    if (std::ranges::any_of(inputs, [&](const fs::path& input) {
          std::error_code absent;
          return fs::equivalent(at, input, absent);
        }))
      return true;
  return false;
}

}  // namespace atelier::cli
