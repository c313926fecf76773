#include "diffusion/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace atelier::diffusion {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr double kUp = 1.1, kDown = 1 / 1.1;

/// Weights are products in floating point: equal to the last bits.
MATCHER_P2(Part, text, weight, "") {
  return arg.text == std::string(text) && std::abs(arg.weight - weight) < 1e-12 && !arg.starts_chunk;
}
MATCHER_P2(Chunk, text, weight, "begins a chunk") {
  return arg.text == std::string(text) && std::abs(arg.weight - weight) < 1e-12 && arg.starts_chunk;
}

std::vector<PromptPart> parts(std::string_view prompt) {
  const auto parsed = parse_prompt(prompt);
  if (parsed) return parsed->parts;
  ADD_FAILURE() << parsed.error().message;
  return {};
}
std::string error_of(std::string_view prompt) {
  const auto parsed = parse_prompt(prompt);
  return parsed ? "" : parsed.error().message;
}

TEST(Prompt, WithoutBracketsIsOnePartAsItStands) {
  EXPECT_THAT(parts("a photo of sks, 3:2, 8 o'clock"), ElementsAre(Part("a photo of sks, 3:2, 8 o'clock", 1)));
  EXPECT_THAT(parts(""), ElementsAre(Part("", 1)));
  EXPECT_THAT(parts("  été \n "), ElementsAre(Part("  été \n ", 1)));
}

TEST(Prompt, RoundBracketsRaiseAndSquareOnesLower) {
  EXPECT_THAT(parts("a (red) hat"), ElementsAre(Part("a ", 1), Part("red", kUp), Part(" hat", 1)));
  EXPECT_THAT(parts("a [red] hat"), ElementsAre(Part("a ", 1), Part("red", kDown), Part(" hat", 1)));
}

TEST(Prompt, ANumberIsTheWeightOfARoundBracket) {
  EXPECT_THAT(parts("(red:1.5)"), ElementsAre(Part("red", 1.5)));
  EXPECT_THAT(parts("(red : 0.25 ) hat"), ElementsAre(Part("red ", 0.25), Part(" hat", 1)));
  EXPECT_THAT(parts("(red:+2)"), ElementsAre(Part("red", 2)));
  EXPECT_THAT(parts("(red:-.5)"), ElementsAre(Part("red", -0.5)));
  EXPECT_THAT(parts("(red:0)"), ElementsAre(Part("red", 0)));
  EXPECT_THAT(parts("(ratio 3:2:1.)"), ElementsAre(Part("ratio 3:2", 1)));
}

TEST(Prompt, BracketsNestAndMultiply) {
  EXPECT_THAT(parts("((red))"), ElementsAre(Part("red", kUp * kUp)));
  EXPECT_THAT(parts("([red])"), ElementsAre(Part("red", 1)));
  EXPECT_THAT(parts("a (big (red:1.5) old:2) hat"),
              ElementsAre(Part("a ", 1), Part("big ", 2), Part("red", 3), Part(" old", 2), Part(" hat", 1)));
  EXPECT_THAT(parts("one (((two:1.3)) [three] (four:0.5), five, (((six)))."),
              ElementsAre(Part("one ", 1), Part("two", 1.3 * kUp * kUp), Part(" ", kUp), Part("three", kUp * kDown),
                          Part(" ", kUp), Part("four", 0.5 * kUp), Part(", five, ", kUp),
                          Part("six", kUp * kUp * kUp * kUp), Part(".", kUp)));
}

TEST(Prompt, PartsOfOneWeightAreJoined) {
  EXPECT_THAT(parts("(red)(hat)"), ElementsAre(Part("redhat", kUp)));
  EXPECT_THAT(parts("(red:1) hat"), ElementsAre(Part("red hat", 1)));
  EXPECT_THAT(parts("a\\(b\\)"), ElementsAre(Part("a(b)", 1)));
}

TEST(Prompt, ABackslashMakesABracketItself) {
  EXPECT_THAT(parts(R"(\(red\) \[hat\] \\)"), ElementsAre(Part(R"((red) [hat] \)", 1)));
  EXPECT_THAT(parts(R"((\)red))"), ElementsAre(Part(")red", kUp)));
  EXPECT_THAT(parts(R"((red\:1.5))"), ElementsAre(Part("red", 1.5))) << "only brackets and backslashes are escaped";
  EXPECT_THAT(parts(R"((red:1.5\))"), ElementsAre(Part("red:1.5)", kUp)));
}

TEST(Prompt, ABackslashBeforeAnythingElseIsDropped) {
  EXPECT_THAT(parts(R"(a\b)"), ElementsAre(Part("ab", 1)));
  EXPECT_THAT(parts("a\\"), ElementsAre(Part("a", 1)));
}

