// The step `exec` with real commands in a real folder.
#include "exec/exec_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>

#include "graph/task_log.h"
#include "support/fake_device.h"
#include "support/run_node.h"
#include "support/temporary_folder.h"
#include "types/captions.h"
#include "types/file.h"

namespace atelier {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A context that keeps a log, and asks its task to stop once a certain line was said.
class Desk final : public Context, public TaskLog {
 public:
  std::string stop_at;  // a line; empty: never
  std::vector<std::string> logged;

  bool stop_requested() const override {
    const std::lock_guard hold(mutex_);
    return !stop_at.empty() && std::ranges::count(logged, stop_at) > 0;
  }
  int threads() const override { return 3; }
  std::filesystem::path scratch() override { return folder_.path(); }
  void progress(double, std::string_view) override {}
  void metric(std::string_view, std::int64_t, double) override {}
  void warn(std::string) override {}
  void preview(std::string_view, std::span<const std::byte>) override {}
  std::optional<Artifact> load_checkpoint() override { return {}; }
  Expected<void> save_checkpoint(const Artifact&) override { return {}; }
  void log(std::string line) override {
    const std::lock_guard hold(mutex_);
    logged.push_back(std::move(line));
  }

 private:
  mutable std::mutex mutex_;
  TemporaryFolder folder_;
};

Artifact file_of(std::string_view text) {
  Artifact artifact;
  const auto bytes = std::as_bytes(std::span(text));
  artifact.tensors.emplace("bytes", Tensor::copy_of(DType::u8, {static_cast<std::int64_t>(bytes.size())}, bytes));
  return artifact;
}

std::string text_of(const Artifact& artifact) {
  const auto bytes = artifact.tensors.at("bytes").bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Exec : public testing::Test {
 protected:
  Exec() {
    types.add_type(make_file_type(*files));
    types.add_type(make_metrics_type(*files));
    types.add_type(make_captions_type(*files));
    node = make_exec(*files, types, &commands);
  }

  Expected<Outputs> run(const std::vector<std::string>& command, const Inputs& inputs = {},
                        const std::vector<std::string>& environment = {}) {
    return run_node(*node, inputs,
                    {{"command", Value::List(command.begin(), command.end())},
                     {"environment", Value::List(environment.begin(), environment.end())}},
                    desk, device);
  }
  // What `script`, a shell's, says to {out:file}, which is its $1.
  Expected<Outputs> shell(const std::string& script) { return run({"sh", "-c", script, "sh", "{out:file}"}); }
  std::string failure_of(const std::string& script) {
    const auto outputs = shell(script);
    return outputs ? "" : outputs.error().message;
  }

  std::unique_ptr<Files> files = make_posix_files();
  std::unique_ptr<Processes> processes = make_posix_processes();
  Commands commands{.processes = *processes, .allowed = true, .grace = std::chrono::milliseconds(1)};
  NodeRegistry types;
  std::unique_ptr<const Node> node;
  Desk desk;
  FakeDevice device;
};

TEST_F(Exec, GivesACommandItsFilesAndTakesWhatItWrites) {
  const auto outputs =
      run({"sort", "{in:files}", "-o", "{out:file.txt}"}, {{"files", {file_of("pear\nfig\n"), file_of("date\n")}}});
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(text_of(outputs->at("file")), "date\nfig\npear\n");
  EXPECT_EQ(outputs->at("file").metadata, nlohmann::json({{"name", "file.txt"}}));
  EXPECT_EQ(outputs->at("metrics").metadata, nlohmann::json::object());
}

TEST_F(Exec, GivesFilesByTheNamesThatTheyCameWith) {
  const std::filesystem::path photo = desk.scratch() / "photo.JPG";
  ASSERT_TRUE(write_file(*files, photo, std::string_view("x")));
  Artifact given;
  given.files.push_back({"photo.JPG", sha256(std::string_view("x")), photo, 1});
  Artifact made = file_of("y");
  made.metadata["name"] = "file.tar";
  const auto outputs = run({"sh", "-c", "echo ${1##*/} ${2##*/} ${3##*/} > $4", "sh", "{in:files:1}", "{in:files:2}",
                            "{in:files:3}", "{out:file}"},
                           {{"files", {given, made, file_of("z")}}});
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(text_of(outputs->at("file")), "photo.JPG file.tar file\n");
}

TEST_F(Exec, GivesWhatIsNoFileAsTheFolderThatAnOutputOfItsTypeWouldBe) {
  CaptionSet captions;
  captions.items = {{"a.jpg", "a dog"}, {"b.jpg", "a cat"}};
  const auto outputs = run({"sh", "-c", "cd $1 && cat a.txt b.txt > $2", "sh", "{in:captions}", "{out:file}"},
                           {{"captions", {captions.to_artifact()}}});
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(text_of(outputs->at("file")), "a dog\na cat\n");
}

TEST_F(Exec, TakesNumbersAsMetrics) {
  const std::vector<std::string> command{"sh", "-c",         "echo text > $1; printf %s \"$3\" > $2",
                                         "sh", "{out:file}", "{out:metrics.json}"};
  auto with = [&](const std::string& json) {
    auto whole = command;
    whole.push_back(json);
    return run(whole);
  };
  const auto outputs = with("{\"likeness\": 0.5, \"losses\": [1, 2]}");
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(outputs->at("metrics").metadata, nlohmann::json::parse("{\"likeness\": 0.5, \"losses\": [1, 2]}"));
  for (const char* wrong : {"no JSON", "{\"a\": \"text\"}", "[1]", ""})
    EXPECT_EQ(with(wrong).error().message,
              "the command 'sh' wrote as {out:metrics.json} what is no JSON object of numbers or lists of numbers");
}

TEST_F(Exec, HasNoShellThatReadsItsArguments) {
  const auto outputs = run({"sh", "-c", "printf '%s|' \"$@\" > $0", "{out:file}", "$HOME", "a b", "*", "`id`"});
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(text_of(outputs->at("file")), "$HOME|a b|*|`id`|");
}

TEST_F(Exec, RunsInAFolderOfItsOwnWithAnEnvironmentThatIsSaid) {
  ::setenv("ATELIER_TEST_SECRET", "key", 1);
  const auto outputs =
      run({"sh", "-c", "env > $0; pwd >> $0; cat >> $0; ls >> $0", "{out:file}"}, {}, {"SCALE=2", "LANG=de_DE.UTF-8"});
  ASSERT_TRUE(outputs) << outputs.error().message;
  const std::string work = (desk.scratch() / "work").string();
  std::vector<std::string> lines;
  std::istringstream text(text_of(outputs->at("file")));
  for (std::string line; std::getline(text, line);)
    if (!line.starts_with("OLDPWD=") && !line.starts_with("_=") && !line.starts_with("SHLVL=")) lines.push_back(line);
  EXPECT_THAT(lines,
              testing::UnorderedElementsAre("HOME=" + work, "TMPDIR=" + work, "PWD=" + work, "PATH=/usr/bin:/bin",
                                            "LANG=de_DE.UTF-8", "OMP_NUM_THREADS=3", "SCALE=2", work));
}

TEST_F(Exec, KeepsWhatTheCommandSaysInTheTasksLog) {
  ASSERT_TRUE(shell("echo one; echo two >&2; printf 'a\\033[2Jb\\n'; echo > $1"));
  EXPECT_THAT(desk.logged.front(), StartsWith("runs [\"sh\", \"-c\", "));
  EXPECT_THAT(desk.logged, testing::IsSupersetOf({"one", "two", "a?[2Jb"}));
}

TEST_F(Exec, FailsWithTheExitCodeAndTheLastLines) {
  EXPECT_EQ(failure_of("exit 3"), "the command 'sh' ended with exit code 3");
  EXPECT_EQ(shell("exit 3").error().kind, ErrorKind::input);
  EXPECT_EQ(failure_of("for i in 1 2 3 4 5; do echo line $i; done; exit 1"),
            "the command 'sh' ended with exit code 1; its last words: line 3 / line 4 / line 5");
  EXPECT_EQ(failure_of("echo no room >&2; exit 75"),
            "the command 'sh' ended with exit code 75; its last words: no room");
  EXPECT_EQ(shell("exit 75").error().kind, ErrorKind::transient) << "sysexits.h: try again";
  EXPECT_EQ(failure_of("kill -SEGV $$"), "the command 'sh' was killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(shell("kill -SEGV $$").error().kind, ErrorKind::fault);
  EXPECT_EQ(failure_of("head -c 100000 /dev/zero | tr '\\0' x; exit 1").size(),
            std::string("the command 'sh' ended with exit code 1; its last words: …").size() + 500);
}

TEST_F(Exec, FailsWhereAnOutputIsNotWritten) {
  EXPECT_EQ(failure_of("echo done"), "the command 'sh' did not write {out:file}; its last words: done");
  const auto second = run({"sh", "-c", "echo > $0", "{out:file}", "{out:metrics}"});
  EXPECT_EQ(second.error().message, "the command 'sh' did not write {out:metrics}");
}

TEST_F(Exec, FailsWhereAnOutputIsNoFile) {
  EXPECT_EQ(failure_of("mkdir $1"), "the command 'sh' did not write a file as {out:file}, but something else");
}

TEST_F(Exec, TakesAnEmptyFile) {
  const auto outputs = shell(": > $1");
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(text_of(outputs->at("file")), "");
}

TEST_F(Exec, TellsAProgramThatIsNotThere) {
  const auto outputs = run({"no-such-program", "{out:file}"});
  EXPECT_EQ(outputs.error().message, "no-such-program: cannot be started: No such file or directory");
  EXPECT_EQ(outputs.error().kind, ErrorKind::input);
}

TEST_F(Exec, EndsACommandWithTheTask) {
  desk.stop_at = "ready";
  const auto outputs = shell("echo text > $1; trap 'echo told; exit 0' TERM; echo ready; sleep 1000 & wait");
  EXPECT_EQ(outputs.error().kind, ErrorKind::stopped) << "though it ended well";
  EXPECT_EQ(outputs.error().message, "the command 'sh' was stopped");
}

TEST_F(Exec, KillsACommandThatDoesNotHeedTheStop) {
  desk.stop_at = "ready";
  const auto outputs = shell("trap '' TERM; echo ready; sleep 1000");
  EXPECT_EQ(outputs.error().kind, ErrorKind::stopped);
}

TEST_F(Exec, EndsWhatACommandLeftBehind) {
  const auto outputs = shell("sleep 1000 & echo $! > $1");
  ASSERT_TRUE(outputs) << outputs.error().message;
  const pid_t child = static_cast<pid_t>(std::stol(text_of(outputs->at("file"))));
  for (int i = 0; i < 200 && ::kill(child, 0) == 0; ++i) usleep(10'000);
  EXPECT_NE(::kill(child, 0), 0);
}

TEST_F(Exec, RunsNothingUnlessTheCommandLineAllowsIt) {
  commands.allowed = false;
  const std::string sentence =
      "runs a command, and commands are off; expected --allow-exec on the command line, for a pipeline that you trust";
  EXPECT_EQ(failure_of("echo > $1"), sentence);
  EXPECT_THAT(desk.logged, IsEmpty());
  const Params params(node->spec(), {{"command", Value::List{"cp", "{in:files}", "{out:file}"}}});
  EXPECT_THAT(node->check(params, {{"files", 1}}), ElementsAre(sentence));
  EXPECT_THAT(make_exec(*files, types, nullptr)->check(params, {{"files", 1}}), ElementsAre(sentence));
  commands.allowed = true;
  EXPECT_THAT(node->check(params, {{"files", 1}}), IsEmpty());
}

TEST_F(Exec, ChecksItsCommandAgainWhereNobodyDid) {
  EXPECT_EQ(run({"cp", "{in:files}", "{out:file}"}).error().message,
            "param 'command': nothing is connected to the port 'files', which '{in:files}' names");
}

TEST_F(Exec, NeedsTheThreadsThatItIsSaidToUseAndTheyAreNoPartOfItsKey) {
  const Params params(node->spec(), {{"command", Value::List{"x"}}, {"threads", 4}});
  EXPECT_EQ(node->needs(params, {}).threads, 4);
  EXPECT_EQ(params.in_key(node->spec()).count("threads"), 0U);
  EXPECT_EQ(params.in_key(node->spec()).count("command"), 1U);
}

}  // namespace
}  // namespace atelier
