#include "cache/hdf5_driver.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

namespace atelier {

void SparseBytes::write(std::uint64_t address, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    auto& page = pages_[address / kPageBytes];
    page.resize(kPageBytes);
    const std::size_t at = address % kPageBytes, count = std::min(bytes.size(), kPageBytes - at);
    std::memcpy(page.data() + at, bytes.data(), count);
    address += count;
    bytes = bytes.subspan(count);
  }
}

void SparseBytes::read(std::uint64_t address, std::span<std::byte> out) const {
  while (!out.empty()) {
    const std::size_t at = address % kPageBytes, count = std::min(out.size(), kPageBytes - at);
    const auto page = pages_.find(address / kPageBytes);
    if (page == pages_.end())
      std::memset(out.data(), 0, count);
    else
      std::memcpy(out.data(), page->second.data() + at, count);
    address += count;
    out = out.subspan(count);
  }
}

namespace {

constexpr haddr_t kMaxAddress = haddr_t{1} << 62;
constexpr herr_t kDone = 0, kRefused = -1;

// What libhdf5 copies around in its property lists.
struct DriverInfo {
  Hdf5Medium* medium;
};

struct OpenMedium {
  H5FD_t head{};  // libhdf5's own part, first
  Hdf5Medium* medium = nullptr;
  haddr_t end = 0;  // of what libhdf5 has allocated
};

OpenMedium& opened(H5FD_t* file) { return *reinterpret_cast<OpenMedium*>(file); }
const OpenMedium& opened(const H5FD_t* file) { return *reinterpret_cast<const OpenMedium*>(file); }

H5FD_t* open_medium(const char*, unsigned, hid_t access, haddr_t) {
  const auto* info = static_cast<const DriverInfo*>(H5Pget_driver_info(access));
  if (!info) return nullptr;
  auto* file = new (std::nothrow) OpenMedium;
  if (!file) return nullptr;
  file->medium = info->medium;
  return &file->head;
}

herr_t close_medium(H5FD_t* file) {
  delete &opened(file);
  return kDone;
}

int compare(const H5FD_t* a, const H5FD_t* b) {
  const auto *left = opened(a).medium, *right = opened(b).medium;
  return std::less<>()(left, right) ? -1 : std::less<>()(right, left) ? 1 : 0;
}

// No sieving or aggregation of raw data: every dataset is allocated by itself and so lies on its own alignment.
herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA;
  return kDone;
}

haddr_t get_end_allocated(const H5FD_t* file, H5FD_mem_t) { return opened(file).end; }

herr_t set_end_allocated(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  auto& medium = opened(file);
  medium.end = address;
  if (medium.medium->writable) medium.medium->end = address;
  return kDone;
}

haddr_t get_end_of_file(const H5FD_t* file, H5FD_mem_t) {
  const auto& medium = *opened(file).medium;
  return medium.writable ? medium.end : medium.readable.size();
}

herr_t read_medium(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* out) {
  const auto& medium = *opened(file).medium;
  const std::span target(static_cast<std::byte*>(out), size);
  if (medium.writable) {
    medium.writable->read(address, target);
    return kDone;
  }
  if (address > medium.readable.size() || size > medium.readable.size() - address) return kRefused;
  std::memcpy(out, medium.readable.data() + address, size);
  return kDone;
}

herr_t write_medium(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, const void* bytes) {
  auto* pages = opened(file).medium->writable;
  if (!pages) return kRefused;
  try {
    pages->write(address, {static_cast<const std::byte*>(bytes), size});
    return kDone;
  } catch (const std::bad_alloc&) {  // may not pass through libhdf5
    return kRefused;
  }
}

const H5FD_class_t& driver_class() {
  static const H5FD_class_t instance = [] {
    H5FD_class_t c{};
    c.name = "atelier";
    c.maxaddr = kMaxAddress;
    c.fc_degree = H5F_CLOSE_STRONG;
    c.fapl_size = sizeof(DriverInfo);
    c.open = open_medium;
    c.close = close_medium;
    c.cmp = compare;
    c.query = query;
    c.get_eoa = get_end_allocated;
    c.set_eoa = set_end_allocated;
    c.get_eof = get_end_of_file;
    c.read = read_medium;
    c.write = write_medium;
    const H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(map), std::end(map), std::begin(c.fl_map));
    return c;
  }();
  return instance;
}

}  // namespace

Hdf5Handle access_through(Hdf5Medium& medium) {
  static const hid_t driver = H5FDregister(&driver_class());  // once a process, as libhdf5 asks
  Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const DriverInfo info{&medium};
  if (!access || H5Pset_driver(access.get(), driver, &info) < 0) return {};
  return access;
}

}  // namespace atelier
