// What the store costs: content put and got again, beside the bare bytes written, fsynced and renamed into place.
// Prints the JSON lines of bench/run; figures are the best of several rounds in turn.
//   store FOLDER
#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/random.h"
#include "cache/hdf5_store.h"

namespace {
using namespace atelier;

constexpr int kRounds = 7;
constexpr std::size_t kMegabyte = 1'000'000;

struct Case {
  std::size_t megabytes, tensors;
};

[[noreturn]] void stop(const Error& error) {
  fmt::print(stderr, "store: {}\n", error.message);
  std::exit(1);
}
void or_stop(const Expected<void>& done) {
  if (!done) stop(done.error());
}
template <class T>
T or_stop(Expected<T> got) {
  if (!got) stop(got.error());
  return std::move(*got);
}

Artifact lora_of(const Case& c) {
  RandomStream random(7, "bench", Digest{});
  Artifact artifact;
  for (std::size_t i = 0; i < c.tensors; ++i) {
    std::vector<float> values(c.megabytes * kMegabyte / sizeof(float) / c.tensors);
    random.fill_uniform(values, -1, 1);
    const Tensor::Shape shape{static_cast<std::int64_t>(values.size())};
    artifact.tensors[fmt::format("lora_unet_{}", i)] = Tensor::of<float>(shape, std::move(values));
  }
  return artifact;
}

template <class Body>
double milliseconds(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void print(const Case& c, const char* what, double ours, double peer) {
  fmt::print(R"({{"bench": "store", "case": "{}, {} MB in {} tensors", "ours": {:.3f}, "peer": {:.3f}, )"
             R"("unit": "ms", "ratio": {:.3f}, "bar": null}})"
             "\n",
             what, c.megabytes, c.tensors, ours, peer, ours / peer);
}

void measure(Files& files, Hdf5Store& store, const std::filesystem::path& folder, const Case& c) {
  const Outputs outputs{{"lora", lora_of(c)}};
  const std::vector<std::byte> bytes(c.megabytes * kMegabyte, std::byte{7});
  const Digest key = sha256("bench");
  double put = 1e9, get = 1e9, write = 1e9, checksum = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    write = std::min(write, milliseconds([&] { or_stop(write_file(files, folder / "bare", bytes)); }));
    put = std::min(put, milliseconds([&] { or_stop(store.put(key, outputs, {})); }));
    get = std::min(get, milliseconds([&] {
                     if (!store.get(key)) stop({ErrorKind::fault, "what was put is not there"});
                   }));
    checksum = std::min(checksum, milliseconds([&] { (void)xxh3_128(or_stop(files.read(folder / "bare"))->bytes()); }));
    store.drop(key);
    or_stop(files.remove_all(folder / "bare"));
  }
  print(c, "put, against write, fsync, rename", put, write);
  print(c, "get, against map and checksum", get, checksum);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: store FOLDER\n");
    return 2;
  }
  const auto files = make_posix_files();
  const auto tell = [](const std::string& sentence) { fmt::print(stderr, "store: {}\n", sentence); };
  const auto store = or_stop(Hdf5Store::open(*files, argv[1], tell));
  for (const Case c : {Case{1, 1}, Case{1, 100}, Case{100, 1}, Case{100, 1000}}) measure(*files, *store, argv[1], c);
}
