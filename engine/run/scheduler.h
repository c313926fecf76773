// run: the order of a run. Pure: no threads, no clock, no TBB; the same calls give the same admissions. Times are
// handed in by the caller.
//
// - At most `window` customers are open at once, in the order of the batch; the next opens when one has no task left.
//   Tasks of customers that are not open wait, so that finished customers appear through the night.
// - What several customers share comes first. Then customers take turns, and within a customer the task with the
// longest
//   remaining path (in seconds, by the tasks' own guesses) goes first; ties go by task id.
// - A device task holds one free slot of a device; its threads count against the cores. CPU tasks take the rest, at
// least
//   one. A device has several slots where several tasks may run on it at once: then a second one starts there only if
//   its memory and theirs are known to fit, and not before every idle device has its own.
// - What stands next but lacks memory or cores holds back what would come after it, so that nothing starves.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "graph/node.h"
#include "plan/plan.h"

namespace atelier {

// Slots of one id are one device: they share its memory, and a drain is of all of them.
struct DeviceSlot {
  std::string id{};
  int threads = 1;                 // that a task on it may use
  std::uint64_t memory_bytes = 0;  // 0: not known
  bool on_host = true;             // a logical CPU device: what it holds is the host's memory
  bool drained = false;            // no task starts on it any more
};

struct Capacity {
  int cores = 1;
  std::uint64_t memory_bytes = 0;  // of the host, 0: not known
  std::vector<DeviceSlot> devices{};

  int device_threads() const;  // of all devices together
};

// Four customers per device, at least eight.
std::size_t default_window(std::size_t devices);

// What the Scheduler knows of a task. The spans belong to the plan.
struct SchedulerTask {
  std::span<const std::uint32_t> customers;  // empty: the batch alone
  std::span<const TaskId> dependents;
  Place place = Place::cpu;
  Needs needs;
};

struct Admission {
  TaskId task{};
  std::optional<std::size_t> device{};  // the slot, into Capacity::devices
  int threads = 1;
  bool operator==(const Admission&) const = default;
};

class Scheduler {
 public:
  using Instant = Clock::Instant;

  // `tasks` by id, each after what it depends on. Fault: a device task and no device.
  Scheduler(Capacity capacity, std::size_t window, std::size_t customers, std::vector<SchedulerTask> tasks);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void ready(TaskId task);  // all it depends on has ended
  void ended(TaskId task);  // for good, whether it ran or not; frees what it held
  // A running task is to be tried again, not before the given time; `alone`: with nothing else beside it.
  void again(TaskId task, Instant not_before, bool alone = false);
  // No task starts on the slot's device any more. What runs there ends as ever.
  void drain(std::size_t slot);
  bool any_device() const;  // that is not drained
  // What starts now. Each is running until ended() or again().
  std::vector<Admission> admit(Instant now);

  // From now on nothing is admitted; what was ready or waiting for its time comes back and is the caller's to end.
  std::vector<TaskId> close();

  bool finished() const { return left_ == 0; }
  std::size_t running() const { return running_; }
  std::size_t open_customers() const { return open_.size(); }
  double own_s(TaskId task) const { return tasks_[index_of(task)].needs.seconds; }
  double remaining_s(TaskId task) const { return path_s_[index_of(task)]; }

 private:
  struct First {  // longest remaining path, then smallest id
    const std::vector<double>* path_s;
    bool operator()(TaskId a, TaskId b) const;
  };
  using Queue = std::set<TaskId, First>;
  struct Lane {  // the ready tasks of one open customer, or of the shared ones
    Queue cpu, device;
    Queue& of(Place place) { return place == Place::cpu ? cpu : device; }
  };
  enum class State : std::uint8_t { pending, ready, delayed, running, ended };

  Lane make_lane() const { return {Queue(First{&path_s_}), Queue(First{&path_s_})}; }
  std::uint32_t home(TaskId task) const;  // the first of its customers
  bool shared(TaskId task) const { return tasks_[index_of(task)].customers.size() != 1; }
  void enqueue(TaskId task);
  void open_next();
  void close_done();
  Queue* next_queue(Place place, std::size_t* lane);
  bool admit_device(std::vector<Admission>& out);
  bool admit_cpu(std::vector<Admission>& out);
  void admit_alone(std::vector<Admission>& out);
  std::optional<std::size_t> free_slot(const Needs& needs) const;
  bool may_join(std::size_t slot, const Needs& needs) const;
  std::uint64_t host_bytes(TaskId task, std::optional<std::size_t> device) const;
  bool host_memory_fits(TaskId task, std::optional<std::size_t> device) const;
  int device_threads(TaskId task) const;
  void start(TaskId task, std::optional<std::size_t> device, int threads, std::vector<Admission>& out);
  void release(TaskId task);

  Capacity capacity_;
  std::vector<SchedulerTask> tasks_;
  std::vector<double> path_s_;
  std::vector<State> state_;
  std::vector<std::uint32_t> left_of_;  // tasks not ended, by customer
  std::size_t left_ = 0;
  std::size_t window_;

  std::uint32_t next_customer_ = 0;                                  // those before it have been opened
  std::vector<std::uint32_t> open_;                                  // in the order of the batch
  std::unordered_map<std::uint32_t, Lane> lanes_;                    // by open customer
  std::unordered_map<std::uint32_t, std::vector<TaskId>> unopened_;  // ready, by the customer they wait for
  Lane shared_;
  std::array<std::uint32_t, 2> turn_{};  // by place: the customer with whom the search starts

  std::multimap<Instant, std::pair<TaskId, bool>> delayed_;  // with whether alone
  std::set<TaskId> alone_;
  bool alone_running_ = false, closed_ = false, device_waits_ = false;

  std::unordered_map<std::uint32_t, Admission> holds_;  // by running task
  struct OnDevice {                                     // what runs on one device, all its slots together
    std::size_t running = 0, of_unknown_size = 0;
    std::uint64_t memory_bytes = 0;
  };
  void hold(std::size_t slot, const Needs& needs, bool take);

  std::vector<bool> slot_busy_;
  std::vector<std::size_t> device_of_;  // by slot: the first slot of its device
  std::vector<OnDevice> on_device_;     // by a device's first slot
  int cpu_threads_ = 0, device_threads_ = 0;
  std::uint64_t memory_bytes_ = 0;
  std::size_t running_ = 0;
};

}  // namespace atelier
