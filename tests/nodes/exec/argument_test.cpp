#include "exec/argument.h"

#include <gtest/gtest.h>

#include "exec/check_command.h"
#include "exec/exec_node.h"
#include "support/memory_files.h"
#include "types/captions.h"
#include "types/file.h"

namespace atelier {
namespace {

// "text|in files 2|out file .png"
std::string shown(std::string_view text) {
  const auto argument = parse_argument(text);
  if (!argument) return argument.error().message;
  std::string all;
  for (const auto& piece : *argument) {
    if (!all.empty()) all += '|';
    if (!piece.place) {
      all += piece.text;
      continue;
    }
    const bool is_input = piece.place->kind == FilePlace::Kind::input;
    all += (is_input ? "in " : "out ") + piece.place->port;
    if (is_input) all += " " + std::to_string(piece.place->number);
    if (!piece.place->ending.empty()) all += " " + piece.place->ending;
  }
  return all;
}

TEST(Argument, StandsForFilesWhereItSaysSo) {
  EXPECT_EQ(shown("{in:photos}"), "in photos 0");
  EXPECT_EQ(shown("{in:files:2}"), "in files 2");
  EXPECT_EQ(shown("{out:file}"), "out file");
  EXPECT_EQ(shown("{out:file.tar.gz}"), "out file .tar.gz");
  EXPECT_EQ(shown("--from={in:photos}/a --to={out:file}"), "--from=|in photos 0|/a --to=|out file");
}

TEST(Argument, IsTextInAllElse) {
  EXPECT_EQ(shown(""), "");
  EXPECT_EQ(shown("{print $1} ${HOME} {{in}} {\"in\": 1} {input:x}"),
            "{print $1} ${HOME} {{in}} {\"in\": 1} {input:x}");
}

TEST(Argument, TellsBracesThatAreWrong) {
  EXPECT_EQ(shown("a {in:photos"), "'{in:photos' lacks its closing brace");
  for (const char* text : {"{in:}", "{in:files:0}", "{in:files:x}", "{in:files:}", "{in:files:1x}", "{in:a/b}"})
    EXPECT_EQ(shown(text), "'" + std::string(text) +
                               "' is not understood; expected {in:PORT}, or {in:PORT:2} for the second of a list");
  for (const char* text : {"{out:}", "{out:file.}", "{out:file./../x}", "{out:.png}"})
    EXPECT_EQ(shown(text),
              "'" + std::string(text) +
                  "' is not understood; expected {out:PORT}, or {out:PORT.png} for a file whose name ends so");
}

// The sentences about a command of a node with the ports files and captions, joined by newlines.
std::string told(const std::vector<std::string>& command, const std::map<std::string, std::size_t>& connected) {
  MemoryFiles files;
  NodeRegistry types;
  types.add_type(make_file_type(files));
  types.add_type(make_metrics_type(files));
  types.add_type(make_captions_type(files));
  const auto node = make_exec(files, types, nullptr);
  std::string all;
  for (const auto& sentence : check_command(node->spec(), command, connected)) all += sentence + "\n";
  return all;
}

TEST(Command, IsRightWhereItsFilesAreThere) {
  EXPECT_EQ(told({"sort", "{in:files}", "-o", "{out:file}"}, {{"files", 2}}), "");
  EXPECT_EQ(told({"tool", "--to={out:file.png}", "{out:file.png}", "{out:metrics}", "{in:files:2}"}, {{"files", 2}}),
            "");
  EXPECT_EQ(told({"tool", "--from={in:files}", "{out:file}"}, {{"files", 1}}), "");
}

TEST(Command, TellsWhatIsWrongWithItsFiles) {
  EXPECT_EQ(told({}, {}), "param 'command': names no program; expected one, and its arguments\n");
  EXPECT_EQ(told({"ls"}, {}),
            "param 'command': makes no file; expected {out:file} where the command is told what to write\n");
  EXPECT_EQ(told({"ls", "{out:metrics}"}, {}),
            "param 'command': makes no file; expected {out:file} where the command is told what to write\n");
  EXPECT_EQ(told({"cp", "{in:file}", "{out:fiel}"}, {}),
            "param 'command': '{in:file}' names no input; expected one of files, captions, metrics; did you mean "
            "'files'?\n"
            "param 'command': '{out:fiel}' names no output; expected one of file, metrics; did you mean 'file'?\n");
  EXPECT_EQ(told({"cp", "{in:captions}", "{out:file}"}, {}),
            "param 'command': nothing is connected to the port 'captions', which '{in:captions}' names\n");
  EXPECT_EQ(told({"cp", "{in:files:3}", "{out:file}"}, {{"files", 2}}),
            "param 'command': '{in:files:3}' is more than the port has: 2 connected\n");
  EXPECT_EQ(told({"cat", "--from={in:files}", "{out:file}"}, {{"files", 2}}),
            "param 'command': '{in:files}' stands for 2 files, which need an argument of their own; expected "
            "{in:files:1} for the first\n");
  EXPECT_EQ(told({"tool", "{out:file.png}", "{out:file.jpg}"}, {}),
            "param 'command': '{out:file.png}' and '{out:file.jpg}' name one file; expected one ending\n");
}

TEST(Command, TellsSettingsOfItsEnvironmentThatAreNone) {
  EXPECT_TRUE(check_environment({"A=1", "B="}).empty());
  EXPECT_EQ(check_environment({"A", "=1"}),
            (std::vector<std::string>{"param 'environment': 'A' sets nothing; expected NAME=VALUE",
                                      "param 'environment': '=1' sets nothing; expected NAME=VALUE"}));
}

}  // namespace
}  // namespace atelier
