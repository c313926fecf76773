// cache: Hdf5Store, the Store on disk.
//
//   content/<aa>/<key>.h5    the outputs of a key; <aa> are its first two digits
//   checkpoints/<key>.h5     the latest checkpoint of a training that is not done
//   quarantine/              what did not verify, for a person to look at
//   locks/<key>              held while the key is computed; freed by death
//
// A file appears by rename after its bytes are on disk, and counts only while its seal is right.
#pragma once
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "artifact/store.h"
#include "base/files.h"
#include "cache/content_seal.h"

namespace atelier {

using Told = std::function<void(const std::string& sentence)>;  // called from any thread

class Hdf5Store final : public Store {
 public:
  // Opens the store in `folder`, making what is missing there, and removes what dead processes left half written.
  // `files` must outlive it. Errors: the folder cannot be made or written.
  static Expected<std::unique_ptr<Hdf5Store>> open(Files& files, const std::filesystem::path& folder, Told told);

  bool has(const Digest& key) const override;
  std::optional<Outputs> get(const Digest& key) override;
  Expected<void> put(const Digest& key, const Outputs& outputs, const nlohmann::json& provenance) override;
  void drop(const Digest& key) override;
  std::optional<Artifact> checkpoint(const Digest& key) override;
  std::optional<nlohmann::json> checkpoint_metadata(const Digest& key) override;
  Expected<void> put_checkpoint(const Digest& key, const Artifact& state) override;
  void drop_checkpoint(const Digest& key) override;
  Expected<std::unique_ptr<Claim>> try_claim(const Digest& key) override;

  // Puts a file that does not verify in quarantine, tells `reason` ("it is cut short") and says where it is now.
  std::filesystem::path set_aside(ContentKind kind, const Digest& key, const std::string& reason);

  // Whether `path` is a file that a writer which no longer lives left half written.
  bool is_leftover(const std::filesystem::path& path) const;

  std::filesystem::path content_path(const Digest& key) const;
  std::filesystem::path checkpoint_path(const Digest& key) const;

 private:
  Hdf5Store(Files& files, std::filesystem::path folder, Told told);
  Expected<void> take_writer_slot();
  void remove_leftovers(const std::string& slot);

  Expected<void> write(ContentKind kind, const Digest& key, const Outputs& outputs, const nlohmann::json& provenance);
  Expected<void> write_new(ContentKind kind, const Digest& key, const class ContentImage& image,
                           const std::filesystem::path& path);
  // The verified bytes of a file; null where there is none or where it had to be put in quarantine.
  std::shared_ptr<const FileBytes> verified(ContentKind kind, const Digest& key);
  void remove(const std::filesystem::path& path);
  std::filesystem::path path_of(ContentKind kind, const Digest& key) const;
  std::filesystem::path temporary_beside(const std::filesystem::path& path);

  Files& files_;
  std::filesystem::path folder_;
  Told told_;
  std::string slot_;                     // names this writer's temporary files
  std::unique_ptr<FileLock> slot_lock_;  // held as long as the writer lives
  std::atomic<std::uint64_t> written_{0};
};

}  // namespace atelier
