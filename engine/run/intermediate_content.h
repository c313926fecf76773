// run: content that is kept only while it is needed (decoded photos, which would fill the disk). It is dropped when the
// last task of this plan that may read it has ended well; where one failed or was stopped it stays for the next run.
#pragma once
#include <unordered_map>
#include <vector>

#include "artifact/store.h"
#include "plan/plan.h"

namespace atelier {

class IntermediateContent {
 public:
  // `settled`: the tasks that were found reusable before the run and will read nothing.
  IntermediateContent(const Plan& plan, const Batch& batch, Store& store, const std::vector<bool>& settled);
  // The key under which a task of this plan has its content.
  void made(TaskId task, const Digest& key);
  // A task ended well: it reads nothing any more.
  void reader_done(TaskId task);

 private:
  Keep keep_of(TaskId task) const;
  template <class Use>
  void for_each_source(TaskId reader, const Use& use) const;

  const Plan& plan_;
  const Batch& batch_;
  Store& store_;
  std::vector<std::uint32_t> readers_;  // by task: how often it may still be read
  std::unordered_map<std::uint32_t, Digest> keys_;
  std::unordered_map<Digest, std::uint32_t> in_use_;  // tasks with readers, by key: two may have one
};

}  // namespace atelier
