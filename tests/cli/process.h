// Runs the built `atelier` as a user would.
#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/temporary_folder.h"

namespace atelier::test {

struct Finished {
  int exit_code = -1;  // -signal where a signal ended it
  std::string out, err;
};

// A started process; killed and reaped by the destructor if it still runs.
class Process {
 public:
  // `most_file_bytes`: no file that it writes may be longer, as on a disk that fills up.
  explicit Process(std::vector<std::string> arguments, const std::filesystem::path& folder = {},
                   std::optional<std::uint64_t> most_file_bytes = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int id() const { return pid_; }
  void signal(int number) const;
  bool running();
  Finished wait();

 private:
  int pid_ = -1;
  int status_ = 0;
  bool reaped_ = false;
  std::filesystem::path out_, err_;
};

std::filesystem::path atelier_program();
Finished atelier(std::vector<std::string> arguments, const std::filesystem::path& folder = {});

// Every file under `folder`, relative name -> SHA-256 in hex, but for those under the folder `runs`.
std::map<std::string, std::string> outputs_of(const std::filesystem::path& folder);
std::string read_file(const std::filesystem::path& file);

}  // namespace atelier::test
