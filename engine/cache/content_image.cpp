#include "cache/content_image.h"

#include <fmt/format.h>
#include <algorithm>

#include "cache/content_seal.h"
#include "cache/hdf5_types.h"
#include "cache/link_name.h"

namespace atelier {
namespace {

constexpr std::size_t kGatherBytes = 1 << 20;   // small pieces are written together, this many bytes at a time
constexpr std::size_t kLargePiece = 256 << 10;  // from here on a piece is written from where it lies

// libhdf5 says no only where memory is short or we call it wrongly.
struct Refused {};

template <class T>
T taken(T handle) {
  if (!handle) throw Refused{};
  return handle;
}
void taken(herr_t result) {
  if (result < 0) throw Refused{};
}

Hdf5Handle properties(hid_t kind) { return taken(Hdf5Handle(H5Pcreate(kind), H5Pclose)); }

}  // namespace

// Lives within one Hdf5Session; throws Refused.
class ContentImage::Builder {
 public:
  explicit Builder(ContentImage& image) : image_(image) {
    medium_.writable = &image.structure_;
    const auto access = taken(access_through(medium_));
    taken(H5Pset_alignment(access.get(), 1, kTensorAlignment));
    const auto creation = properties(H5P_FILE_CREATE);
    taken(H5Pset_userblock(creation.get(), kSealBytes));
    file_ = taken(Hdf5Handle(H5Fcreate("content", H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose));
    dataset_properties_ = properties(H5P_DATASET_CREATE);
    taken(H5Pset_layout(dataset_properties_.get(), H5D_CONTIGUOUS));
    taken(H5Pset_alloc_time(dataset_properties_.get(), H5D_ALLOC_TIME_EARLY));  // so that its place is known at once
    taken(H5Pset_fill_time(dataset_properties_.get(), H5D_FILL_TIME_NEVER));
    taken(H5Pset_obj_track_times(dataset_properties_.get(), false));  // no times in content
    link_properties_ = properties(H5P_LINK_CREATE);
    taken(H5Pset_char_encoding(link_properties_.get(), H5T_CSET_UTF8));
  }

  hid_t root() const { return file_.get(); }

  Hdf5Handle group(hid_t parent, const std::string& name) {
    return taken(
        Hdf5Handle(H5Gcreate2(parent, name.c_str(), link_properties_.get(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose));
  }

  void text(hid_t parent, const char* name, std::string value) {
    const std::string& kept = image_.texts_.emplace_back(std::move(value));
    dataset(parent, name, taken(text_type(kept.size())).get(), {}, std::as_bytes(std::span(kept)));
  }

  void tensor(hid_t parent, const std::string& name, const Tensor& tensor) {
    const auto& shape = tensor.shape();
    dataset(parent, to_link_name(name).c_str(), types_.of(tensor.dtype()), {shape.begin(), shape.end()},
            tensor.bytes());
  }

  void finish() {
    if (!file_.close()) throw Refused{};
    image_.end_ = medium_.end;
    std::ranges::sort(image_.pieces_, {}, &Piece::offset);
  }

 private:
  void dataset(hid_t parent, const char* name, hid_t type, const std::vector<hsize_t>& shape,
               std::span<const std::byte> bytes) {
    const int rank = static_cast<int>(shape.size());
    const auto space =
        taken(Hdf5Handle(rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, shape.data(), nullptr), H5Sclose));
    const auto made = taken(Hdf5Handle(
        H5Dcreate2(parent, name, type, space.get(), link_properties_.get(), dataset_properties_.get(), H5P_DEFAULT),
        H5Dclose));
    if (bytes.empty()) return;  // has no place in the file
    const haddr_t offset = H5Dget_offset(made.get());
    if (offset == HADDR_UNDEF) throw Refused{};
    image_.pieces_.push_back({offset, bytes});
  }

  ContentImage& image_;
  Hdf5Medium medium_;
  Hdf5Types types_;
  Hdf5Handle file_, dataset_properties_, link_properties_;
};

namespace {

// What they are, not where: a path is this machine's alone.
nlohmann::json files_json(const std::vector<FileRef>& files) {
  auto all = nlohmann::json::array();
  for (const auto& file : files)
    all.push_back({{"name", file.name}, {"sha256", file.digest.hex()}, {"bytes", file.size_bytes}});
  return all;
}

std::string storable(const Outputs& outputs) {
  for (const auto& [port, artifact] : outputs) {
    for (const auto& [name, tensor] : artifact.tensors)
      if (tensor.shape().size() > H5S_MAX_RANK)
        return fmt::format("port '{}': tensor '{}' has {} dimensions; HDF5 stores at most {}", port, name,
                           tensor.shape().size(), H5S_MAX_RANK);
  }
  return {};
}

}  // namespace

Expected<ContentImage> ContentImage::of(const Outputs& outputs, const nlohmann::json& provenance) {
  if (const auto wrong = storable(outputs); !wrong.empty()) return failure(wrong, ErrorKind::fault);
  ContentImage image;
  try {
    const Hdf5Session session;
    Builder builder(image);
    builder.text(builder.root(), "provenance", provenance.dump());
    const auto ports = builder.group(builder.root(), "outputs");
    for (const auto& [port, artifact] : outputs) {
      const auto folder = builder.group(ports.get(), to_link_name(port));
      builder.text(folder.get(), "metadata", artifact.metadata.dump());
      const auto tensors = builder.group(folder.get(), "tensors");
      for (const auto& [name, tensor] : artifact.tensors) builder.tensor(tensors.get(), name, tensor);
      if (!artifact.files.empty()) builder.text(folder.get(), "files", files_json(artifact.files).dump());
    }
    builder.finish();
  } catch (const nlohmann::json::exception& e) {
    return failure(fmt::format("metadata cannot be stored: {}", e.what()), ErrorKind::fault);
  } catch (const Refused&) {
    return failure("libhdf5 cannot lay out the content: memory is short", ErrorKind::out_of_memory);
  }
  return image;
}

namespace {

// Hands bytes to a sink in the order of the file: small ones gathered, large ones as they lie.
class InOrder {
 public:
  explicit InOrder(const ContentImage::Sink& sink) : sink_(sink) {}

  std::uint64_t position() const noexcept { return position_; }  // of the next byte in the file

  // `count` bytes that `fill(at, out)` gives piece by piece, `at` counted from the first of them.
  template <class Fill>
  Expected<void> gather(std::uint64_t count, const Fill& fill) {
    for (std::uint64_t at = 0; at < count;) {
      const std::uint64_t room = kGatherBytes - gathered_.size();
      const auto part = static_cast<std::size_t>(std::min(count - at, room));
      gathered_.resize(gathered_.size() + part);
      fill(at, std::span(gathered_).last(part));
      at += part;
      position_ += part;
      if (part < room) continue;
      if (auto flushed = flush(); !flushed) return flushed;
    }
    return {};
  }

  Expected<void> add(std::span<const std::byte> bytes) {
    if (bytes.size() < kLargePiece)
      return gather(bytes.size(), [&](std::uint64_t at, std::span<std::byte> out) {
        std::ranges::copy(bytes.subspan(at, out.size()), out.begin());
      });
    if (auto flushed = flush(); !flushed) return flushed;
    auto done = sink_(position_, bytes);
    position_ += bytes.size();
    return done;
  }

  Expected<void> flush() {
    if (gathered_.empty()) return {};
    auto done = sink_(position_ - gathered_.size(), gathered_);
    gathered_.clear();
    return done;
  }

 private:
  const ContentImage::Sink& sink_;
  std::vector<std::byte> gathered_;
  std::uint64_t position_ = kSealBytes;
};

}  // namespace

Expected<void> ContentImage::write_body(const Sink& sink) const {
  InOrder file(sink);
  const auto structure_until = [&](std::uint64_t end) {
    const std::uint64_t start = file.position();
    return file.gather(end - start,
                       [&](std::uint64_t at, std::span<std::byte> out) { structure_.read(start + at, out); });
  };
  for (const auto& piece : pieces_) {
    if (auto done = structure_until(piece.offset); !done) return done;
    if (auto done = file.add(piece.bytes); !done) return done;
  }
  if (auto done = structure_until(end_); !done) return done;
  return file.flush();
}

}  // namespace atelier
