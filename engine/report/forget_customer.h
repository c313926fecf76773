// report: a customer taken out of a run's folder: the lines of its record that tell of them, their tasks' logs, and the
// page, which whoever calls writes again.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/files.h"

namespace atelier {

struct ForgottenText {
  std::string text;
  std::size_t lines = 0;                                       // that went or were changed
  bool was_alone = false;                                      // the run worked for nobody else
  std::vector<std::string> tasks{};                            // theirs alone, by name
  std::vector<std::pair<std::string, std::string>> renamed{};  // tasks of others too that bore their name
};

// The record without the customer. What others need too stays, without the name.
ForgottenText forget_in_record(std::string_view record, const std::string& customer);

struct ForgottenRun {
  std::size_t lines = 0, logs = 0;  // that went or were changed
  bool folder_removed = false;      // the run worked for nobody else
  bool had_page = false;            // it is gone, and to be made again where the folder is not
};

// Errors: a run is writing there; what the system says.
Expected<ForgottenRun> forget_customer(Files& files, const std::filesystem::path& run, const std::string& customer);

}  // namespace atelier
