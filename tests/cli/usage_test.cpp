// What the program says to a user who mistypes.
#include <gtest/gtest.h>
#include <fstream>

#include "process.h"

namespace atelier::test {
namespace {

TEST(Usage, AnUnknownCommandSuggestsTheNearest) {
  const auto finished = atelier({"rnu", "x.yaml"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "atelier: unknown command 'rnu'; did you mean 'run'?\nTry 'atelier --help'.\n");
}

TEST(Usage, AnUnknownOptionSuggestsTheNearest) {
  const auto finished = atelier({"run", "x.yaml", "--device", "cpu:0"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "atelier: unknown option '--device'; did you mean '--devices'?\nTry 'atelier run --help'.\n");
}

struct WrongWords {
  const char* name;
  std::vector<std::string> words;
  std::string told;
};

class WrongUsage : public testing::TestWithParam<WrongWords> {};

TEST_P(WrongUsage, IsTold) {
  const auto finished = atelier(GetParam().words);
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, GetParam().told);
  EXPECT_EQ(finished.out, "");
}

const WrongWords usages[] = {
    {"NoCommand",
     {},
     "atelier: a command is missing; expected one of run, plan, report, validate, graph, nodes, new, schema, model, "
     "lora, cache, purge, doctor\n"
     "Try 'atelier --help'.\n"},
    {"NoCommandOfNew",
     {"new"},
     "atelier: a command is missing; expected one of pipeline, batch\nTry 'atelier new --help'.\n"},
    {"NoFolderOfNew", {"new", "batch"}, "atelier: DIR is required\nTry 'atelier new batch --help'.\n"},
    {"NoCommandOfModel",
     {"model"},
     "atelier: a command is missing; expected one of init, info, convert\nTry 'atelier model --help'.\n"},
    {"NoCommandOfCache",
     {"cache"},
     "atelier: a command is missing; expected one of ls, show, verify, gc\nTry 'atelier cache --help'.\n"},
    {"SizeThatIsNone",
     {"cache", "gc", "--max-size", "20X"},
     "atelier: --max-size: expects a size as in 20G or 500M, is '20X'\nTry 'atelier cache gc --help'.\n"},
    {"SizeBelowZero",
     {"cache", "gc", "--max-size=-1G"},
     "atelier: --max-size: expects a size as in 20G or 500M, is '-1G'\nTry 'atelier cache gc --help'.\n"},
    {"AgeWithoutUnit",
     {"cache", "gc", "--older-than", "30"},
     "atelier: --older-than: expects an age as in 12h, 30d or 8w, is '30'\nTry 'atelier cache gc --help'.\n"},
    {"NoRunsToKeep",
     {"cache", "gc", "--keep-last-runs", "0"},
     "atelier: --keep-last-runs: expects a whole number from 1 to 1000000, is '0'\n"
     "Try 'atelier cache gc --help'.\n"},
    {"NobodyToPurge", {"purge"}, "atelier: CUSTOMER is required\nTry 'atelier purge --help'.\n"},
    {"NoCommandOfLora",
     {"lora"},
     "atelier: a command is missing; expected one of info, diff, combine, resize, extract, fuse, convert, compare, "
     "check\nTry 'atelier lora --help'.\n"},
    {"UnknownCommandOfLora",
     {"lora", "substract", "a", "b"},
     "atelier: unknown command 'substract'\nTry 'atelier lora --help'.\n"},
    {"NoOutputOfLoraDiff", {"lora", "diff", "a", "b"}, "atelier: --out is required\nTry 'atelier lora diff --help'.\n"},
    {"NoNamingOfLoraConvert",
     {"lora", "convert", "a", "-o", "b"},
     "atelier: --to is required\nTry 'atelier lora convert --help'.\n"},
    {"ManyArgumentsBeforeAWrongRank",
     {"lora", "combine", "a", "b", "c", "-o", "d", "--rank", "0"},
     "atelier: --rank: expects a whole number from 1 to 65536, is '0'\nTry 'atelier lora combine --help'.\n"},
    {"EnergyOverOne",
     {"lora", "resize", "a", "-o", "b", "--energy", "90"},
     "atelier: --energy: expects a number over 0 and at most 1, is '90'\nTry 'atelier lora resize --help'.\n"},
    {"ErrorOfOne",
     {"lora", "resize", "a", "-o", "b", "--error", "1"},
     "atelier: --error: expects a number from 0 to below 1, is '1'\nTry 'atelier lora resize --help'.\n"},
    {"EnergyThatIsNoNumber",
     {"lora", "resize", "a", "-o", "b", "--energy", "nan"},
     "atelier: --energy: expects a number over 0 and at most 1, is 'nan'\nTry 'atelier lora resize --help'.\n"},
    {"EnergyAndError",
     {"lora", "resize", "a", "-o", "b", "--energy", "0.9", "--error", "0.1"},
     "atelier: --energy excludes --error\nTry 'atelier lora resize --help'.\n"},
    {"NegativeTolerance",
     {"lora", "compare", "a", "b", "--tolerance=-1"},
     "atelier: --tolerance: expects a number of at least 0, is '-1'\nTry 'atelier lora compare --help'.\n"},
    {"UnknownMethod",
     {"lora", "combine", "a", "-o", "b", "--method", "tise"},
     "atelier: --method: expects sum, ties or dare, is 'tise'; did you mean 'ties'?\n"
     "Try 'atelier lora combine --help'.\n"},
    {"UnknownNaming",
     {"lora", "convert", "a", "-o", "b", "--to", "koya"},
     "atelier: --to: expects kohya, diffusers or peft, is 'koya'; did you mean 'kohya'?\n"
     "Try 'atelier lora convert --help'.\n"},
    {"UnknownCommandOfModel",
     {"model", "int", "x"},
     "atelier: unknown command 'int'; did you mean 'init'?\nTry 'atelier model --help'.\n"},
    {"UnknownOptionOfModelInit",
     {"model", "init", "--wdith=64", "x"},
     "atelier: unknown option '--wdith'; did you mean '--width'?\nTry 'atelier model init --help'.\n"},
    {"UnknownOptionBeforeACommand",
     {"--hlep", "run"},
     "atelier: unknown option '--hlep'; did you mean '--help'?\nTry 'atelier --help'.\n"},
    {"UnknownShortOption",
     {"run", "-o", "x", "y"},
     "atelier: unknown option '-o'; did you mean '--only' or '--out'?\nTry 'atelier run --help'.\n"},
    {"UnknownLetter", {"doctor", "-x"}, "atelier: unknown option '-x'\nTry 'atelier doctor --help'.\n"},
    {"OneArgumentTooMany",
     {"run", "--set", "steps=3", "x", "y"},
     "atelier: 'y' is one argument too many\nTry 'atelier run --help'.\n"},
    {"NoBatch", {"run", "--only", "anna"}, "atelier: BATCH is required\nTry 'atelier run --help'.\n"},
    {"NoNumber",
     {"run", "x", "--cores", "0"},
     "atelier: --cores: expects a whole number from 1 to 4096, is '0'\nTry 'atelier run --help'.\n"},
    {"NoFailureToStopAt",
     {"run", "x", "--max-failures", "0"},
     "atelier: --max-failures: expects a whole number from 1 to 1000000, is '0'\nTry 'atelier run --help'.\n"},
    {"TooManyRetries",
     {"run", "x", "--retries", "101"},
     "atelier: --retries: expects a whole number from 0 to 100, is '101'\nTry 'atelier run --help'.\n"},
    {"HungWithoutUnit",
     {"run", "x", "--hung-after", "15"},
     "atelier: --hung-after: expects a time as in 90s, 30m or 2h, is '15'\nTry 'atelier run --help'.\n"},
    {"MemoryThatIsNoSize",
     {"run", "x", "--memory", "all"},
     "atelier: --memory: expects a size as in 20G or 500M, is 'all'\nTry 'atelier run --help'.\n"},
    {"NegativeSeed",
     {"model", "init", "--seed", "-1", "x"},
     "atelier: --seed: expects a whole number from 0 to 18446744073709551615, is '-1'\n"
     "Try 'atelier model init --help'.\n"},
    {"UnknownFormat",
     {"graph", "--format", "mermiad", "x"},
     "atelier: --format: expects dot or mermaid, is 'mermiad'; did you mean 'mermaid'?\n"
     "Try 'atelier graph --help'.\n"},
    {"UnknownDevice",
     {"run", "x", "--devices", "cup:0"},
     "--devices: 'cup:0' is not a device; expected cpu:0, cpu:1 … or cuda:0, cuda:1 …\n"},
};
INSTANTIATE_TEST_SUITE_P(Usages, WrongUsage, testing::ValuesIn(usages), [](const auto& one) { return one.param.name; });

TEST(Usage, CustomersOfOnlyEndAtTheComma) {
  const auto finished = atelier({"plan", "--only", "anna,ben", "no-such.yaml", "--out", "o"});
  EXPECT_EQ(finished.err, "no-such.yaml: there is no such file\n1 mistake; nothing was run.\n");
}

TEST(Usage, ValidateTellsMistakesAsJson) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "p.yaml") << "atelier: 1\nstpes: {}\nsteps: {}\n";
  const auto finished = atelier({"validate", "--json", "p.yaml"}, folder.path());
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.out,
            R"({
  "mistakes": [
    {
      "column": 1,
      "file": "p.yaml",
      "line": 2,
      "message": "unknown key 'stpes'; a pipeline has atelier, name, params, inputs, steps, outputs; did you mean 'steps'?"
    }
  ]
}
)");
}

