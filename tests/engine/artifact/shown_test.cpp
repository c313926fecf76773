#include "artifact/shown.h"

#include <gtest/gtest.h>

#include "support/memory_store.h"

namespace atelier {
namespace {

Preview preview(const std::string& name, const std::string& png) {
  const auto bytes = std::as_bytes(std::span(png));
  return {name, sha256(png), {bytes.begin(), bytes.end()}};
}

Shown two_and_a_curve() {
  Shown shown;
  shown.show(preview("b", "first png"));
  shown.show(preview("a", ""));
  shown.curves["loss"] = {{0, 1.0}, {5, 0.25}};
  return shown;
}

TEST(Shown, ComesBackFromTheStoreAsItWas) {
  MemoryStore store;
  const Digest key = sha256("key");
  ASSERT_TRUE(put_shown(store, key, two_and_a_curve().to_artifact()));
  const auto back = get_shown(store, key);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->previews.size(), 2U);
  EXPECT_EQ(back->previews[0].name, "b");
  EXPECT_EQ(back->previews[0].png, two_and_a_curve().previews[0].png);
  EXPECT_EQ(back->curves, two_and_a_curve().curves);
}

TEST(Shown, IsNoContentOfTheResultsOwnKey) {
  MemoryStore store;
  const Digest key = sha256("key");
  ASSERT_TRUE(put_shown(store, key, two_and_a_curve().to_artifact()));
  EXPECT_FALSE(store.has(key));
  store.drop(shown_key(key));
  EXPECT_FALSE(get_shown(store, key));
}

TEST(Shown, IsEmptyWhereWhatIsThereIsSomethingElse) {
  const Artifact whole = two_and_a_curve().to_artifact();
  EXPECT_TRUE(Shown::from(whole));
  EXPECT_FALSE(Shown::from(Artifact{}));
  auto short_of_bytes = whole;
  short_of_bytes.tensors["png"] = Tensor::of<std::uint8_t>({1}, std::vector<std::uint8_t>{7});
  EXPECT_FALSE(Shown::from(short_of_bytes));
  auto other_type = whole;
  other_type.tensors["steps"] = Tensor::of<double>({2}, std::vector<double>{0, 1});
  EXPECT_FALSE(Shown::from(other_type));
  auto no_list = whole;
  no_list.metadata["previews"] = "none";
  EXPECT_FALSE(Shown::from(no_list));
}

}  // namespace
}  // namespace atelier
