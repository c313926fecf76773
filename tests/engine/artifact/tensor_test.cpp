#include "artifact/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace atelier {
namespace {

using ::testing::ElementsAre;

template <class Body>
std::string fault_of(const Body& body) {
  try {
    body();
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "no fault";
}

TEST(TensorTest, HoldsItsValues) {
  const auto tensor = Tensor::of<std::int32_t>({2, 2}, std::vector<std::int32_t>{1, 2, 3, 4});
  EXPECT_EQ(tensor.dtype(), DType::i32);
  EXPECT_EQ(tensor.elements(), 4);
  EXPECT_EQ(tensor.bytes().size(), 16u);
  EXPECT_THAT(tensor.values<std::int32_t>(), ElementsAre(1, 2, 3, 4));
}

TEST(TensorTest, WithoutDimensionsItIsOneValueAndWithAZeroSideNone) {
  EXPECT_EQ(Tensor::of<float>({}, std::vector<float>{1}).elements(), 1);
  EXPECT_EQ(Tensor::of<float>({3, 0, 2}, std::vector<float>{}).elements(), 0);
  EXPECT_EQ(Tensor().elements(), 0);
}

TEST(TensorTest, CopiesShareTheirBytes) {
  const auto tensor = Tensor::of<float>({1}, std::vector<float>{1});
  const Tensor copy = tensor;
  EXPECT_EQ(copy.bytes().data(), tensor.bytes().data());
}

TEST(TensorTest, CopyOfDoesNotFollowItsSource) {
  std::vector<float> source{1, 2};
  const auto tensor = Tensor::copy_of(DType::f32, {2}, std::as_bytes(std::span(source)));
  source[0] = 9;
  EXPECT_THAT(tensor.values<float>(), ElementsAre(1, 2));
}

TEST(TensorTest, KeepsItsOwnerAlive) {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1});
  const std::weak_ptr<std::vector<float>> watch = owner;
  {
    const Tensor tensor(DType::f32, {1}, std::as_bytes(std::span(*owner)), owner);
    owner.reset();
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST(TensorTest, TheWrongNumberOfBytesIsAFault) {
  const std::vector<std::byte> bytes(7);
  EXPECT_EQ(fault_of([&] {
              (void)Tensor::copy_of(DType::f32, {2, 1}, bytes);
            }),
            "a tensor of f32 [2, 1] was given 7 bytes");
}

TEST(TensorTest, ReadingItAsAnotherTypeIsAFault) {
  const auto tensor = Tensor::of<float>({1}, std::vector<float>{1});
  EXPECT_EQ(fault_of([&] { (void)tensor.values<double>(); }), "a tensor of f32 was read as f64");
}

TEST(DTypeTest, NamesComeBack) {
  for (const auto dtype : {DType::u8, DType::i32, DType::i64, DType::f16, DType::bf16, DType::f32, DType::f64})
    EXPECT_EQ(dtype_named(name_of(dtype)), dtype);
  EXPECT_EQ(dtype_named("float"), std::nullopt);
  EXPECT_EQ(size_of(DType::bf16), 2u);
  EXPECT_EQ(size_of(DType::i64), 8u);
}

}  // namespace
}  // namespace atelier
