#include "diffusion/safetensors_write.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <cstring>

#include "diffusion/sha256.h"
#include "goldens.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

WeightMap some_tensors() {
  WeightMap tensors;
  for (int i = 0; i < 40; ++i) {
    const auto type = i % 3 == 0 ? at::kHalf : at::kFloat;
    tensors["layer." + std::to_string(i)] = at::arange(100 * i, 100 * i + 7 * (i + 1)).to(type);
  }
  tensors["strided"] = at::arange(12).view({3, 4}).t().to(at::kFloat);
  tensors["empty"] = at::empty({0, 4});
  return tensors;
}

std::vector<PlannedTensor> planned_all(const WeightMap& tensors) {
  std::vector<PlannedTensor> all;
  for (const auto& [name, tensor] : tensors) all.push_back(planned(name, tensor));
  return all;
}

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(bytes)));
  return hash.hex();
}

std::size_t data_start(const std::string& bytes) {
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  return sizeof header + header;
}

class Stream : public testing::TestWithParam<int> {
 protected:
  Stream() : before_(at::get_num_threads()) { at::set_num_threads(GetParam()); }
  ~Stream() override { at::set_num_threads(before_); }

  test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "out.safetensors";
  const std::string zeros = std::string(64, '0');

 private:
  int before_;
};
INSTANTIATE_TEST_SUITE_P(Threads, Stream, testing::Values(1, 2, 5));

TEST_P(Stream, GivesTheBytesOfTheSameTensorsHandedOverAtOnce) {
  const WeightMap tensors = some_tensors();
  const Metadata metadata{{"format", "pt"}};
  std::string header;
  std::string whole;
  visit_safetensors_bytes(tensors, metadata, [&](std::span<const std::byte> bytes) {
    whole.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  });
  ASSERT_TRUE(stream_safetensors(path, planned_all(tensors), metadata));
  EXPECT_EQ(test::bytes_of(path), whole);
}

TEST_P(Stream, TellsTheHashOfTheDataInTheHeaderThatIsWrittenLast) {
  const LateMetadata late{
      .placeholder = {{"hash", zeros}, {"also", "1234"}},
      .known = [](const std::string& hash) -> Result<Metadata> { return Metadata{{"hash", hash}, {"also", "12"}}; }};
  ASSERT_TRUE(stream_safetensors(path, planned_all(some_tensors()), {{"format", "pt"}}, late));
  const std::string bytes = test::bytes_of(path);
  const auto file = Safetensors::open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->metadata(),
            (Metadata{{"also", "12"}, {"format", "pt"}, {"hash", sha256_of(bytes.substr(data_start(bytes)))}}));
  EXPECT_TRUE(file->tensor("layer.7")->equal(some_tensors().at("layer.7")));
}

TEST_P(Stream, RefusesMetadataThatGrewBeyondItsPlace) {
  const LateMetadata late{.placeholder = {{"hash", ""}}, .known = [](const std::string& hash) -> Result<Metadata> {
                            return Metadata{{"hash", hash}};
                          }};
  EXPECT_EQ(stream_safetensors(path, planned_all(some_tensors()), {}, late).error().message,
            path.string() + ": the metadata is longer than what was kept free for it");
}

TEST_P(Stream, EndsWithTheErrorOfATensorThatCannotBeMade) {
  auto tensors = planned_all(some_tensors());
  for (PlannedTensor& tensor : tensors)
    if (tensor.name == "layer.20") tensor.make = []() -> Result<at::Tensor> { return fail("layer.20 cannot be made"); };
  const LateMetadata late{.placeholder = {}, .known = [](const std::string&) { return Result<Metadata>(); }};
  EXPECT_EQ(stream_safetensors(path, tensors, {}).error().message, "layer.20 cannot be made");
  EXPECT_EQ(stream_safetensors(path, tensors, {}, late).error().message, "layer.20 cannot be made");
}

TEST_P(Stream, RefusesATensorThatIsNotAsPlanned) {
  auto tensors = planned_all({{"a", at::ones({2, 3})}});
  tensors[0].make = []() -> Result<at::Tensor> { return at::ones({3}); };
  EXPECT_EQ(stream_safetensors(path, tensors, {}).error().message, "tensor 'a' is Float [3], planned was Float [2, 3]");
  tensors[0].make = []() -> Result<at::Tensor> { return at::ones({2, 3}, at::kHalf); };
  EXPECT_EQ(stream_safetensors(path, tensors, {}).error().message,
            "tensor 'a' is Half [2, 3], planned was Float [2, 3]");
}

TEST_P(Stream, SaysWhatTheDiskSays) {
  EXPECT_EQ(stream_safetensors(folder / "none/out", planned_all(some_tensors()), {}).error().message,
            (folder / "none/out").string() + ": cannot be written: No such file or directory");
  EXPECT_EQ(stream_safetensors("/dev/full", planned_all(some_tensors()), {}).error().message,
            "/dev/full: cannot be written: No space left on device");
}

TEST_P(Stream, HoldsSomeTensorsAtATimeAndNotTheFile) {
  std::atomic<int> held{0}, most{0};
  std::vector<PlannedTensor> tensors;
  constexpr int64_t size = 8 * kMiB;
  for (int i = 0; i < 24; ++i) {
    PlannedTensor tensor{"t" + std::to_string(i), at::kByte, {size}, {}};
    tensor.make = [&]() -> Result<at::Tensor> {
      const int now = ++held;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      auto* bytes = new char[size]();
      return at::from_blob(bytes, {size}, [&held, bytes](void*) { delete[] bytes, --held; }, at::kByte);
    };
    tensors.push_back(std::move(tensor));
  }
  const LateMetadata late{.placeholder = {}, .known = [](const std::string&) { return Result<Metadata>(Metadata{}); }};
  ASSERT_TRUE(stream_safetensors(path, std::move(tensors), {}, late));
  EXPECT_EQ(held, 0);
  EXPECT_LE(most, 32 / 8 + 2 * GetParam() + 1);
}

}  // namespace
}  // namespace atelier::diffusion
