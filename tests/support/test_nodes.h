// support: a small world of nodes about text, to test pipeline, plan and run without photos or tensors that mean
// anything. Every way in which a node can differ is here once:
//
//   node        ports (type)                             params                        what it is for
//   read        files(texts) -> text                     upper                         keep: while_needed
//   shout       text -> text                             times 1..100, mark            the plain step
//   join        parts(text, many), header(text, optional) -> text  separator           list port, optional port
//   split       text -> head, tail                       at                            two outputs
//   first_word  text -> text                             –                             early cut-off
//   count       text -> tally(tally)                     –                             another type
//   blend       base(text), parts(text, many) -> mix(blend)  weights 0..1, one a part  keep: recipe; Node::check
//   fail_on     text -> text                             needle, kind, throws          fails where the text holds
//   needle learn       texts(text, many) -> text                steps, seed, checkpoint_every (execution)
//                                                        place: device; checkpoints, metrics, obeys stop_requested
//   params      text -> text                             one of every type; `label` is required
//
// Port types: `text` (an input: one file; written as a file), `texts` (an input: a folder's .txt files), `tally` and
// `blend` (no inputs; written as a file and as a folder).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/files.h"
#include "graph/node.h"

namespace atelier {

// What the test nodes tell the test, and what the test can do to them. Thread-safe; set the hooks before running.
class TestProbe {
 public:
  int runs(std::string_view node) const;  // how many jobs of this node ran to any end
  int runs() const;                       // of all nodes
  int most_times_out_of_memory() const;   // that a job was told
  void count(std::string_view node, int times_out_of_memory = 0);

  std::function<void(std::string_view node, std::string_view text)> on_run;  // as a job begins; may block
  std::function<void(std::int64_t step)> on_learn_step;                      // before each step of `learn`

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int, std::less<>> runs_;
  int most_times_out_of_memory_ = 0;
};

// The registry described above. Files that nodes and types read go through `files`, which must outlive it.
NodeRegistry make_test_registry(Files& files, std::shared_ptr<TestProbe> probe = std::make_shared<TestProbe>());

// A text artifact and back; also of an input that is still files, in the order of their names, joined by newlines.
Artifact text_artifact(std::string_view text);
Expected<std::string> text_of(const Artifact& artifact, Files& files);

}  // namespace atelier