TEST(Prompt, ABracketThatIsNeverClosedLastsToTheEnd) {
  EXPECT_THAT(parts("a (red hat"), ElementsAre(Part("a ", 1), Part("red hat", kUp)));
  EXPECT_THAT(parts("a [red hat"), ElementsAre(Part("a ", 1), Part("red hat", kDown)));
  EXPECT_THAT(parts("((red) hat"), ElementsAre(Part("red", kUp * kUp), Part(" hat", kUp)));
  EXPECT_THAT(parts("(red:1.5"), ElementsAre(Part("red:1.5", kUp)));
}

TEST(Prompt, ABracketThatWasNeverOpenedIsItself) {
  EXPECT_THAT(parts("red) hat]"), ElementsAre(Part("red) hat]", 1)));
  EXPECT_THAT(parts("red:1.5) hat"), ElementsAre(Part("red:1.5) hat", 1)));
  EXPECT_THAT(parts("[red)]"), ElementsAre(Part("red)", kDown)));
}

TEST(Prompt, BracketsOfTwoKindsMayCross) {
  EXPECT_THAT(parts("(a[b)c]"), ElementsAre(Part("a", kUp), Part("b", kUp * kDown), Part("c", kDown)));
}

TEST(Prompt, EmptyBracketsSayNothing) {
  EXPECT_THAT(parts("()[]"), ElementsAre(Part("", 1)));
  EXPECT_THAT(parts("(:1.5)"), ElementsAre(Part("", 1)));
}

TEST(Prompt, BreakBeginsAChunk) {
  EXPECT_THAT(parts("a hat BREAK blue sky"), ElementsAre(Part("a hat", 1), Chunk("blue sky", 1)));
  EXPECT_THAT(parts("a BREAK\n BREAK b"), ElementsAre(Part("a", 1), Chunk("", 1), Chunk("b", 1)));
  EXPECT_THAT(parts("BREAK a"), ElementsAre(Part("", 1), Chunk("a", 1)));
  EXPECT_THAT(parts("a BREAK"), ElementsAre(Part("a", 1), Chunk("", 1)));
  EXPECT_THAT(parts("a,BREAK,b"), ElementsAre(Part("a,", 1), Chunk(",b", 1)));
}

TEST(Prompt, OnlyTheWholeWordInCapitalsBreaks) {
  EXPECT_THAT(parts("break BREAKFAST OUTBREAK BREAK_IN éBREAK"),
              ElementsAre(Part("break BREAKFAST OUTBREAK BREAK_IN éBREAK", 1)));
}

TEST(Prompt, BreakWithinBracketsKeepsTheWeight) {
  EXPECT_THAT(parts("(a BREAK b:1.5) c"), ElementsAre(Part("a", 1.5), Chunk("b", 1.5), Part(" c", 1)));
}

TEST(Prompt, TellsOfAWeightThatIsNoNumber) {
  EXPECT_EQ(error_of("a (red:1.2.3) hat"),
            "the prompt \"a (red:1.2.3) hat\": the weight '1.2.3' is not a number; for the bracket itself write \\)");
  EXPECT_EQ(error_of("(:.)"), "the prompt \"(:.)\": the weight '.' is not a number; for the bracket itself write \\)");
  const auto huge = std::string(400, '9');
  EXPECT_EQ(error_of("(red:" + huge + ")"), "the prompt \"(red:" + huge + ")\": the weight '" + huge +
                                                "' is not a number; for the bracket itself write \\)");
}

TEST(Prompt, RefusesWhatChangesBetweenSteps) {
  EXPECT_EQ(error_of("a [cat:dog:0.5]"),
            "the prompt \"a [cat:dog:0.5]\": '[cat:dog:0.5]' changes the prompt between steps, which is not supported; "
            "for the brackets themselves write \\[ and \\]");
  EXPECT_EQ(error_of("[cat|dog] x"),
            "the prompt \"[cat|dog] x\": '[cat|dog]' changes the prompt between steps, which is not supported; for the "
            "brackets themselves write \\[ and \\]");
  EXPECT_THAT(parts("[(cat:1.5)]"), ElementsAre(Part("cat", 1.5 * kDown)));
  EXPECT_THAT(parts("[a: b] c|d"), ElementsAre(Part("a: b", kDown), Part(" c|d", 1)));
  EXPECT_THAT(parts(R"([a\|b])"), ElementsAre(Part("a|b", kDown)));
}

