#include "cache/content_reader.h"

#include "cache/hdf5_driver.h"
#include "cache/hdf5_types.h"
#include "cache/link_name.h"

namespace atelier {
namespace {

struct Unexpected {};  // the file is not laid out as we write it

template <class T>
T there(std::optional<T> value) {
  if (!value) throw Unexpected{};
  return std::move(*value);
}
Hdf5Handle there(Hdf5Handle handle) {
  if (!handle) throw Unexpected{};
  return handle;
}

// An open content file. Lives within one Hdf5Session; throws Unexpected.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {
    medium_.readable = bytes;
    const auto access = there(access_through(medium_));
    file_ = there(Hdf5Handle(H5Fopen("content", H5F_ACC_RDONLY, access.get()), H5Fclose));
  }

  Hdf5Handle group(hid_t parent, const std::string& name) const {
    return there(Hdf5Handle(H5Gopen2(parent, name.c_str(), H5P_DEFAULT), H5Gclose));
  }
  Hdf5Handle ports() const { return group(file_.get(), "outputs"); }

  std::vector<std::string> links(hid_t parent) const {
    std::vector<std::string> names;
    hsize_t from = 0;
    const auto add = [](hid_t, const char* name, const H5L_info_t*, void* to) -> herr_t {
      static_cast<std::vector<std::string>*>(to)->emplace_back(name);
      return 0;
    };
    if (H5Literate(parent, H5_INDEX_NAME, H5_ITER_NATIVE, &from, add, &names) < 0) throw Unexpected{};
    return names;
  }

  bool has(hid_t parent, const char* name) const {
    const htri_t there_is = H5Lexists(parent, name, H5P_DEFAULT);
    if (there_is < 0) throw Unexpected{};
    return there_is > 0;
  }

  nlohmann::json json(hid_t parent, const char* name) const {
    const auto set = dataset(parent, name);
    const auto type = there(Hdf5Handle(H5Dget_type(set.get()), H5Tclose));
    const auto text = values(set.get(), H5Tget_size(type.get()));
    const auto* first = reinterpret_cast<const char*>(text.data());
    auto parsed = nlohmann::json::parse(first, first + text.size(), nullptr, false);
    if (parsed.is_discarded()) throw Unexpected{};
    return parsed;
  }

  Tensor tensor(hid_t parent, const std::string& link, const std::shared_ptr<const void>& owner) const {
    const auto set = dataset(parent, link.c_str());
    const auto type = there(Hdf5Handle(H5Dget_type(set.get()), H5Tclose));
    const DType dtype = there(types_.dtype(type.get()));
    Tensor::Shape shape = shape_of(set.get());
    std::size_t bytes = size_of(dtype);
    for (const auto side : shape) bytes *= static_cast<std::size_t>(side);
    return Tensor(dtype, std::move(shape), values(set.get(), bytes), owner);
  }

 private:
  Hdf5Handle dataset(hid_t parent, const char* name) const {
    return there(Hdf5Handle(H5Dopen2(parent, name, H5P_DEFAULT), H5Dclose));
  }

  Tensor::Shape shape_of(hid_t set) const {
    const auto space = there(Hdf5Handle(H5Dget_space(set), H5Sclose));
    const int rank = H5Sget_simple_extent_ndims(space.get());
    if (rank < 0) throw Unexpected{};
    std::vector<hsize_t> sides(static_cast<std::size_t>(rank));
    if (H5Sget_simple_extent_dims(space.get(), sides.data(), nullptr) < 0) throw Unexpected{};
    return {sides.begin(), sides.end()};
  }

  // Where a dataset's values lie in the file. H5Dget_offset counts from the start of the file, seal and all.
  std::span<const std::byte> values(hid_t set, std::size_t size) const {
    if (size == 0) return {};
    const haddr_t offset = H5Dget_offset(set);
    if (offset == HADDR_UNDEF || offset > bytes_.size() || size > bytes_.size() - offset) throw Unexpected{};
    return bytes_.subspan(offset, size);
  }

  std::span<const std::byte> bytes_;
  Hdf5Medium medium_;
  Hdf5Types types_;
  Hdf5Handle file_;
};

// Files that an artifact refers to, without paths: those are for whoever knows the task's inputs.
std::vector<FileRef> files_of(const nlohmann::json& json) try {
  std::vector<FileRef> files;
  for (const auto& file : json)
    files.push_back({file.at("name").get<std::string>(),
                     there(Digest::from_hex(file.at("sha256").get<std::string>())),
                     {},
                     file.at("bytes").get<std::uint64_t>()});
  return files;
} catch (const nlohmann::json::exception&) {
  throw Unexpected{};
}

}  // namespace

std::optional<Outputs> read_content(const std::shared_ptr<const FileBytes>& file) try {
  const Hdf5Session session;
  const Reader reader(file->bytes());
  Outputs outputs;
  const auto ports = reader.ports();
  for (const auto& port : reader.links(ports.get())) {
    const auto folder = reader.group(ports.get(), port);
    Artifact& artifact = outputs[there(from_link_name(port))];
    artifact.metadata = reader.json(folder.get(), "metadata");
    const auto tensors = reader.group(folder.get(), "tensors");
    for (const auto& link : reader.links(tensors.get()))
      artifact.tensors.emplace(there(from_link_name(link)), reader.tensor(tensors.get(), link, file));
    if (reader.has(folder.get(), "files")) artifact.files = files_of(reader.json(folder.get(), "files"));
  }
  return outputs;
} catch (const Unexpected&) {
  return std::nullopt;
}

std::optional<nlohmann::json> read_metadata(const FileBytes& file, const std::string& port) try {
  const Hdf5Session session;
  const Reader reader(file.bytes());
  const auto ports = reader.ports();
  return reader.json(reader.group(ports.get(), to_link_name(port)).get(), "metadata");
} catch (const Unexpected&) {
  return std::nullopt;
}

}  // namespace atelier
