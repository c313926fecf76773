#include "diffusion/safetensors.h"

#include <bit>
#include <cstring>

#include "goldens.h"
#include "temporary_folder.h"

namespace atelier::diffusion {
namespace {

using test::TemporaryFolder;

/// A file of a header and so many bytes of data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\1');
}

class SafetensorsTest : public testing::Test {
 protected:
  /// What opening these bytes says, without the path before it.
  std::string error_of(const std::string& bytes, const std::string& name = "x.safetensors") {
    const auto path = folder / name;
    test::put_bytes(path, bytes);
    const auto file = Safetensors::open(path);
    if (file) return "";
    const std::string& text = file.error().message;
    EXPECT_TRUE(text.starts_with(path.string() + ": ")) << text;
    return text.substr(std::min(text.size(), path.string().size() + 2));
  }
  void must_write(const std::string& name, const WeightMap& tensors) {
    ASSERT_TRUE(write_safetensors(folder / name, tensors, {}));
  }
  TemporaryFolder folder;
};

TEST_F(SafetensorsTest, GivesBackEveryDtypeShapeAndMetadataItWrote) {
  WeightMap tensors;
  for (const auto type : {at::kBool, at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kHalf, at::kBFloat16,
                          at::kFloat, at::kDouble}) {
    tensors[std::string("t.") + toString(type)] = at::arange(6).view({2, 3}).to(type);
  }
  tensors["scalar"] = at::scalar_tensor(2.5);
  tensors["empty"] = at::empty({0, 4});
  tensors["strided"] = at::arange(12).view({3, 4}).t();
  const auto path = folder / "all.safetensors";
  ASSERT_TRUE(write_safetensors(path, tensors, {{"format", "pt"}, {"note", "line\n\"quoted\" é"}}));
  const auto file = Safetensors::open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->metadata(), (Metadata{{"format", "pt"}, {"note", "line\n\"quoted\" é"}}));
  const auto read = file->tensors();
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(read->at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(read->at(name).equal(tensor)) << name;
  }
}

TEST_F(SafetensorsTest, WritesTheSameBytesForTheSameTensorsWithEachTensorAligned) {
  const WeightMap tensors{{"a", at::ones({3}, at::kHalf)},
                          {"b", at::ones({1}, at::kLong)},
                          {"c", at::ones({5}, at::kByte)},
                          {"d", at::ones({2})}};
  ASSERT_TRUE(write_safetensors(folder / "1", tensors, {{"z", "1"}, {"a", "2"}}));
  ASSERT_TRUE(write_safetensors(folder / "2", tensors, {{"a", "2"}, {"z", "1"}}));
  EXPECT_EQ(test::bytes_of(folder / "1"), test::bytes_of(folder / "2"));
  const std::string bytes = test::bytes_of(folder / "1");
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  EXPECT_EQ(header % 8, 0u);
  EXPECT_EQ(bytes.substr(8, 61), R"({"__metadata__":{"a":"2","z":"1"},"a":{"data_offsets":[16,22])");
  const auto file = Safetensors::open(folder / "1");
  for (const auto& [name, entry] : file->entries())
    EXPECT_EQ(entry.begin % tensors.at(name).element_size(), 0u) << name;
}

TEST_F(SafetensorsTest, ViewsTheMappingWithoutCopyingAndKeepsItAlive) {
  ASSERT_TRUE(write_safetensors(folder / "w", {{"a", at::arange(4)}, {"b", at::arange(4)}}, {}));
  at::Tensor a;
  {
    const auto file = Safetensors::open(folder / "w");
    a = *file->tensor("a");
    EXPECT_EQ(a.data_ptr(), file->tensor("a")->data_ptr());
  }
  std::filesystem::remove(folder / "w");
  EXPECT_TRUE(a.equal(at::arange(4)));
}

TEST_F(SafetensorsTest, CopiesATensorWhoseBytesAreNotAligned) {
  const std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}})";
  ASSERT_EQ(error_of(file_of(header, 9)), "");
  const auto b = Safetensors::open(folder / "x.safetensors")->tensor("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b->data_ptr()) % 4, 0u);
  EXPECT_EQ((*b)[1].item<float>(), std::bit_cast<float>(0x01010101));
}

