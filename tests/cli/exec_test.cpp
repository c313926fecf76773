// Commands as steps, as a user meets them: off unless they are allowed, ended at their time, told where they fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "process.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class EndToEndExec : public testing::Test {
 protected:
  // A batch of one customer whose only step runs `command`, a YAML list.
  void write(const std::string& command, const std::string& more = "") {
    std::ofstream(folder.path() / "pipeline.yaml")
        << "atelier: 1\nname: p\ninputs: {note: {type: file}}\nsteps:\n  said: {use: exec, in: {files: [note]}, with: "
           "{command: "
        << command << "}" << more << "}\noutputs:\n  said: {from: said, path: \"${customer}.txt\"}\n";
    std::ofstream(folder.path() / "batch.yaml")
        << "atelier: 1\npipeline: pipeline.yaml\ncustomers:\n  - {id: anna, note: note.txt}\n";
    std::ofstream(folder.path() / "note.txt") << "a note\n";
  }
  Finished call(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{name, "batch.yaml"};
    words.insert(words.end(), more.begin(), more.end());
    return atelier(words, folder.path());
  }
  std::vector<std::string> run_words() const {
    return {"--allow-exec", "--cache", "cache", "--out", "out", "--devices", "cpu:0", "--retries", "0"};
  }
  // What the failed step's log says.
  std::string step_log() const {
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / "out/runs"))
      if (entry.path().extension() == ".log") return read_file(entry.path());
    return "";
  }

  TemporaryFolder folder;
};

constexpr const char* kCopy = "[cp, '{in:files}', '{out:file}']";

TEST_F(EndToEndExec, IsAMistakeUnlessItIsAllowed) {
  write(kCopy);
  const std::string told =
      "pipeline.yaml:5:3: step 'said': runs a command, and commands are off; expected --allow-exec on the command "
      "line, "
      "for a pipeline that you trust\n1 mistake; nothing was run.\n";
  for (const char* name : {"run", "plan", "validate"}) {
    const auto finished = call(name);
    EXPECT_EQ(finished.exit_code, 2) << name;
    EXPECT_EQ(finished.err, told) << name;
  }
  EXPECT_EQ(call("validate", {"--allow-exec"}).exit_code, 0);
  EXPECT_EQ(call("graph").exit_code, 0) << "a drawing runs nothing";
}

TEST_F(EndToEndExec, RunsOnceForTheSameArgumentsAndInputs) {
  write(kCopy);
  const auto first = call("run", run_words());
  EXPECT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_EQ(read_file(folder.path() / "out/anna.txt"), "a note\n");
  EXPECT_THAT(call("run", run_words()).out, HasSubstr("nothing to do: "));
}

TEST_F(EndToEndExec, LeavesWhatAFailedCommandSaidInTheStepsLog) {
  write("[sh, -c, 'for i in 1 2 3 4 5; do echo line $i; done; exit 7', '{out:file}']");
  const auto finished = call("run", run_words());
  EXPECT_EQ(finished.exit_code, 3) << finished.out << finished.err;
  EXPECT_THAT(finished.out,
              HasSubstr("the command 'sh' ended with exit code 7; its last words: line 3 / line 4 / line 5"));
  EXPECT_THAT(step_log(), HasSubstr("\nline 1\nline 2\nline 3\nline 4\nline 5\nfailed: the command 'sh' ended"));
}

TEST_F(EndToEndExec, IsEndedAtTheTimeoutOfItsStep) {
  write("[sh, -c, 'exec sleep 1000', '{out:file}']", ", timeout: 1s, retries: 0");
  const auto finished = call("run", run_words());
  EXPECT_EQ(finished.exit_code, 3) << finished.out << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("was not done after 1 s, the step's timeout"));
}

TEST_F(EndToEndExec, IsEndedWithTheRun) {
  const fs::path began = folder.path() / "began";
  write("[sh, -c, 'echo > $0; exec sleep 1000', '" + began.string() + "', '{out:file}']");
  std::vector<std::string> words{"run", "batch.yaml"};
  for (const auto& word : run_words()) words.push_back(word);
  Process run(words, folder.path());
  while (run.running() && !fs::exists(began)) std::this_thread::yield();
  run.signal(SIGTERM);
  EXPECT_EQ(run.wait().exit_code, 143);
}

}  // namespace
}  // namespace atelier::test
