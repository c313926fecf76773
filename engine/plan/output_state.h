// plan: whether an output on disk is what it should be.
#pragma once
#include <filesystem>
#include <optional>
#include <string_view>

#include "artifact/port_type.h"
#include "artifact/store.h"
#include "base/files.h"

namespace atelier {

enum class OutputState {
  fresh,           // never written to this path
  up_to_date,      // what stands there was written from this source
  missing,         // it was written, and nothing stands there
  altered,         // it was written, and something else stands there now
  source_changed,  // what was written last came from another artifact
};
std::string_view name_of(OutputState state) noexcept;  // "new", "up to date", "missing", "altered", "source changed"

// Where an output stands, as Ledger::last_output and remember_output name it: absolute, without a '/' at its end.
std::filesystem::path output_location(const std::filesystem::path& out, std::string_view output_path);

// The state of the output at `location` whose artifact has the digest `source`, by what the ledger remembers and
// tree_digest() finds. Where the source is not known yet: `up_to_date` means that what was written last still stands.
// What cannot be read counts as altered.
OutputState output_state(Files& files, const Ledger& ledger, const std::filesystem::path& location,
                         const std::optional<Digest>& source, const FileDigest& digest);

}  // namespace atelier
