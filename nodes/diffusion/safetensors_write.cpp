#include "diffusion/safetensors_write.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "diffusion/sequential_file.h"
#include "diffusion/sha256.h"
#include "diffusion/task_threads.h"

namespace atelier::diffusion {
namespace {

constexpr std::size_t kHeaderAlignment = 8;
constexpr std::size_t kMadeAhead = std::size_t{32} << 20;  // bytes that wait for their turn at most

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

/// Takes tensors in any order, and hashes and writes them in the file's, on its own thread.
class OrderedWriter {
 public:
  OrderedWriter(std::size_t count, SequentialFile& file, bool hashes)
      : waiting_(count), file_(file), hashes_(hashes), thread_([this] { run(); }) {}
  ~OrderedWriter() { stop(); }

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

  bool has_stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

  /// Waits for all tensors; the hash of their bytes, empty where none is taken. Errors: the disk's.
  Result<std::string> finish() {
    if (thread_.joinable()) thread_.join();
    if (failure_) return tl::unexpected(*failure_);
    return hashes_ ? hash_.hex() : std::string();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (next_ < waiting_.size()) {
      changed_.wait(lock, [&] { return waiting_[next_].has_value() || stopped_; });
      if (stopped_) return;
      std::optional<at::Tensor> tensor = std::exchange(waiting_[next_], std::nullopt);
      lock.unlock();
      const std::size_t size = bytes_of(*tensor).size();
      if (hashes_) hash_.update(bytes_of(*tensor));
      const auto written = file_.append(bytes_of(*tensor));
      tensor.reset();
      lock.lock();
      ahead_ -= size;
      ++next_;
      if (!written) {
        failure_ = written.error();
        stopped_ = true;
      }
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::optional<at::Tensor>> waiting_;
  SequentialFile& file_;
  const bool hashes_;
  std::size_t next_ = 0, ahead_ = 0;
  bool stopped_ = false;
  std::optional<Error> failure_;
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

/// Makes all tensors and hands them over. What made one is gone afterwards, and with it what it held.
Result<void> make_all(std::vector<PlannedTensor>& tensors, OrderedWriter& writer) {
  std::mutex mutex;
  std::optional<std::pair<std::size_t, Error>> failure;  // the first by place
  for_each_task(static_cast<int64_t>(tensors.size()), [&](int64_t i) {
    const auto place = static_cast<std::size_t>(i);
    if (writer.has_stopped()) return;
    auto tensor = made(tensors[place]);
    tensors[place].make = nullptr;
    if (tensor) return writer.put(place, *std::move(tensor));
    const std::lock_guard lock(mutex);
    if (!failure || place < failure->first) failure.emplace(place, tensor.error());
    writer.stop();
  });
  if (failure) return tl::unexpected(failure->second);
  return {};
}

Result<std::string> final_header(const std::vector<PlannedTensor>& tensors, Metadata metadata, const LateMetadata& late,
                                 const std::string& hash, std::size_t size) {
  auto known = late.known(hash);
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
  std::size_t size = header.size();
  for (const PlannedTensor& tensor : tensors) size += bytes_of(tensor);
  auto file = SequentialFile::create(path, size);
  if (!file) return tl::unexpected(file.error());
  if (auto begun = (*file)->append(std::as_bytes(std::span(header))); !begun) return begun;
  OrderedWriter writer(tensors.size(), **file, late.has_value());
  if (auto all = make_all(tensors, writer); !all) return all;
  const auto hash = writer.finish();
  if (!hash) return tl::unexpected(hash.error());
  if (late) {
    auto final = final_header(tensors, laid_out, *late, *hash, header.size());
    if (!final) return fail(fmt::format("{}: {}", path.string(), final.error().message));
    header = *std::move(final);
  }
  return (*file)->finish(std::as_bytes(std::span(header)));
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