TEST_F(SafetensorsTest, NamesATensorThatIsNotThere) {
  ASSERT_TRUE(write_safetensors(folder / "w", {{"a", at::arange(4)}}, {}));
  EXPECT_EQ(Safetensors::open(folder / "w")->tensor("b").error().message,
            (folder / "w").string() + ": has no tensor 'b'");
}

TEST_F(SafetensorsTest, RefusesFilesThatAreNoSafetensors) {
  EXPECT_EQ(Safetensors::open(folder / "none").error().message,
            (folder / "none").string() + ": cannot be opened: No such file or directory");
  EXPECT_EQ(Safetensors::open(folder.path()).error().message, folder.path().string() + ": is not a file");
  EXPECT_EQ(error_of(""), "not a safetensors file: it has 0 bytes");
  EXPECT_EQ(error_of("1234567"), "not a safetensors file: it has 7 bytes");
  EXPECT_EQ(error_of(file_of("{}", 0).substr(0, 9)),
            "not a safetensors file, or cut off: its header would have 2 bytes, the file has 9");
  EXPECT_EQ(error_of(std::string(16, '\xff')),
            "not a safetensors file, or cut off: its header would have 18446744073709551615 bytes, the file has 16");
  EXPECT_EQ(error_of(file_of("{]", 0)), "not a safetensors file: its header is not a JSON object");
  EXPECT_EQ(error_of(file_of("[1]", 0)), "not a safetensors file: its header is not a JSON object");
  EXPECT_EQ(error_of(file_of("{\"\xff\":1}", 0)), "not a safetensors file: its header is not a JSON object");
  EXPECT_EQ(error_of(file_of(R"({"a":{"shape":[[[1]]]}})", 0)),
            "not a safetensors file: its header is nested too deeply");
}

TEST_F(SafetensorsTest, SurvivesAHeaderOfAMillionBrackets) {
  EXPECT_EQ(error_of(file_of("{\"a\":" + std::string(1'000'000, '['), 0)),
            "not a safetensors file: its header is nested too deeply");
}

TEST_F(SafetensorsTest, IsRefusedCutOffAtEveryByte) {
  must_write("w", {{"a", at::arange(4)}, {"b", at::ones({2, 2})}});
  const std::string good = test::bytes_of(folder / "w");
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_NE(error_of(good.substr(0, length)), "") << "cut off at " << length;
  EXPECT_EQ(error_of(good + "x"), "1 bytes follow the last tensor");
}

TEST_F(SafetensorsTest, NamesInMessagesAreShortAndWithoutControlCharacters) {
  EXPECT_EQ(error_of(file_of(R"({"\u001b[31m\n":3})", 0)),
            "tensor '?[31m?': expected an object with dtype, shape and data_offsets");
  EXPECT_EQ(error_of(file_of("{\"" + std::string(199, 'a') + "\u00e4\u00e4\":3}", 0)),
            "tensor '" + std::string(199, 'a') + "…': expected an object with dtype, shape and data_offsets");
}

TEST_F(SafetensorsTest, RefusesPicklesAndSaysHowToConvert) {
  const std::string refusal =
      "a pickle, which runs code of whoever made it when it is opened, so it is refused; convert it with a tool you "
      "trust, for instance safetensors' convert.py, and give the .safetensors file";
  for (const char* name : {"model.ckpt", "model.bin", "model.pt", "model.pth", "model.pkl"}) {
    EXPECT_EQ(error_of("anything", name), refusal) << name;
  }
  EXPECT_EQ(error_of("PK\3\4 a zip archive, renamed"), refusal);
  EXPECT_EQ(error_of("\x80\2}q\1 a bare pickle, renamed"), refusal);
}

TEST_F(SafetensorsTest, RefusesHeadersThatDoNotDescribeTheData) {
  const auto one = [&](const std::string& entry, std::size_t data) {
    return error_of(file_of("{\"a\":" + entry + "}", data));
  };
  EXPECT_EQ(one("3", 0), "tensor 'a': expected an object with dtype, shape and data_offsets");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[1]})", 0),
            "tensor 'a': expected an object with dtype, shape and data_offsets");
  EXPECT_EQ(one(R"({"dtype":7,"shape":[1],"data_offsets":[0,4]})", 4), "tensor 'a': its dtype is not a text");
  EXPECT_EQ(one(R"({"dtype":"F7","shape":[1],"data_offsets":[0,4]})", 4), "tensor 'a': its dtype 'F7' is not known");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})", 4),
            "tensor 'a': its shape is not a list of sizes");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})", 4),
            "tensor 'a': its data_offsets are not two byte offsets");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})", 8),
            "tensor 'a': its shape [3] of F32 does not fill its data_offsets [0, 8]");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[1],"data_offsets":[8,4]})", 8),
            "tensor 'a': its shape [1] of F32 does not fill its data_offsets [8, 4]");
  EXPECT_EQ(one(R"({"dtype":"F64","shape":[4611686018427387904,2],"data_offsets":[0,0]})", 0),
            "tensor 'a': its shape [4611686018427387904, 2] of F64 does not fill its data_offsets [0, 0]");
  EXPECT_EQ(one(R"({"dtype":"F64","shape":[0,4611686018427387904,2],"data_offsets":[0,0]})", 0),
            "tensor 'a': its shape [0, 4611686018427387904, 2] of F64 does not fill its data_offsets [0, 0]");
  std::string ones = "1";
  for (int i = 1; i < 65; ++i) ones += ",1";
  EXPECT_EQ(one("{\"dtype\":\"U8\",\"shape\":[" + ones + "],\"data_offsets\":[0,1]}", 1),
            "tensor 'a': its shape has 65 dimensions, more than 64");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 4),
            "tensor 'a' ends at byte 8 of the data, which has 4: the file is cut off or damaged");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})", 8),
            "tensor 'a' begins at byte 4 of the data where 0 was expected: the offsets leave a gap");
  EXPECT_EQ(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})", 7), "3 bytes follow the last tensor");
}

