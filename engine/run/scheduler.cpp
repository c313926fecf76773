#include "run/scheduler.h"

#include <algorithm>

namespace atelier {
namespace {

constexpr std::size_t customers_per_device = 4;  // enough prepared customers that a device never waits for photos
constexpr std::size_t smallest_window = 8;
constexpr auto no_customer = static_cast<std::uint32_t>(-1);

}  // namespace

int Capacity::device_threads() const {
  int sum = 0;
  for (const auto& device : devices) sum += device.threads;
  return sum;
}

std::size_t default_window(std::size_t devices) { return std::max(smallest_window, customers_per_device * devices); }

bool Scheduler::First::operator()(TaskId a, TaskId b) const {
  const double path_a = (*path_s)[index_of(a)], path_b = (*path_s)[index_of(b)];
  return path_a != path_b ? path_a > path_b : a < b;
}

Scheduler::Scheduler(Capacity capacity, std::size_t window, std::size_t customers, std::vector<SchedulerTask> tasks)
    : capacity_(std::move(capacity)),
      tasks_(std::move(tasks)),
      path_s_(tasks_.size()),
      state_(tasks_.size(), State::pending),
      left_of_(customers),
      left_(tasks_.size()),
      window_(std::max<std::size_t>(1, window)),
      shared_(make_lane()),
      slot_busy_(capacity_.devices.size()),
      on_device_(capacity_.devices.size()) {
  for (const auto& slot : capacity_.devices)
    device_of_.push_back(static_cast<std::size_t>(std::ranges::find(capacity_.devices, slot.id, &DeviceSlot::id) -
                                                  capacity_.devices.begin()));
  for (std::size_t i = 0; i < capacity_.devices.size(); ++i)
    if (capacity_.devices[i].drained) drain(i);
  for (std::size_t i = tasks_.size(); i-- > 0;) {
    double longest = 0;
    for (const TaskId dependent : tasks_[i].dependents) longest = std::max(longest, path_s_[index_of(dependent)]);
    path_s_[i] = longest + std::max(0.0, tasks_[i].needs.seconds);
    for (const auto customer : tasks_[i].customers) ++left_of_[customer];
    if (tasks_[i].place == Place::device && capacity_.devices.empty())
      throw Fault("a task needs a device and the run has none");
  }
  open_next();
}

std::uint32_t Scheduler::home(TaskId task) const {
  const auto& customers = tasks_[index_of(task)].customers;
  return customers.empty() ? no_customer : *std::min_element(customers.begin(), customers.end());
}

void Scheduler::ready(TaskId task) {
  state_[index_of(task)] = State::ready;
  enqueue(task);
}

void Scheduler::enqueue(TaskId task) {
  const Place place = tasks_[index_of(task)].place;
  const auto customer = home(task);
  if (customer != no_customer && customer >= next_customer_)
    unopened_[customer].push_back(task);
  else if (shared(task))
    shared_.of(place).insert(task);
  else
    lanes_.at(customer).of(place).insert(task);
}

void Scheduler::open_next() {
  while (open_.size() < window_ && next_customer_ < left_of_.size()) {
    const auto customer = next_customer_++;
    if (left_of_[customer] == 0) continue;
    open_.push_back(customer);
    lanes_.emplace(customer, make_lane());
    const auto waiting = unopened_.extract(customer);
    if (waiting)
      for (const TaskId task : waiting.mapped()) enqueue(task);
  }
}

void Scheduler::close_done() {
  const auto done = [&](std::uint32_t customer) { return left_of_[customer] == 0; };
  for (const auto customer : open_)
    if (done(customer)) lanes_.erase(customer);
  if (std::erase_if(open_, done) > 0) open_next();
}

void Scheduler::ended(TaskId task) {
  auto& state = state_[index_of(task)];
  if (state != State::running && state != State::pending) throw Fault("a task ended that was queued or had ended");
  if (state == State::running) release(task);
  state = State::ended;
  --left_;
  bool someone_done = false;
  for (const auto customer : tasks_[index_of(task)].customers) someone_done |= --left_of_[customer] == 0;
  if (someone_done) close_done();
}

void Scheduler::again(TaskId task, Instant not_before, bool alone) {
  release(task);
  state_[index_of(task)] = State::delayed;
  delayed_.emplace(not_before, std::pair(task, alone));
}

void Scheduler::drain(std::size_t slot) {
  for (std::size_t i = 0; i < slot_busy_.size(); ++i)
    if (device_of_[i] == device_of_[slot]) slot_busy_[i] = capacity_.devices[i].drained = true;
}

bool Scheduler::any_device() const {
  return std::ranges::any_of(capacity_.devices, [](const DeviceSlot& device) { return !device.drained; });
}

std::vector<TaskId> Scheduler::close() {
  closed_ = true;
  std::vector<TaskId> withdrawn;
  for (std::size_t i = 0; i < tasks_.size(); ++i)
    if (state_[i] == State::ready || state_[i] == State::delayed) {
      withdrawn.push_back(static_cast<TaskId>(i));
      state_[i] = State::pending;
    }
  shared_ = make_lane();
  for (auto& [customer, lane] : lanes_) lane = make_lane();
  unopened_.clear();
  delayed_.clear();
  alone_.clear();
  return withdrawn;
}

std::vector<Admission> Scheduler::admit(Instant now) {
  std::vector<Admission> out;
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const auto [task, alone] = delayed_.begin()->second;
    delayed_.erase(delayed_.begin());
    state_[index_of(task)] = State::ready;
    if (alone)
      alone_.insert(task);
    else
      enqueue(task);
  }
  if (closed_ || alone_running_) return out;
  if (!alone_.empty()) {
    if (running_ == 0) admit_alone(out);
    return out;
  }
  device_waits_ = false;
  while (admit_device(out)) {
  }
  while (!device_waits_ && admit_cpu(out)) {
  }
  return out;
}