TEST(Prompt, LorasAreTakenOutOfTheText) {
  const auto parsed = parse_prompt("a <lora:style:0.7> hat <lora:anna> (x<lora:old film:-1>:2)");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(parsed->loras, ElementsAre(LoraChoice{"style", 0.7}, LoraChoice{"anna", 1}, LoraChoice{"old film", -1}));
  EXPECT_THAT(parsed->parts, ElementsAre(Part("a  hat  ", 1), Part("x", 2)));
}

TEST(Prompt, OtherAngleBracketsAreText) {
  EXPECT_THAT(parts("<sks> <3 a < b"), ElementsAre(Part("<sks> <3 a < b", 1)));
  EXPECT_THAT(parse_prompt("<sks>")->loras, IsEmpty());
}

TEST(Prompt, TellsOfLorasThatAreMalformed) {
  EXPECT_EQ(error_of("a <lora:style:0.7"),
            "the prompt \"a <lora:style:0.7\": '<lora:style:0.7' has no '>'; write <lora:name:weight>");
  EXPECT_EQ(error_of("<lora::1>"), "the prompt \"<lora::1>\": '<lora::1>' names no LoRA; write <lora:name:weight>");
  EXPECT_EQ(error_of("<lora:a:much>"),
            "the prompt \"<lora:a:much>\": the weight 'much' in '<lora:a:much>' is not a number; write "
            "<lora:name:weight>");
  EXPECT_EQ(error_of("<lora:a:1:0.5>"),
            "the prompt \"<lora:a:1:0.5>\": the weight '1:0.5' in '<lora:a:1:0.5>' is not a number; write "
            "<lora:name:weight>");
  EXPECT_EQ(error_of("<lora:a:>"),
            "the prompt \"<lora:a:>\": the weight '' in '<lora:a:>' is not a number; write <lora:name:weight>");
  EXPECT_EQ(error_of("x <hypernet:h:1>"),
            "the prompt \"x <hypernet:h:1>\": '<hypernet:h:1>' is not supported; only <lora:name:weight> is");
}

TEST(Prompt, ChoosesAmongTheLorasThatWereGiven) {
  const std::vector<std::string> given{"style", "anna", "film"};
  const std::vector<LoraChoice> choices{{"anna", 0.5}, {"style", 2}, {"anna", 0.25}};
  const auto weights = chosen_weights(choices, given);
  ASSERT_TRUE(weights) << weights.error().message;
  EXPECT_THAT(*weights, ElementsAre(std::optional(2.0), std::optional(0.75), std::nullopt));
  EXPECT_THAT(chosen_weights({}, given).value(), ElementsAre(std::nullopt, std::nullopt, std::nullopt));
}

TEST(Prompt, ListsTheGivenLorasWhereItNamesAnother) {
  const std::vector<std::string> given{"style", "anna"};
  const std::vector<LoraChoice> choices{{"ana", 1}};
  EXPECT_EQ(chosen_weights(choices, given).error().message,
            "the prompt names the LoRA 'ana', which was not given; given: style, anna");
  EXPECT_EQ(chosen_weights(choices, {}).error().message, "the prompt names the LoRA 'ana', but none was given");
}

TEST(Prompt, ALiteralTextHasNoGrammar) {
  const auto literal = literal_prompt("(a) [b] BREAK <lora:x:1>");
  EXPECT_THAT(literal.parts, ElementsAre(Part("(a) [b] BREAK <lora:x:1>", 1)));
  EXPECT_THAT(literal.loras, IsEmpty());
}

// Laws over random prompts: whatever it is, the parser ends, keeps all letters in order, and an escaped text is itself.
TEST(Prompt, KeepsEveryLetterInOrderWhateverTheBrackets) {
  std::mt19937 random(7);
  constexpr std::string_view kAlphabet = "ab(c)[d]\\:1.2 ";
  for (int round = 0; round < 2000; ++round) {
    std::string prompt, letters;
    for (int i = 0; i < 24; ++i) prompt += kAlphabet[random() % kAlphabet.size()];
    const auto parsed = parse_prompt(prompt);
    if (!parsed) continue;
    for (const char c : prompt) letters += c >= 'a' && c <= 'd' ? std::string(1, c) : "";
    std::string kept;
    for (const auto& part : parsed->parts) {
      for (const char c : part.text) kept += c >= 'a' && c <= 'd' ? std::string(1, c) : "";
      EXPECT_TRUE(std::isfinite(part.weight)) << prompt;
    }
    ASSERT_EQ(kept, letters) << prompt;
    std::string escaped;
    for (const char c : prompt)
      escaped += (std::string_view("()[]\\").find(c) != std::string_view::npos ? "\\" : "") + std::string(1, c);
    ASSERT_THAT(parts(escaped), ElementsAre(Part(prompt, 1))) << escaped;
  }
}

}  // namespace
}  // namespace atelier::diffusion
