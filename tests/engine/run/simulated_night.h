// A night that only its events tell of, minutes of it in a moment: customers whose photos are loaded, trained on and
// then painted, on two devices that share a machine, so that a training is slower while it has a neighbour.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "run/night_watch.h"

namespace atelier {

class SimulatedNight {
 public:
  struct Task {
    std::string name{}, node{};
    double seconds = 0;     // alone
    double expected_s = 0;  // as the run was told
    bool on_device = false;
    std::vector<std::uint32_t> after{};
  };
  SimulatedNight(std::vector<Task> tasks, double pace_beside_another);

  // Tells the night's events; `each_second` is called with the time since its start. Returns how long it took.
  double run(const std::function<void(const Event&)>& tell, const std::function<void(double)>& each_second);

 private:
  static constexpr std::size_t devices = 2;
  struct Slot {
    std::optional<std::uint32_t> task{};
    double done = 0, started_s = 0;
  };
  bool is_ready(std::uint32_t task) const;
  void start_what_is_ready(const std::function<void(const Event&)>& tell);
  void go_on(Slot& slot, double pace, const std::function<void(const Event&)>& tell);

  std::vector<Task> tasks_;
  double pace_beside_another_;
  std::vector<bool> started_, ended_;
  std::vector<Slot> on_devices_ = std::vector<Slot>(devices);
  Slot on_cpu_;
  double now_s_ = 1000;
};

}  // namespace atelier
