// artifact: a port type says what may travel along an edge, how an input of that type is read from disk, and how an
// output of it is written; the engine itself knows no format.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.h"
#include "base/error.h"

namespace atelier {

// Digest of a file's bytes; the engine's remembers files that have not changed.
using FileDigest = std::function<Expected<Digest>(const std::filesystem::path&)>;

class PortType {
 public:
  virtual ~PortType() = default;
  virtual std::string_view name() const = 0;

  // Whether a pipeline input may be of this type.
  virtual bool is_input() const { return false; }
  // The files at `path` (a folder or a file) that count, as an artifact of FileRefs; its digest_of is the input's
  // digest. Errors say what is missing at `path` and what was expected there. A path that ends in '/' is a folder whose
  // name means nothing: a customer's, which has the customer's id.
  virtual Expected<Artifact> open_input(const std::filesystem::path& path, const FileDigest& digest) const;

  // Empty where the artifact is a well-formed one of this type; otherwise what is wrong with it.
  virtual std::string validate(const Artifact&) const { return {}; }

  // Whether an output's path must end in '/' (a folder) or must not (a file). The text is the sentence for the user.
  virtual bool writes_folder() const { return true; }
  virtual std::string check_output_path(std::string_view path) const;  // empty: fine
  // Writes the artifact to `path`, a new temporary file or folder whose parent exists (the caller renames it). `title`
  // is the output's path, for metadata. Deterministic to the bit.
  virtual Expected<void> write(const Artifact& artifact, const std::filesystem::path& path,
                               std::string_view title) const = 0;
};

using PortTypes = std::map<std::string, std::shared_ptr<const PortType>, std::less<>>;

}  // namespace atelier
