#include "diffusion/safetensors_write.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "diffusion/sha256.h"
#include "diffusion/task_threads.h"

namespace atelier::diffusion {
namespace {

constexpr std::size_t kHeaderAlignment = 8;
constexpr std::size_t kMadeAhead = std::size_t{128} << 20;  // bytes that wait for the hash at most

const char* dtype_name(at::ScalarType type) {
  switch (type) {
    case at::kBool:
      return "BOOL";
    case at::kByte:
      return "U8";
    case at::kChar:
      return "I8";
    case at::kShort:
      return "I16";
    case at::kInt:
      return "I32";
    case at::kLong:
      return "I64";
    case at::kHalf:
      return "F16";
    case at::kBFloat16:
      return "BF16";
    case at::kFloat:
      return "F32";
    case at::kDouble:
      return "F64";
    default:
      return nullptr;
  }
}

std::size_t bytes_of(const PlannedTensor& tensor) {
  return static_cast<std::size_t>(c10::multiply_integers(tensor.shape)) * at::elementSize(tensor.dtype);
}

/// Largest elements first: since every size is a power of two, each tensor then begins at a multiple of its own. Then
/// by name.
void put_in_file_order(std::vector<PlannedTensor>& tensors) {
  std::ranges::sort(tensors, {}, &PlannedTensor::name);
  std::ranges::stable_sort(tensors, std::greater{},
                           [](const PlannedTensor& tensor) { return at::elementSize(tensor.dtype); });
}

/// The header with its length before it, at least `size` bytes.
std::string header_text(const std::vector<PlannedTensor>& tensors, const Metadata& metadata, std::size_t size = 0) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t at = 0;
  for (const PlannedTensor& tensor : tensors) {
    const std::size_t end = at + bytes_of(tensor);
    header[tensor.name] = {{"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  const uint64_t unpadded = text.size() + sizeof unpadded;
  if (unpadded < size) text.resize(size - sizeof unpadded, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

std::span<const std::byte> bytes_of(const at::Tensor& contiguous) {
  return {static_cast<const std::byte*>(contiguous.data_ptr()),
          static_cast<std::size_t>(contiguous.numel()) * contiguous.element_size()};
}

/// A file that is being written, at any place and from any thread.
class OutputFile {
 public:
  static Result<OutputFile> create(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    OutputFile file(fd, path);
    if (fd < 0) return file.disk_error();
    return file;
  }

  OutputFile(OutputFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  Result<void> write_at(std::size_t offset, std::span<const std::byte> bytes) const {
    const auto begin = static_cast<off_t>(offset);
    const auto size = static_cast<off_t>(bytes.size());
    while (!bytes.empty()) {
      const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return disk_error();
      bytes = bytes.subspan(static_cast<std::size_t>(done));
      offset += static_cast<std::size_t>(done);
    }
    // The disk begins now and not with the last byte.
    ::sync_file_range(fd_, begin, size, SYNC_FILE_RANGE_WRITE);
    return {};
  }

  /// Durable when it returns.
  Result<void> finish() {
    if (::fsync(fd_) != 0) return disk_error();
    if (::close(std::exchange(fd_, -1)) != 0) return disk_error();
    return {};
  }

 private:
  OutputFile(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  tl::unexpected<Error> disk_error() const {
    return fail(fmt::format("{}: cannot be written: {}", path_.string(), std::strerror(errno)));
  }
  int fd_;
  std::filesystem::path path_;
};

/// Takes tensors in any order and hashes them in the file's, on its own thread.
class OrderedHash {
 public:
  explicit OrderedHash(std::size_t count) : waiting_(count), thread_([this] { run(); }) {}
  ~OrderedHash() { stop(); }

  /// Waits while more than kMadeAhead bytes wait for their turn, but never for the next in order.
  void put(std::size_t place, at::Tensor tensor) {
    std::unique_lock lock(mutex_);
    const std::size_t size = bytes_of(tensor).size();
    changed_.wait(lock, [&] { return place == next_ || ahead_ + size <= kMadeAhead || stopped_; });
    ahead_ += size;
    waiting_[place] = std::move(tensor);
    changed_.notify_all();
  }

  /// Ends it, whatever waits.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  /// Waits for all tensors.
  std::string hex() {
    if (thread_.joinable()) thread_.join();
    return hash_.hex();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (next_ < waiting_.size()) {
      changed_.wait(lock, [&] { return waiting_[next_].has_value() || stopped_; });
      if (stopped_) return;
      const at::Tensor tensor = *std::exchange(waiting_[next_], std::nullopt);
      lock.unlock();
      hash_.update(bytes_of(tensor));
      lock.lock();
      ahead_ -= bytes_of(tensor).size();
      ++next_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::optional<at::Tensor>> waiting_;
  std::size_t next_ = 0, ahead_ = 0;
  bool stopped_ = false;
  Sha256 hash_;
  std::thread thread_;  // last: it uses all that is above
};

Result<at::Tensor> made(const PlannedTensor& tensor) {
  auto value = tensor.make();
  if (!value) return value;
  if (value->scalar_type() != tensor.dtype || value->sizes() != tensor.shape)
    return fail(fmt::format("tensor '{}' is {} {}, planned was {} {}", tensor.name, toString(value->scalar_type()),
                            shape_text(value->sizes()), toString(tensor.dtype), shape_text(tensor.shape)));
  return value->detach().to(at::kCPU).contiguous();
}

/// Makes and writes all tensors behind a header of `data_start` bytes.
Result<void> write_data(const OutputFile& file, const std::vector<PlannedTensor>& tensors, std::size_t data_start,
                        OrderedHash* hash) {
  std::vector<std::size_t> offsets;
  std::size_t at = data_start;
  for (const PlannedTensor& tensor : tensors) {
    offsets.push_back(at);
    at += bytes_of(tensor);
  }
  std::mutex mutex;
  std::optional<std::pair<std::size_t, Error>> failure;  // the first by place
  const auto failed = [&](std::size_t place, const Error& error) {
    const std::lock_guard lock(mutex);
    if (!failure || place < failure->first) failure.emplace(place, error);
    if (hash != nullptr) hash->stop();
  };
  const auto has_failed = [&] {
    const std::lock_guard lock(mutex);
    return failure.has_value();
  };
  for_each_task(static_cast<int64_t>(tensors.size()), [&](int64_t i) {
    const auto place = static_cast<std::size_t>(i);
    if (has_failed()) return;
    const auto tensor = made(tensors[place]);
    if (!tensor) return failed(place, tensor.error());
    if (auto written = file.write_at(offsets[place], bytes_of(*tensor)); !written)
      return failed(place, written.error());
    if (hash != nullptr) hash->put(place, *tensor);
  });
  if (failure) return tl::unexpected(failure->second);
  return {};
}

Result<std::string> final_header(const std::vector<PlannedTensor>& tensors, Metadata metadata, const LateMetadata& late,
                                 OrderedHash& hash, std::size_t size) {
  auto known = late.known(hash.hex());
  if (!known) return tl::unexpected(known.error());
  for (auto& [key, value] : *known) metadata[key] = value;
  std::string header = header_text(tensors, metadata, size);
  if (header.size() != size) return fail("the metadata is longer than what was kept free for it");
  return header;
}

}  // namespace

PlannedTensor planned(std::string name, at::Tensor tensor) {
  PlannedTensor result{std::move(name), tensor.scalar_type(), tensor.sizes().vec(), {}};
  result.make = [tensor = std::move(tensor)]() -> Result<at::Tensor> { return tensor; };
  return result;
}

Result<void> stream_safetensors(const std::filesystem::path& path, std::vector<PlannedTensor> tensors,
                                const Metadata& metadata, const std::optional<LateMetadata>& late) {
  for (const PlannedTensor& tensor : tensors)
    if (dtype_name(tensor.dtype) == nullptr)
      return fail(fmt::format("{}: tensor '{}' has a dtype that safetensors lacks", path.string(), tensor.name));
  put_in_file_order(tensors);
  Metadata laid_out = metadata;
  if (late)
    for (const auto& [key, value] : late->placeholder) laid_out[key] = value;
  std::string header = header_text(tensors, laid_out);
  auto file = OutputFile::create(path);
  if (!file) return tl::unexpected(file.error());
  std::optional<OrderedHash> hash;
  if (late) hash.emplace(tensors.size());
  auto written = write_data(*file, tensors, header.size(), hash ? &*hash : nullptr);
  if (!written) return written;
  if (late) {
    auto final = final_header(tensors, laid_out, *late, *hash, header.size());
    if (!final) return fail(fmt::format("{}: {}", path.string(), final.error().message));
    header = *std::move(final);
  }
  if (written = file->write_at(0, std::as_bytes(std::span(header))); !written) return written;
  return file->finish();
}

bool visit_safetensors_bytes(const WeightMap& tensors, const Metadata& metadata,
                             const std::function<bool(std::span<const std::byte>)>& visit) {
  std::vector<PlannedTensor> in_order;
  for (const auto& [name, tensor] : tensors) in_order.push_back(planned(name, tensor));
  put_in_file_order(in_order);
  const std::string header = header_text(in_order, metadata);
  if (!visit(std::as_bytes(std::span(header)))) return false;
  for (const PlannedTensor& item : in_order) {
    const at::Tensor bytes = item.make()->detach().to(at::kCPU).contiguous();
    if (!visit(bytes_of(bytes))) return false;
  }
  return true;
}

Result<void> write_safetensors(const std::filesystem::path& path, const WeightMap& tensors, const Metadata& metadata) {
  std::vector<PlannedTensor> all;
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined())
      return fail(fmt::format("{}: tensor '{}' has a dtype that safetensors lacks", path.string(), name));
    all.push_back(planned(name, tensor));
  }
  return stream_safetensors(path, std::move(all), metadata);
}

}  // namespace atelier::diffusion
