// `atelier nodes`: what is shown to people is told to programs too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "process.h"

namespace atelier::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json nodes_json(const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"nodes", "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const auto finished = atelier(words);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out);
}

TEST(Nodes, TheListAsJsonHasEveryNodeOfTheListAsText) {
  std::string text;
  for (const auto& node : nodes_json()) {
    std::string name = node["name"];
    name.resize(std::max<std::size_t>(name.size(), 16), ' ');
    text += name + " " + node["summary"].get<std::string>() + "\n";
  }
  EXPECT_EQ(text, atelier({"nodes"}).out);
}

TEST(Nodes, ANodeAsJsonIsThatOfTheList) {
  const json all = nodes_json();
  const json train = nodes_json({"train"});
  EXPECT_EQ(train["name"], "train");
  EXPECT_EQ(std::ranges::count(all, train), 1);
}

// The manual of a node made from its JSON: what the manual shows, the JSON has.
TEST(Nodes, AManualShowsNothingThatItsJsonLacks) {
  const json node = nodes_json({"train"});
  const std::string manual = atelier({"nodes", "train"}).out;
  EXPECT_THAT(manual, HasSubstr("train: " + node["summary"].get<std::string>() + "\n  version " +
                                node["version"].dump() + ", runs on a device\n"));
  std::size_t entries = 0;
  for (const char* part : {"inputs", "outputs", "params"})
    for (const auto& entry : node[part]) {
      ++entries;
      EXPECT_THAT(manual, HasSubstr("    " + entry["name"].get<std::string>() + " "));
      EXPECT_THAT(manual, HasSubstr("                       " + entry["summary"].get<std::string>() + "\n"));
    }
  // Title, version, three headings, and two lines each.
  EXPECT_EQ(std::ranges::count(manual, '\n'), static_cast<std::ptrdiff_t>(2 * entries + 5));
  EXPECT_EQ(node["place"], "device");
}

TEST(Nodes, APortTellsHowItIsTaken) {
  const std::string train = atelier({"nodes", "train"}).out;
  EXPECT_THAT(train, HasSubstr("    datasets           dataset (a list)\n"));
  EXPECT_THAT(train, HasSubstr("    lora               lora (may be left out)\n"));
  EXPECT_THAT(train, HasSubstr("    validation         pictures (beside the result)\n"));
  EXPECT_THAT(atelier({"nodes", "sample"}).out, HasSubstr("    loras              lora (a list, may be left out)\n"));
}

TEST(Nodes, AnUnknownNodeIsToldThoughJsonIsAskedFor) {
  const auto finished = atelier({"nodes", "--json", "trian"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(finished.err, "no node is named 'trian'; did you mean 'train'?\n");
}

}  // namespace
}  // namespace atelier::test
