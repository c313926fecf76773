// artifact: what travels along an edge: named tensors, JSON metadata and, for what comes from outside, references to
// files.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "artifact/tensor.h"
#include "base/digest.h"

namespace atelier {

// A file that an artifact refers to: `name` and `digest` are what it is, `path` is only where it lies on this machine
// and enters no digest.
struct FileRef {
  std::string name;
  Digest digest;
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
};

// A value: copies share the tensors' bytes. Carries no time, host or customer.
struct Artifact {
  std::map<std::string, Tensor> tensors;
  nlohmann::json metadata = nlohmann::json::object();
  // Inputs, and what is derived from them by reference (a fused model, a trained one). Their bytes are never stored, only
  // names and digests.
  std::vector<FileRef> files;

  std::uint64_t size_bytes() const;  // of the tensors
};

// SHA-256 over metadata (canonical: keys sorted), tensors (name, dtype, shape, bytes) and files (name, digest).
Digest digest_of(const Artifact& artifact);

}  // namespace atelier
