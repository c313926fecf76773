// run: the devices of a run: what `--devices` names, checked, and the Device that a node sees.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/device.h"
#include "run/resident_cache.h"

namespace atelier {

// What this machine has, as the caller found it.
struct Machine {
  int cores = 1;
  int cuda_devices = 0;
  std::uint64_t memory_bytes = 0;                     // 0: not known
  std::vector<std::uint64_t> cuda_memory_bytes = {};  // by device, 0 or absent: not known
};

struct DeviceName {
  bool cuda = false;
  int index = 0;

  std::string text() const { return (cuda ? "cuda:" : "cpu:") + std::to_string(index); }
  bool operator==(const DeviceName&) const = default;
};

// The devices that `--devices` names, as in "cpu:0,cpu:1" or "cuda:0"; empty text: all CUDA devices, or else cpu:0.
// Errors: a name that is neither cpu:N nor cuda:N, one given twice, CPU and CUDA devices together, a CUDA device this
// machine has not.
Expected<std::vector<DeviceName>> parse_devices(std::string_view text, const Machine& machine);

// Each device `times` times in a row: as many tasks may run on it at once.
std::vector<DeviceName> in_slots(const std::vector<DeviceName>& devices, int times);

// A device that a task may hold, or "cpu" for tasks that hold none.
class RunDevice final : public Device {
 public:
  RunDevice(std::string id, std::shared_ptr<ResidentCache> resident)
      : id_(std::move(id)), resident_(std::move(resident)) {}
  const std::string& id() const override { return id_; }
  ResidentCache& cache() { return *resident_; }

 protected:
  Expected<std::shared_ptr<const void>> resident_object(
      const Digest& digest, const std::function<Expected<ResidentObject>()>& loader) override {
    return resident_->get(digest, loader);
  }

 private:
  std::string id_;
  std::shared_ptr<ResidentCache> resident_;
};

// The devices of a run and, for tasks that hold none, the plain "cpu". Logical CPU devices and "cpu" share what stays
// in memory; a CUDA device has its own, for all its slots.
struct RunDevices {
  std::vector<std::unique_ptr<RunDevice>> devices;
  std::unique_ptr<RunDevice> cpu;
};
RunDevices make_devices(const std::vector<DeviceName>& names, const Machine& machine);

}  // namespace atelier
