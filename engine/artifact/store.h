// artifact: where finished work is kept. Store and Ledger are the interfaces; engine/cache implements them.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "artifact/artifact.h"
#include "base/error.h"

namespace atelier {

using Outputs = std::map<std::string, Artifact>;  // by port

struct OutputRecord {
  Digest digest;
  std::uint64_t size_bytes = 0;
  bool operator==(const OutputRecord&) const = default;
};

// What the ledger knows of a finished key. Outlives its content.
struct Record {
  Digest key;
  std::string node;
  std::int64_t node_version = 1;
  std::map<std::string, OutputRecord> outputs;           // by port
  std::vector<std::string> warnings;                     // told again when the record is reused
  nlohmann::json provenance = nlohmann::json::object();  // device, threads, times; enters no digest
  double cost_s = 0;
};

// The content of one key: its artifacts, one HDF5 file. Thread-safe.
class Store {
 public:
  virtual ~Store() = default;
  // Whether content is there, by name only; it is verified when it is read.
  virtual bool has(const Digest& key) const = 0;
  // The artifacts of a key; empty where there are none or where what was there did not verify (it is then in quarantine
  // and `told` was called with the sentence). Tensors may refer to mapped content without copying.
  virtual std::optional<Outputs> get(const Digest& key) = 0;
  // Durable when it returns.
  virtual Expected<void> put(const Digest& key, const Outputs& outputs, const nlohmann::json& provenance) = 0;
  virtual void drop(const Digest& key) = 0;

  // A training's checkpoint belongs to its key, replaces the one before and is dropped with `drop_checkpoint`.
  virtual std::optional<Artifact> checkpoint(const Digest& key) = 0;
  virtual std::optional<nlohmann::json> checkpoint_metadata(const Digest& key) = 0;  // without its tensors
  virtual Expected<void> put_checkpoint(const Digest& key, const Artifact& state) = 0;
  virtual void drop_checkpoint(const Digest& key) = 0;

  // Holds one computation per key across processes. Null where another process holds it.
  class Claim {
   public:
    virtual ~Claim() = default;
  };
  virtual Expected<std::unique_ptr<Claim>> try_claim(const Digest& key) = 0;
};

// What a step did for a customer in the latest run, to say why it runs again.
struct StepMemory {
  Digest key;  // key, or recipe where no key was known
  std::int64_t node_version = 1;
  nlohmann::json params;                      // in_key params with defaults filled in
  std::map<std::string, std::string> inputs;  // "port" or "port[1]" -> digest, hex
};

// An output that was written: what from, and what stands on disk.
struct OutputMemory {
  Digest source;  // digest of the artifact
  Digest tree;    // digest of the file or folder as written
};

class Ledger {
 public:
  virtual ~Ledger() = default;
  virtual std::optional<Record> find(
      const Digest& key) const = 0;  // from memory; sees other processes' after refresh()
  virtual void refresh() = 0;
  // Durable when it returns. `owner` is a customer and batch, or empty for what the whole batch shares.
  virtual Expected<void> commit(const Record& record, const std::vector<std::string>& owners) = 0;
  virtual Expected<void> add_owners(const Digest& key, const std::vector<std::string>& owners) = 0;

  // Remembered digests of files, by (path, size, mtime, inode).
  virtual std::optional<Digest> file_digest(const std::filesystem::path&, std::uint64_t size, std::int64_t modified_ns,
                                            std::uint64_t inode) const = 0;
  virtual void remember_file(const std::filesystem::path&, std::uint64_t size, std::int64_t modified_ns,
                             std::uint64_t inode, const Digest&) = 0;

  // `batch` is the batch file's digest of place (its absolute path), `customer` empty for shared steps.
  virtual std::optional<StepMemory> last_step(const std::string& batch, const std::string& customer,
                                              const std::string& step) const = 0;
  virtual Expected<void> remember_steps(
      const std::string& batch,
      const std::vector<std::tuple<std::string, std::string, StepMemory>>& steps) = 0;  // (customer, step, memory)

  virtual std::optional<OutputMemory> last_output(const std::filesystem::path& absolute) const = 0;
  virtual Expected<void> remember_output(const std::filesystem::path& absolute, const OutputMemory&) = 0;
};

}  // namespace atelier
