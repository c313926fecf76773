// pipeline: where outputs may be written: below the output folder, each at a place of its own.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace atelier {

// The folder of the runs, beside the outputs: no output and no customer may have the name.
inline constexpr std::string_view runs_folder = "runs";

// Why the path of an output cannot be taken: it is empty, absolute, leaves the folder, or lies in `runs`; empty: it
// can.
std::string path_mistake(std::string_view path);

// Takes paths one by one and finds those that would overwrite each other.
class PathClaims {
 public:
  struct Clash {
    std::size_t owner = 0;  // who claimed the other path
    std::string path;       // the other path
    bool same = true;       // false: one of the two lies within the other
  };
  // The first clash with what was claimed before; the path is claimed all the same.
  std::optional<Clash> claim(std::string_view path, std::size_t owner);

 private:
  struct Claim {
    std::size_t owner = 0;
    std::string path;
  };
  std::unordered_map<std::string, Claim> paths_;    // without a '/' at the end
  std::unordered_map<std::string, Claim> folders_;  // every folder that a claimed path lies in
};

// "has the path of …; expected one of its own" for a clash with what `other` says.
std::string clash_sentence(const PathClaims::Clash& clash, std::string_view other);

}  // namespace atelier
