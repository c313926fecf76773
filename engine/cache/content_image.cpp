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

std::string storable(const Outputs& outputs) {
  for (const auto& [port, artifact] : outputs) {
    if (!artifact.files.empty()) return fmt::format("port '{}' refers to files and cannot be stored", port);
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
    }
    builder.finish();
  } catch (const nlohmann::json::exception& e) {
    return failure(fmt::format("metadata cannot be stored: {}", e.what()), ErrorKind::fault);
  } catch (const Refused&) {
    return failure("libhdf5 cannot lay out the content: memory is short", ErrorKind::out_of_memory);
  }
  return image;
}

Expected<void> ContentImage::write_body(const Sink& sink) const {
  std::vector<std::byte> gathered;
  std::uint64_t position = kSealBytes;  // of the next byte in the file
  const auto flush = [&]() -> Expected<void> {
    if (gathered.empty()) return {};
    auto done = sink(position - gathered.size(), gathered);
    gathered.clear();
    return done;
  };
  const auto gather = [&](std::uint64_t count, const auto& fill) -> Expected<void> {
    for (std::uint64_t done = 0; done < count;) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(count - done, kGatherBytes - gathered.size()));
      gathered.resize(gathered.size() + part);
      fill(done, std::span(gathered).last(part));
      done += part;
      position += part;
      if (gathered.size() == kGatherBytes)
        if (auto r = flush(); !r) return r;
    }
    return {};
  };
  const auto structure_until = [&](std::uint64_t end) {
    const std::uint64_t start = position;
    return gather(end - start, [&](std::uint64_t at, std::span<std::byte> out) { structure_.read(start + at, out); });
  };
  for (const auto& piece : pieces_) {
    if (auto r = structure_until(piece.offset); !r) return r;
    if (piece.bytes.size() < kLargePiece) {
      auto r = gather(piece.bytes.size(), [&](std::uint64_t at, std::span<std::byte> out) {
        std::ranges::copy(piece.bytes.subspan(at, out.size()), out.begin());
      });
      if (!r) return r;
      continue;
    }
    if (auto r = flush(); !r) return r;
    if (auto r = sink(position, piece.bytes); !r) return r;
    position += piece.bytes.size();
  }
  if (auto r = structure_until(end_); !r) return r;
  return flush();
}

}  // namespace atelier
