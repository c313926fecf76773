// Files that somebody, or something, got wrong: whatever is done to a right pipeline and batch, reading them ends, and
// every mistake has a place and a sentence.
#include <gtest/gtest.h>

#include <array>

#include "base/random.h"
#include "pipeline/yaml_tree.h"
#include "pipeline_case.h"

namespace atelier {
namespace {

const std::string pipeline = R"(atelier: 1
name: tale
params: {times: 2, mark: "!", share: 0.5, names: [a, 'b']}
inputs:
  style: {type: text, scope: batch}
  story: {type: text}
steps:
  prepared: {use: ./m.yaml, in: {raw: story}, with: {count: "${times}"}}
  loud: {use: shout, in: {text: prepared.end}, with: {times: "${times}", mark: "${mark} $${x}"}}
  all: {use: join, in: {parts: [loud, prepared.start, style]}}
  mix:
    use: blend
    in: {base: all, parts: [loud]}
    with: {weights: ["${share}"]}
  many: {use: params, in: {text: all}, with: {label: "é ${customer}", names: "${names}"}}
outputs:
  all: {from: all, path: "${customer}/all.txt"}
  mix: {from: mix, path: "${customer}/mix/"}
)";

const std::string module = R"(atelier: 1
params: {count: 1}
inputs: {raw: {type: text}}
steps:
  cut: {use: split, in: {text: raw}, with: {at: "${count}"}}
outputs: {start: {from: cut.head}, end: {from: cut.tail}}
)";

const std::string night = R"(atelier: 1
pipeline: p.yaml
inputs: {style: s.txt}
params: {times: 3}
customers:
  - {id: anna, story: a.txt, params: {share: 1, names: [x]}}
  - id: ben
    story: b.txt
)";

const std::string csv = "id,story,times\r\nanna,a.txt,3\r\n\"ben\",\"b.txt\",\r\n";

// What people and broken editors put into files.
const std::array<std::string, 40> scraps{
    " ",    "\n",   "\t", ":",  ": ", "-",  "- ",      "{",   "}",  "[",  "]",
    "\"",   "'",    "${", "}",  "$",  "&a", "*a",      "!t ", "<<", "#",  "---",
    "...",  "?",    "|",  ">",  "%",  "@",  "0",       "no",  "~",  "\r", std::string("\0", 1),
    "\x04", "\xFF", "é",  "..", "/",  ",",  "customer"};

class Mutations : public testing::Test {
 protected:
  std::string mutated(std::string text) {
    const std::uint64_t changes = 1 + random_.below(4);
    for (std::uint64_t i = 0; i < changes && !text.empty(); ++i) {
      const std::size_t at = random_.below(text.size());
      const std::size_t length = std::min<std::size_t>(random_.below(12), text.size() - at);
      switch (random_.below(5)) {
        case 0:
          text.erase(at, length);
          break;
        case 1:
          text.insert(at, scraps[random_.below(scraps.size())]);
          break;
        case 2:
          text.replace(at, length, scraps[random_.below(scraps.size())]);
          break;
        case 3:
          text.insert(random_.below(text.size()), text.substr(at, length));
          break;
        default:
          text[at] = static_cast<char>(random_.below(256));
      }
    }
    return text;
  }

  void check(const Mistakes& mistakes, const std::string& text) {
    EXPECT_FALSE(mistakes.empty()) << text;
    for (const auto& mistake : mistakes) {
      EXPECT_FALSE(mistake.position.file.empty()) << text;
      EXPECT_GE(mistake.position.line, 0) << text;
      EXPECT_EQ(mistake.position.line == 0, mistake.position.column == 0) << mistake.text() << "\n" << text;
      EXPECT_FALSE(mistake.message.empty()) << text;
      EXPECT_EQ(mistake.text().find('\n'), std::string::npos) << mistake.text();
    }
  }

  void put_right_files() {
    for (const auto& [path, text] : std::map<std::string, std::string>{{"/p.yaml", pipeline},
                                                                       {"/m.yaml", module},
                                                                       {"/night.yaml", night},
                                                                       {"/c.csv", csv},
                                                                       {"/s.txt", ""},
                                                                       {"/a.txt", ""},
                                                                       {"/b.txt", ""}})
      world_.files.put(path, text);
  }

  void run(const std::string& path, const std::string& text, int rounds) {
    put_right_files();
    if (path == "/c.csv")
      world_.files.put("/night.yaml", "atelier: 1\npipeline: p.yaml\ninputs: {style: s.txt}\ncustomers: c.csv\n");
    ASSERT_EQ(world_.night_mistakes(), "");
    int wrong = 0;
    for (int i = 0; i < rounds; ++i) {
      const std::string other = mutated(text);
      world_.files.put(path, other);
      if (const auto loaded = world_.load_night(); !loaded) {
        ++wrong;
        check(loaded.error(), other);
      }
    }
    EXPECT_GT(wrong, rounds / 4);
  }

  PipelineCase world_;
  RandomStream random_{7, "mutations", Digest{}};
};

constexpr int rounds = 1500;

TEST_F(Mutations, OfAPipelineEndInMistakesWithPlaces) { run("/p.yaml", pipeline, rounds); }
TEST_F(Mutations, OfAModuleEndInMistakesWithPlaces) { run("/m.yaml", module, rounds); }
TEST_F(Mutations, OfABatchEndInMistakesWithPlaces) { run("/night.yaml", night, rounds); }
TEST_F(Mutations, OfACsvFileEndInMistakesWithPlaces) { run("/c.csv", csv, rounds); }

TEST_F(Mutations, HostileTextsEnd) {
  MistakeList mistakes;
  for (const std::string part : {"[",   "{",   "? ",   "- ", "a: ", "[{",   "\"",   "'",    "|\n", "&a ",
                                 "*a ", "!a ", "{a: ", "%",  "#",   "a:\n", "- - ", "--- ", "\n ", "é"}) {
    std::string text;
    while (text.size() < 200'000) text += part;
    read_yaml("f", text, mistakes);
  }
  for (const auto& mistake : mistakes.sorted()) EXPECT_FALSE(mistake.message.empty());
}

}  // namespace
}  // namespace atelier
