// Fuzz target: a cache's entry and checkpoint whose bytes are not those that were written. Whatever is done to them,
// they are refused by their seal, told and set aside, and libhdf5 does not see them.
//
// The first byte of an input says what is done: 0, the rest stands in the file's place; 1, the file is cut off or
// lengthened; else bytes of it are changed, each by three of the input (place, and what is flipped there).
#include <algorithm>
#include <string>

#include "cache/content_seal.h"
#include "cache/hdf5_store.h"
#include "fuzz_target.h"
#include "support/memory_files.h"

namespace atelier::fuzz {
namespace {

std::size_t number_at(std::string_view input, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < input.size() ? static_cast<unsigned char>(input[i]) : 0U; };
  return byte(at) | byte(at + 1) << 8;
}

std::string damaged(const std::string& whole, std::string_view input) {
  if (input.empty()) return whole;
  const char how = input.front();
  input.remove_prefix(1);
  if (how == 0) return std::string(input);
  std::string bytes = whole;
  if (how == 1) {
    bytes.resize(number_at(input, 0) % (2 * whole.size()));
    return bytes;
  }
  for (std::size_t at = 0; at + 2 < input.size(); at += 3) {
    char& byte = bytes[number_at(input, at) % bytes.size()];
    byte = static_cast<char>(byte ^ input[at + 2]);
  }
  return bytes;
}

class Cache {
 public:
  Cache() {
    Artifact artifact;
    artifact.metadata = {{"names", {"a", "b"}}, {"text", "é"}};
    artifact.tensors.emplace("a", Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
    artifact.tensors.emplace("b/c", Tensor::of<std::uint8_t>({0}, std::vector<std::uint8_t>{}));
    artifact.files.push_back({"photo.jpg", sha256(std::string_view("photo")), {}, 5});
    promise(store_->put(key_, {{"out", artifact}}, {{"seconds", 1}}).has_value());
    promise(store_->put_checkpoint(key_, artifact).has_value());
    content_ = files_.text(store_->content_path(key_)).value();
    checkpoint_ = files_.text(store_->checkpoint_path(key_)).value();
  }

  void try_content(std::string_view input) {
    try_one(ContentKind::outputs, store_->content_path(key_), content_, damaged(content_, input),
            [&] { return store_->get(key_).has_value(); });
  }
  void try_checkpoint(std::string_view input) {
    try_one(ContentKind::checkpoint, store_->checkpoint_path(key_), checkpoint_, damaged(checkpoint_, input),
            [&] { return store_->checkpoint(key_).has_value(); });
  }

 private:
  template <class Get>
  void try_one(ContentKind kind, const std::filesystem::path& path, const std::string& whole, const std::string& bytes,
               const Get& get) {
    const bool is_whole = bytes == whole;
    const std::string wrong = check_seal(kind, key_, std::as_bytes(std::span(bytes)));
    // XXH3 keeps out accidents, not whoever may write into the cache: a seal that was forged is none of ours.
    if (wrong.empty() && !is_whole) return;
    promise(wrong.empty() == is_whole);
    files_.put(path, bytes);
    told_.clear();
    promise(get() == is_whole);
    promise(files_.exists(path) == is_whole);
    promise(told_.empty() == is_whole);
    promise(is_whole || told_.find(wrong) != std::string::npos);
  }

  MemoryFiles files_;
  std::string told_, content_, checkpoint_;
  std::unique_ptr<Hdf5Store> store_ =
      Hdf5Store::open(files_, "/cache", [this](const std::string& sentence) { told_ += sentence; }).value();
  Digest key_ = sha256(std::string_view("a key"));
};

}  // namespace
}  // namespace atelier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static atelier::fuzz::Cache cache;
  const auto input = atelier::fuzz::text_of(data, size);
  cache.try_content(input);
  cache.try_checkpoint(input);
  return 0;
}