void Scheduler::admit_alone(std::vector<Admission>& out) {
  const TaskId task = *alone_.begin();
  const auto& wanted = tasks_[index_of(task)];
  std::optional<std::size_t> device;
  if (wanted.place == Place::device && !(device = free_slot(wanted.needs))) return;
  alone_.erase(alone_.begin());
  alone_running_ = true;
  start(task, device,
        device ? capacity_.devices[*device].threads : std::clamp(wanted.needs.threads, 1, capacity_.cores), out);
}

// The queue whose first task stands next; null where none is ready. `lane` is set to the place in open_, or to its size
// for what is shared.
Scheduler::Queue* Scheduler::next_queue(Place place, std::size_t* lane) {
  *lane = open_.size();
  if (!shared_.of(place).empty()) return &shared_.of(place);
  const auto turn = turn_[place == Place::cpu ? 0 : 1];
  const auto first = std::lower_bound(open_.begin(), open_.end(), turn) - open_.begin();
  for (std::size_t n = 0; n < open_.size(); ++n) {
    *lane = (static_cast<std::size_t>(first) + n) % open_.size();
    auto& queue = lanes_.at(open_[*lane]).of(place);
    if (!queue.empty()) return &queue;
  }
  return nullptr;
}

// An idle device where the task fits, else one that it can share, else an idle one where it may fit after all.
std::optional<std::size_t> Scheduler::free_slot(const Needs& needs) const {
  std::optional<std::size_t> shared, too_small;
  for (std::size_t i = 0; i < slot_busy_.size(); ++i) {
    if (slot_busy_[i]) continue;
    const bool idle = on_device_[device_of_[i]].running == 0;
    const auto memory = capacity_.devices[i].memory_bytes;
    if (idle && (memory == 0 || needs.device_memory_bytes <= memory)) return i;
    if (idle && !too_small) too_small = i;
    if (!idle && !shared && may_join(i, needs)) shared = i;
  }
  return shared ? shared : too_small;
}

// Of a logical CPU device the memory is the host's, which is looked at for every task.
bool Scheduler::may_join(std::size_t slot, const Needs& needs) const {
  const DeviceSlot& device = capacity_.devices[slot];
  if (device.on_host) return true;
  const OnDevice& there = on_device_[device_of_[slot]];
  return device.memory_bytes > 0 && needs.device_memory_bytes > 0 && there.of_unknown_size == 0 &&
         there.memory_bytes + needs.device_memory_bytes <= device.memory_bytes;
}

