// plan: whether an output on disk is what it should be.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "artifact/port_type.h"
#include "artifact/store.h"
#include "base/files.h"

namespace atelier {

// Digest of a file or folder as it stands on disk: of a folder, over the sorted relative names of its files and their
// digests. Empty where nothing is there. `digest` gives the files' digests (remembered ones, as a rule).
Expected<std::optional<Digest>> tree_digest(Files& files, const std::filesystem::path& path, const FileDigest& digest);

enum class OutputState {
  fresh,           // never written to this path
  up_to_date,      // what stands there was written from this source
  missing,         // it was written, and nothing stands there
  altered,         // it was written, and something else stands there now
  source_changed,  // what was written last came from another artifact
};
std::string name_of(OutputState state);  // "new", "up to date", "missing", "altered", "source changed"

// The state of the output at `absolute` (a '/' at its end does not matter) whose artifact has the digest `source`;
// without a source, which is not known yet, every state but up_to_date and source_changed is told as it is seen.
// What cannot be read counts as altered.
OutputState output_state(Files& files, const Ledger& ledger, const std::filesystem::path& absolute,
                         const std::optional<Digest>& source, const FileDigest& digest);

}  // namespace atelier