TEST(Usage, ANameThatIsNoUtf8IsReplacedInJson) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "p\xFF.yaml") << "atelier: 1\n";
  const auto finished = atelier({"validate", "--json", "p\xFF.yaml"}, folder.path());
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_NE(finished.out.find("\"file\": \"p\uFFFD.yaml\""), std::string::npos) << finished.out;
}

TEST(Usage, ValidateKnowsAPipelineFromABatch) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "p.yaml")
      << "atelier: 1\ninputs: {photos: {type: photos}}\nsteps: {a: {use: load, in: {photos: photos}}}\n";
  EXPECT_EQ(atelier({"validate", "p.yaml"}, folder.path()).out, "p.yaml: a pipeline of 1 step, without mistakes\n");
  EXPECT_EQ(atelier({"validate", "p.yaml", "--set", "a=1"}, folder.path()).err,
            "--set a=1: p.yaml is a pipeline; expected a batch, or no --set\n");
}

TEST(Usage, EveryCommandHasAnExampleInItsHelp) {
  for (const char* command :
       {"run", "plan", "validate", "graph", "nodes", "new", "schema", "model", "lora", "doctor"}) {
    const auto finished = atelier({command, "--help"});
    EXPECT_EQ(finished.exit_code, 0) << command;
    EXPECT_NE(finished.out.find("Example:\n  atelier " + std::string(command)), std::string::npos) << finished.out;
  }
}