void Scheduler::hold(std::size_t slot, const Needs& needs, bool take) {
  slot_busy_[slot] = take || capacity_.devices[slot].drained;
  OnDevice& there = on_device_[device_of_[slot]];
  const OnDevice task{1, needs.device_memory_bytes == 0 ? 1U : 0U, needs.device_memory_bytes};
  const auto change = [take](auto& sum, auto by) { sum = take ? sum + by : sum - by; };
  change(there.running, task.running);
  change(there.of_unknown_size, task.of_unknown_size);
  change(there.memory_bytes, task.memory_bytes);
}

// Of the host: on a logical CPU device what the task holds there too.
std::uint64_t Scheduler::host_bytes(TaskId task, std::optional<std::size_t> device) const {
  const auto& needs = tasks_[index_of(task)].needs;
  const bool shared = device && capacity_.devices[*device].on_host;
  return needs.memory_bytes + (shared ? needs.device_memory_bytes : 0);
}

// What needs more than there is runs by itself, rather than never.
bool Scheduler::host_memory_fits(TaskId task, std::optional<std::size_t> device) const {
  return capacity_.memory_bytes == 0 || running_ == 0 ||
         memory_bytes_ + host_bytes(task, device) <= capacity_.memory_bytes;
}

bool Scheduler::admit_device(std::vector<Admission>& out) {
  std::size_t lane = 0;
  Queue* const queue = next_queue(Place::device, &lane);
  if (!queue) return false;
  const TaskId task = *queue->begin();
  const auto& needs = tasks_[index_of(task)].needs;
  const auto device = free_slot(needs);
  if (!device) return false;
  const int threads = capacity_.devices[*device].threads;
  const int most = std::max(capacity_.cores, capacity_.device_threads() + 1);  // one CPU task may always run
  if (device_threads_ + cpu_threads_ + threads > most || !host_memory_fits(task, device)) {
    device_waits_ = true;
    return false;
  }
  queue->erase(queue->begin());
  if (lane < open_.size()) turn_[1] = open_[lane] + 1;
  start(task, device, threads, out);
  return true;
}

bool Scheduler::admit_cpu(std::vector<Admission>& out) {
  std::size_t lane = 0;
  Queue* const queue = next_queue(Place::cpu, &lane);
  if (!queue) return false;
  const TaskId task = *queue->begin();
  const auto& needs = tasks_[index_of(task)].needs;
  const int left_by_devices = std::max(1, capacity_.cores - device_threads_);
  const int threads = std::clamp(needs.threads, 1, left_by_devices);
  if (cpu_threads_ + threads > left_by_devices || !host_memory_fits(task, {})) return false;
  queue->erase(queue->begin());
  if (lane < open_.size()) turn_[0] = open_[lane] + 1;
  start(task, {}, threads, out);
  return true;
}

void Scheduler::start(TaskId task, std::optional<std::size_t> device, int threads, std::vector<Admission>& out) {
  const Admission admission{task, device, threads};
  if (device) hold(*device, tasks_[index_of(task)].needs, true);
  (device ? device_threads_ : cpu_threads_) += threads;
  memory_bytes_ += host_bytes(task, device);
  state_[index_of(task)] = State::running;
  holds_.emplace(static_cast<std::uint32_t>(task), admission);
  ++running_;
  out.push_back(admission);
}

void Scheduler::release(TaskId task) {
  const auto held = holds_.extract(static_cast<std::uint32_t>(task));
  if (!held) throw Fault("a task ended that was not running");
  const auto& [id, device, threads] = held.mapped();
  if (device) hold(*device, tasks_[index_of(task)].needs, false);
  (device ? device_threads_ : cpu_threads_) -= threads;
  memory_bytes_ -= host_bytes(task, device);
  --running_;
  if (running_ == 0) alone_running_ = false;
}

}  // namespace atelier
