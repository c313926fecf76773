// A night as a process of its own, for tests that kill it: night_process FOLDER OUT. The exit code is the run's. Each
// step of a training takes a few milliseconds, so that there is something to cut off.
#include <chrono>
#include <thread>

#include "disk_studio.h"

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  atelier::DiskStudio studio(argv[1], argv[2]);
  studio.probe->on_learn_step = [](std::int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(4)); };
  return studio.run().exit_code;
}