TEST(Usage, EveryCommandOfLoraHasAnExampleInItsHelp) {
  for (const char* command : {"info", "diff", "combine", "resize", "extract", "fuse", "convert", "compare", "check"}) {
    const auto finished = atelier({"lora", command, "--help"});
    EXPECT_EQ(finished.exit_code, 0) << command;
    EXPECT_NE(finished.out.find("Example:\n  atelier lora " + std::string(command)), std::string::npos) << finished.out;
  }
}

TEST(Usage, AMissingBatchIsToldWithoutAFault) {
  const auto finished = atelier({"validate", "no-such.yaml"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "no-such.yaml: there is no such file\n1 mistake; nothing was run.\n");
}

TEST(Usage, ASettingWithoutAValueIsTold) {
  const auto finished = atelier({"validate", "no-such.yaml", "--set", "steps"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "--set steps: expects NAME=VALUE, as in --set steps=60\n");
}

TEST(Usage, AnUnknownNodeSuggestsTheNearest) {
  const auto finished = atelier({"nodes", "trian"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, "no node is named 'trian'; did you mean 'train'?\n");
}

TEST(Usage, AModelIsNotMadeOverWhatIsThere) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  const auto finished = atelier({"model", "init", folder.path().string()});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_EQ(finished.err, folder.path().string() +
                              ": is there already and not an empty folder; give another name, or remove it first\n");
}

}  // namespace
}  // namespace atelier::test
