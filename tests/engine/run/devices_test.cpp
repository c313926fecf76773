#include "run/devices.h"

#include <gtest/gtest.h>

namespace atelier {
namespace {

const Machine no_gpu{.cores = 2};
const Machine two_gpus{.cores = 8, .cuda_devices = 2};

std::string error_of(std::string_view text, const Machine& machine) {
  const auto names = parse_devices(text, machine);
  return names ? "" : names.error().message;
}

TEST(Devices, ReadsAListOfCpuOrCudaDevices) {
  EXPECT_EQ(parse_devices("cpu:0,cpu:1", no_gpu), (std::vector<DeviceName>{{false, 0}, {false, 1}}));
  EXPECT_EQ(parse_devices("cuda:1", two_gpus), (std::vector<DeviceName>{{true, 1}}));
  EXPECT_EQ(DeviceName({true, 1}).text(), "cuda:1");
}

TEST(Devices, TakesEveryCudaDeviceOrElseOneCpuWhereNothingIsSaid) {
  EXPECT_EQ(parse_devices("", two_gpus), (std::vector<DeviceName>{{true, 0}, {true, 1}}));
  EXPECT_EQ(parse_devices("", no_gpu), (std::vector<DeviceName>{{false, 0}}));
}

TEST(Devices, TellsWhatIsWrong) {
  const std::string expected = "; expected cpu:0, cpu:1 … or cuda:0, cuda:1 …";
  EXPECT_EQ(error_of("gpu", no_gpu), "--devices: 'gpu' is not a device" + expected);
  EXPECT_EQ(error_of("cpu", no_gpu), "--devices: 'cpu' is not a device" + expected);
  EXPECT_EQ(error_of("cpu:-1", no_gpu), "--devices: 'cpu:-1' is not a device" + expected);
  EXPECT_EQ(error_of("cpu:0,", no_gpu), "--devices: '' is not a device" + expected);
  EXPECT_EQ(error_of("cpu:1x", no_gpu), "--devices: 'cpu:1x' is not a device" + expected);
  EXPECT_EQ(error_of("cpu:0,cpu:0", no_gpu), "--devices: 'cpu:0' is given twice");
  EXPECT_EQ(error_of("cpu:64", no_gpu), "--devices: 'cpu:64': at most 64 logical CPU devices are possible");
  EXPECT_EQ(error_of("cuda:0", no_gpu),
            "--devices: 'cuda:0': this machine has no CUDA device that the program can use; use cpu:0");
  EXPECT_EQ(error_of("cuda:2", two_gpus), "--devices: 'cuda:2': this machine has 2 CUDA devices, the last is cuda:1");
  EXPECT_EQ(error_of("cpu:0,cuda:0", two_gpus),
            "--devices: CPU and CUDA devices do not mix in one run, their results differ in rounding");
}

Expected<std::shared_ptr<const int>> load(Device& device, std::string_view name, int value, int* loads) {
  return device.resident<int>(sha256(name), [&]() -> Expected<std::pair<std::shared_ptr<const int>, std::uint64_t>> {
    ++*loads;
    return std::pair(std::make_shared<const int>(value), std::uint64_t{10});
  });
}

TEST(Devices, ShareWhatIsResidentAmongLogicalCpuDevicesOnly) {
  const auto cpus = make_devices({{false, 0}, {false, 1}}, no_gpu);
  int loads = 0;
  for (Device* device : {cpus.devices[0].get(), cpus.devices[1].get(), cpus.cpu.get()})
    EXPECT_EQ(**load(*device, "base", 7, &loads), 7);
  EXPECT_EQ(loads, 1);
  const auto gpus = make_devices({{true, 0}, {true, 1}}, two_gpus);
  loads = 0;
  for (const auto& device : gpus.devices) EXPECT_TRUE(load(*device, "base", 7, &loads));
  EXPECT_EQ(loads, 2);
  EXPECT_EQ(gpus.devices[1]->id(), "cuda:1");
  EXPECT_EQ(gpus.cpu->id(), "cpu");
}

TEST(Devices, HaveSlotsThatShareWhatStaysThere) {
  const auto slots = in_slots({{true, 0}, {true, 1}}, 2);
  EXPECT_EQ(slots, (std::vector<DeviceName>{{true, 0}, {true, 0}, {true, 1}, {true, 1}}));
  EXPECT_EQ(in_slots({{false, 0}}, 1), (std::vector<DeviceName>{{false, 0}}));
  const auto devices = make_devices(slots, two_gpus);
  int loads = 0;
  for (const auto& device : devices.devices) EXPECT_TRUE(load(*device, "base", 7, &loads));
  EXPECT_EQ(loads, 2);
}

}  // namespace
}  // namespace atelier
