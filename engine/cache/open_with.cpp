#include "cache/open_with.h"

#include <fmt/format.h>

#include "cache/link_name.h"

namespace atelier {
namespace {

// One word of a shell, whatever is in it.
std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

}  // namespace

std::string h5dump_line(const std::filesystem::path& file) {
  return fmt::format("h5dump --header {}", shell_word(file.native()));
}

std::string h5py_line(const std::filesystem::path& file, const std::string& port, const std::string& tensor) {
  const std::string dataset = fmt::format("/outputs/{}/tensors/{}", to_link_name(port), to_link_name(tensor));
  return fmt::format("python3 -c 'import h5py, sys; print(h5py.File(sys.argv[1])[sys.argv[2]][()])' {} {}",
                     shell_word(file.native()), shell_word(dataset));
}

}  // namespace atelier
