#include "pipeline/yaml_tree.h"

#include <gtest/gtest.h>

#include "pipeline_case.h"

namespace atelier {
namespace {

std::string told(std::string_view text) {
  MistakeList mistakes;
  read_yaml("f", text, mistakes);
  return lines(mistakes.sorted());
}

YamlTree tree_of(std::string_view text) {
  MistakeList mistakes;
  YamlTree tree = read_yaml("f", text, mistakes);
  EXPECT_EQ(lines(mistakes.sorted()), "");
  EXPECT_TRUE(tree.whole);
  return tree;
}

// "2:3" of a node or key.
template <class T>
std::string place(const T& thing) {
  return std::to_string(thing.line) + ":" + std::to_string(thing.column);
}

TEST(YamlTree, MapsListsAndScalarsKeepTheirPlaces) {
  const YamlTree tree = tree_of("a: 1\nb:\n  - x\n  - {c: \"y\"}\n");
  EXPECT_EQ(place(tree.root.keys[1]), "2:1");
  EXPECT_EQ(place(*tree.root.find("a")), "1:4");
  const YamlNode& list = *tree.root.find("b");
  EXPECT_EQ(list.kind, YamlNode::Kind::list);
  EXPECT_EQ(place(list.items[0]), "3:5");
  EXPECT_EQ(place(*list.items[1].find("c")), "4:9");
}

TEST(YamlTree, ColumnsCountCodePoints) {
  const YamlTree tree = tree_of("ü: [ é, 漢, b]\n");
  EXPECT_EQ(place(tree.root.items[0].items[2]), "1:12");
}

TEST(YamlTree, ColumnsOfManyEntriesOfOneLineAreRight) {
  const YamlTree tree = tree_of("{é: 1, ü: {ö: [é]}, z: 3}");
  EXPECT_EQ(place(tree.root.keys[0]), "1:2");
  EXPECT_EQ(place(tree.root.items[1].items[0].items[0]), "1:16");
  EXPECT_EQ(place(*tree.root.find("z")), "1:24");
}

TEST(YamlTree, AnEmptyValueStandsWhereItsKeyStands) {
  const YamlTree tree = tree_of("a:\nb: ~\nnull_is_no_key: {c, d: }\n");
  EXPECT_EQ(place(*tree.root.find("a")), "1:1");
  EXPECT_EQ(tree.root.find("a")->kind, YamlNode::Kind::empty);
  EXPECT_EQ(place(*tree.root.find("b")), "2:1");
  EXPECT_EQ(place(*tree.root.items[2].find("d")), "3:21");
}

TEST(YamlTree, AScalarStaysAsItIsWritten) {
  const YamlTree tree = tree_of("a: 010\nb: no\nc: '010'\n");
  EXPECT_EQ(tree.root.find("a")->text, "010");
  EXPECT_EQ(tree.root.find("b")->text, "no");
  EXPECT_FALSE(tree.root.find("b")->quoted);
  EXPECT_TRUE(tree.root.find("c")->quoted);
}

TEST(YamlTree, ABlockTextIsQuoted) {
  const YamlTree tree = tree_of("a: |\n  1\n  2\nb: >-\n  x\n  y\n");
  EXPECT_EQ(tree.root.find("a")->text, "1\n2\n");
  EXPECT_TRUE(tree.root.find("a")->quoted);
  EXPECT_EQ(tree.root.find("b")->text, "x y");
}

TEST(YamlTree, ABlockTextOnAnExclamationMarkIsNoTag) { EXPECT_EQ(told("a: \"!x\"\nb: '!'\nc: >\n  !\n"), ""); }

TEST(YamlTree, ByteOrderMarkAndWindowsLineBreaksAreFine) {
  const YamlTree tree = tree_of(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: 2\r\n");
  EXPECT_EQ(place(*tree.root.find("b")), "2:4");
  EXPECT_EQ(tree.root.find("b")->text, "2");
}

TEST(YamlTree, AnEmptyTextIsEmpty) { EXPECT_EQ(tree_of("# nothing\n").root.kind, YamlNode::Kind::empty); }

TEST(YamlTree, OneDocumentMayHaveItsMarks) { EXPECT_EQ(told("%YAML 1.2\n---\na: 1\n...\n"), ""); }

TEST(YamlTree, SixtyFourLevelsAreFine) { EXPECT_EQ(told(std::string(64, '[') + std::string(64, ']')), ""); }

struct WrongText {
  const char* name;
  std::string text;
  std::string told;
};

class WrongYaml : public testing::TestWithParam<WrongText> {};
TEST_P(WrongYaml, IsTold) { EXPECT_EQ(told(GetParam().text), GetParam().told); }

const WrongText refused[] = {
    {"Anchor", "a: &x 1\nb: 2\n", "f:1:4: anchor '&x'; expected no anchors: write a param and '${name}' instead\n"},
    {"Alias", "a: &x 1\nb: *x\n",
     "f:1:4: anchor '&x'; expected no anchors: write a param and '${name}' instead\n"
     "f:2:4: an alias; expected the value itself, or a param and '${name}'\n"},
    {"UnknownAlias", "b: *x\n", "f:1:4: an alias; expected the value itself, or a param and '${name}'\n"},
    {"MergeKey", "a: &x {b: 1}\nc:\n  <<: *x\n",
     "f:1:4: anchor '&x'; expected no anchors: write a param and '${name}' instead\n"
     "f:3:3: merge key '<<'; expected every key to be written out\n"},
    {"Tag", "a: !!str 3\n", "f:1:4: tag '!!str'; expected no tags: quotes make a value text\n"},
    {"OwnTag", "a: !dog {b: c}\n", "f:1:4: tag '!dog'; expected no tags: quotes make a value text\n"},
    {"LoneTag", "a: ! x\n", "f:1:4: tag '!'; expected no tags: quotes make a value text\n"},
    {"SecondDocument", "a: 1\n---\nb: 2\n", "f:2:1: a second document; expected one document a file\n"},
    {"TextAfterTheEnd", "a: 1\n...\nb: 2\n", "f:3:1: a second document; expected one document a file\n"},
    {"Tab", "a:\n  b: 1\n\tc: 2\n", "f:3:1: a tab in the indentation; expected spaces\n"},
    {"TabAfterSpaces", "a:\n  \tb: 1\n", "f:2:3: a tab in the indentation; expected spaces\n"},
    {"Nul", std::string("a: 1\nb: \0\n", 10), "f:2:4: a NUL byte; expected a text in UTF-8\n"},
    {"Control", "a: 1\nb: x\x04y\n", "f:2:5: control character U+0004; expected a text without any\n"},
    {"Latin1", "a: \xE9t\xE9\n", "f:1:4: byte 0xE9 is not UTF-8; expected a text in UTF-8\n"},
    {"Overlong", "\xC3\xA9: \xC0\xAF\n", "f:1:4: byte 0xC0 is not UTF-8; expected a text in UTF-8\n"},
    {"Surrogate", "a: \xED\xA0\x80\n", "f:1:4: byte 0xED is not UTF-8; expected a text in UTF-8\n"},
    {"CutOff", "a: \xE6\xBC", "f:1:4: byte 0xE6 is not UTF-8; expected a text in UTF-8\n"},
    {"TooLong", std::string((4 << 20) + 1, ' '), "f: has 4194305 bytes; expected at most 4 MB\n"},
    {"TooDeep", std::string(65, '[') + std::string(65, ']'),
     "f:1:65: lists and maps stand in each other; expected at most 64 levels\n"},
    {"DuplicateKey", "a: 1\nb: 2\na: 3\n", "f:3:1: duplicate key 'a'; expected each key once, and line 1 has it\n"},
    {"DuplicateKeyInBraces", "{a: 1, \"a\": 2}\n",
     "f:1:8: duplicate key 'a'; expected each key once, and line 1 has it\n"},
    {"KeyThatIsAList", "? [a]\n: b\n", "f:1:3: a key that is no text; expected a name\n"},
    {"KeyThatIsNothing", ": b\n", "f:1:1: a key that is no text; expected a name\n"},
};
INSTANTIATE_TEST_SUITE_P(Refused, WrongYaml, testing::ValuesIn(refused),
                         [](const auto& one) { return one.param.name; });

const WrongText syntax[] = {
    {"OpenMap", "a: {b: c\n",
     "f:2:1: syntax error in '{…}'; expected ',' or '}' here; a text that holds braces, such as \"${name}\", needs "
     "quotes\n"},
    {"BracesWithoutQuotes", "a: {b: ${c}}\n",
     "f:1:9: syntax error in '{…}'; expected ',' or '}' here; a text that holds braces, such as \"${name}\", needs "
     "quotes\n"},
    {"OpenList", "a: [b\n",
     "f:2:1: syntax error in '[…]'; expected ',' or ']' here; a text that holds brackets or braces needs quotes\n"},
    {"ClosedOnly", "a: }\n",
     "f:1:4: syntax error: a bracket closes that was not opened; a text that holds one needs quotes\n"},
    {"TwoColons", "a: b: c\n",
     "f:1:5: syntax error: a ':' where no value can stand; expected the same indentation for all keys of a map, and "
     "quotes around a text that holds ': '\n"},
    {"Indentation", "é:\n  ü: 1\n c: 2\n",
     "f:3:2: syntax error in a map; expected 'key: value' at the indentation of the other keys\n"},
    {"ListInAMap", "a: 1\n- b\n",
     "f:2:1: syntax error in a map; expected 'key: value' at the indentation of the other keys\n"},
    {"MapInAList", "- a\nb: 1\n",
     "f:2:1: syntax error: this belongs to nothing above; expected the indentation of what it belongs to\n"},
    {"TextAfterAText", "- \"a\" \"b\"\n",
     "f:1:7: syntax error in a list; expected '- item' at the indentation of the other items\n"},
    {"ListOnTheLine", "a: - b\n",
     "f:1:4: syntax error: a '-' where no list can begin; expected it on a line of its own\n"},
    {"KeyOnTheLine", "a: ? b\n", "f:1:4: syntax error: a key where none can stand; expected it on a line of its own\n"},
    {"OpenQuote", "a: \"b\n", "f:1:4: syntax error: this quote is not closed; expected one at the end of the text\n"},
    {"OpenSingleQuote", "a: 'b''\nc: d\n",
     "f:1:4: syntax error: this quote is not closed; expected one at the end of the text\n"},
    {"OpenQuoteOnTheLastLine", "a: \"\\\"",
     "f:1:7: syntax error: the text ends within quotes; expected the closing quote\n"},
    {"DocumentInQuotes", "a: \"b\n---\n\"\n",
     "f:2:1: syntax error: '---' or '...' within quotes; expected the closing quote\n"},
    {"Escape", "a: \"\\q\"\n",
     "f:1:7: syntax error: an unknown '\\' sequence in double quotes; expected '\\\\' for a backslash, or single "
     "quotes\n"},
    {"Hexadecimal", "a: \"\\xg\"\n",
     "f:1:9: syntax error: a '\\x', '\\u' or '\\U' in double quotes without its hexadecimal digits\n"},
    {"Unicode", "a: \"\\ud800\"\n",
     "f:1:11: syntax error: a '\\u' or '\\U' in double quotes that names no character\n"},
    {"At", "a: @b\n",
     "f:1:4: syntax error: a value cannot begin with this character; expected quotes around a text that "
     "does\n"},
    {"Other", "a: &\n", "f:1:5: syntax error: anchor not found after &; expected YAML\n"},
    {"AfterADuplicate", "a: 1\na: 2\nb: }\n",
     "f:2:1: duplicate key 'a'; expected each key once, and line 1 has it\n"
     "f:3:4: syntax error: a bracket closes that was not opened; a text that holds one needs quotes\n"},
};
INSTANTIATE_TEST_SUITE_P(Syntax, WrongYaml, testing::ValuesIn(syntax), [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace atelier