TEST_F(SafetensorsTest, RefusesOverlapsDuplicatesAndMetadataThatIsNoText) {
  EXPECT_EQ(error_of(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                             8)),
            "tensor 'b' begins at byte 4 of the data where 8 was expected: the offsets overlap");
  EXPECT_EQ(error_of(file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                             1)),
            "tensor 'a' is listed twice");
  EXPECT_EQ(error_of(file_of(R"({"a":{"dtype":"U8","dtype":"F64","shape":[1],"data_offsets":[0,1]}})", 1)),
            "key 'dtype' is listed twice");
  EXPECT_EQ(error_of(file_of(R"({"__metadata__":["x"]})", 0)), "its __metadata__ is not an object of texts");
  EXPECT_EQ(error_of(file_of(R"({"__metadata__":{"rank":4}})", 0)), "metadata 'rank' is not a text");
}

TEST_F(SafetensorsTest, RefusesDtypesThatTorchLacksWhenTheyAreAskedFor) {
  ASSERT_EQ(error_of(file_of(R"({"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}})", 2)), "");
  const auto path = folder / "x.safetensors";
  EXPECT_EQ(Safetensors::open(path)->tensor("a").error().message,
            path.string() + ": tensor 'a': its dtype F8_E4M3 is not supported; F16, BF16 and F32 are");
}

TEST_F(SafetensorsTest, SurvivesEveryFlippedByteOfAHeader) {
  ASSERT_TRUE(write_safetensors(folder / "w", {{"a", at::arange(4)}, {"b", at::ones({2, 2})}}, {{"k", "v"}}));
  const std::string good = test::bytes_of(folder / "w");
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int bit : {0, 3, 6, 7}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      test::put_bytes(folder / "x", bad);
      const auto file = Safetensors::open(folder / "x");
      if (!file) continue;
      for (const auto& [name, entry] : file->entries()) {
        if (const auto tensor = file->tensor(name)) (void)tensor->sum();
      }
    }
  }
}

TEST_F(SafetensorsTest, TellsWhyItCannotWrite) {
  EXPECT_EQ(write_safetensors(folder / "no/such/folder", {}, {}).error().message,
            (folder / "no/such/folder").string() + ": cannot be written: No such file or directory");
  EXPECT_EQ(write_safetensors(folder / "w", {{"a", at::ones({1}, at::kComplexFloat)}}, {}).error().message,
            (folder / "w").string() + ": tensor 'a' has a dtype that safetensors lacks");
}

}  // namespace
}  // namespace atelier::diffusion
