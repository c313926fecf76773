#include "plan/output_state.h"

#include "plan/tree_digest.h"

namespace atelier {

std::string_view name_of(OutputState state) noexcept {
  switch (state) {
    case OutputState::fresh:
      return "new";
    case OutputState::up_to_date:
      return "up to date";
    case OutputState::missing:
      return "missing";
    case OutputState::altered:
      return "altered";
    case OutputState::source_changed:
      return "source changed";
  }
  return "";
}

std::filesystem::path output_location(const std::filesystem::path& out, std::string_view output_path) {
  const auto location = (out / output_path).lexically_normal();
  return location.has_filename() ? location : location.parent_path();
}

OutputState output_state(Files& files, const Ledger& ledger, const std::filesystem::path& location,
                         const std::optional<Digest>& source, const FileDigest& digest) {
  const auto memory = ledger.last_output(location);
  if (!memory) return OutputState::fresh;
  if (source && memory->source != *source) return OutputState::source_changed;
  const auto tree = tree_digest(files, location, digest);
  if (!tree) return OutputState::altered;
  if (!*tree) return OutputState::missing;
  return **tree == memory->tree ? OutputState::up_to_date : OutputState::altered;
}

}  // namespace atelier
