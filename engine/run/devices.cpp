#include "run/devices.h"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

namespace atelier {
namespace {

constexpr int most_devices = 64;
constexpr std::uint64_t unknown_memory_limit = std::uint64_t{4} << 30;

// Unused objects may fill half of what there is; tasks need the rest.
std::uint64_t resident_limit(std::uint64_t memory_bytes) {
  return memory_bytes ? memory_bytes / 2 : unknown_memory_limit;
}

Expected<DeviceName> parse_one(std::string_view text, const Machine& machine) {
  DeviceName name;
  std::string_view number;
  if (text.starts_with("cuda:")) {
    name.cuda = true;
    number = text.substr(5);
  } else if (text.starts_with("cpu:")) {
    number = text.substr(4);
  }
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), name.index);
  if (number.empty() || error != std::errc() || end != number.data() + number.size() || name.index < 0)
    return failure(fmt::format("--devices: '{}' is not a device; expected cpu:0, cpu:1 … or cuda:0, cuda:1 …", text));
  if (!name.cuda && name.index >= most_devices)
    return failure(fmt::format("--devices: '{}': at most {} logical CPU devices are possible", text, most_devices));
  if (!name.cuda || name.index < machine.cuda_devices) return name;
  if (machine.cuda_devices == 0)
    return failure(
        fmt::format("--devices: '{}': this machine has no CUDA device that the program can use; use cpu:0", text));
  return failure(fmt::format("--devices: '{}': this machine has {} CUDA device{}, the last is cuda:{}", text,
                             machine.cuda_devices, machine.cuda_devices == 1 ? "" : "s", machine.cuda_devices - 1));
}

}  // namespace

Expected<std::vector<DeviceName>> parse_devices(std::string_view text, const Machine& machine) {
  std::vector<DeviceName> names;
  if (text.empty()) {
    for (int i = 0; i < machine.cuda_devices; ++i) names.push_back({.cuda = true, .index = i});
    if (names.empty()) names.push_back({});
    return names;
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto name = parse_one(text.substr(begin, end - begin), machine);
    if (!name) return tl::unexpected(name.error());
    if (std::find(names.begin(), names.end(), *name) != names.end())
      return failure(fmt::format("--devices: '{}' is given twice", name->text()));
    if (!names.empty() && names.front().cuda != name->cuda)
      return failure("--devices: CPU and CUDA devices do not mix in one run, their results differ in rounding");
    names.push_back(*name);
    begin = end + 1;
  }
  return names;
}

std::vector<DeviceName> in_slots(const std::vector<DeviceName>& devices, int times) {
  std::vector<DeviceName> slots;
  for (const auto& device : devices) slots.insert(slots.end(), static_cast<std::size_t>(std::max(1, times)), device);
  return slots;
}

RunDevices make_devices(const std::vector<DeviceName>& names, const Machine& machine) {
  const auto host = std::make_shared<ResidentCache>(resident_limit(machine.memory_bytes));
  RunDevices made;
  made.cpu = std::make_unique<RunDevice>("cpu", host);
  std::map<int, std::shared_ptr<ResidentCache>> of_cuda;
  for (const auto& name : names) {
    const auto index = static_cast<std::size_t>(name.index);
    const auto memory = index < machine.cuda_memory_bytes.size() ? machine.cuda_memory_bytes[index] : 0;
    auto& own = of_cuda[name.index];
    if (name.cuda && !own) own = std::make_shared<ResidentCache>(resident_limit(memory));
    made.devices.push_back(std::make_unique<RunDevice>(name.text(), name.cuda ? own : host));
  }
  return made;
}

}  // namespace atelier
