#include <fmt/format.h>
#include <cstdlib>
#include <thread>

#include "base/digest.h"
#include "cli/cache_folder.h"
#include "cli/program.h"
#include "diffusion/machine.h"

namespace atelier::cli {
namespace fs = std::filesystem;
namespace {

// With OpenBLAS a core of the last ten years gives 20 and more; the reference BLAS gives 1 to 2.
constexpr double kSlowMatmul_gflops = 10;
constexpr std::uint64_t kLittleSpace_bytes = 5ULL << 30;
constexpr double kBytesPerGb = 1e9;

struct ShippedFile {
  const char* path;
  const char* sha256;
};
constexpr ShippedFile kShipped[] = {
    {"models/yunet/face_detection_yunet_2022mar.onnx",
     "50ef07f702a31741ca46a4c0d947773b64143b9362780237bf0d427d6c79bab7"},
    {"models/sinet/SINet.onnx", "f35b9e40a455248ddb53fcae605b7cb3f0fcebaa6aa7c6e4d76e928cfb0ce995"},
    {"models/clip-tokenizer/vocab.json", "e089ad92ba36837a0d31433e555c8f45fe601ab5c221d4f607ded32d9f7a4349"},
    {"models/clip-tokenizer/merges.txt", "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a"},
};

struct Findings {
  int problems = 0;
  void good(const std::string& what) { fmt::print("  ok       {}\n", what); }
  void bad(const std::string& what, const std::string& remedy) {
    ++problems;
    fmt::print("  PROBLEM  {}\n           {}\n", what, remedy);
  }
};

void examine_torch(Findings& findings) {
  const auto facts = diffusion::machine_facts();
  const std::string speed = fmt::format("libtorch {} with {} BLAS: matrix products at {:.0f} GFLOPS",
                                        facts.torch_version, facts.blas, facts.matmul_gflops);
  if (facts.matmul_gflops < kSlowMatmul_gflops)
    findings.bad(speed + ", which is a hundredth of what this machine can do",
                 diffusion::slow_products_remedy(facts.blas));
  else
    findings.good(speed);
  findings.good(fmt::format("devices: {} CPU core{}, {} CUDA device{}", std::thread::hardware_concurrency(),
                            std::thread::hardware_concurrency() == 1 ? "" : "s", facts.cuda_devices,
                            facts.cuda_devices == 1 ? "" : "s"));
}

void examine_models(Program& program, Findings& findings) {
  for (const auto& shipped : kShipped) {
    const auto bytes = program.files.read(program.home / shipped.path);
    if (!bytes)
      findings.bad(fmt::format("{} is missing", shipped.path),
                   "it ships with Atelier: fetch it again from the repository");
    else if (sha256((*bytes)->bytes()).hex() != shipped.sha256)
      findings.bad(fmt::format("{} is not the file that ships", shipped.path), "fetch it again from the repository");
    else
      findings.good(shipped.path);
  }
}

void examine_disk(Program& program, const fs::path& cache, Findings& findings) {
  if (const auto made = program.files.make_folders(cache); !made) {
    findings.bad(made.error().message, "give another folder with --cache");
    return;
  }
  const auto free_space = program.files.free_bytes(cache);
  if (!free_space) return findings.bad(free_space.error().message, "give another folder with --cache");
  const std::string text =
      fmt::format("cache {}: {:.0f} GB free", cache.string(), static_cast<double>(*free_space) / kBytesPerGb);
  if (*free_space < kLittleSpace_bytes)
    findings.bad(text, "make room, or give another folder with --cache");
  else
    findings.good(text);
}

}  // namespace

// `atelier doctor`: what is wrong with this machine for Atelier, and how to mend it.
void add_doctor_command(CLI::App& app, Program& program) {
  auto* command =
      app.add_subcommand("doctor", "Examine devices, BLAS, disk and shipped models: what is wrong, and how to mend it");
  auto cache = std::make_shared<fs::path>();
  command->add_option("--cache", *cache, "The cache to examine [$XDG_CACHE_HOME/atelier]")->type_name("DIR");
  add_example(*command, "atelier doctor");
  command->callback([&program, cache] {
    Findings findings;
    fmt::print("Atelier {}\n", ATELIER_VERSION);
    examine_torch(findings);
    examine_models(program, findings);
    if (const auto folder = cache_folder(*cache))
      examine_disk(program, *folder, findings);
    else
      findings.bad(folder.error().message, "give a folder with --cache");
    fmt::print("{}\n", findings.problems == 0
                           ? "Nothing is wrong."
                           : fmt::format("{} problem{}.", findings.problems, findings.problems == 1 ? "" : "s"));
    program.exit_code = findings.problems == 0 ? kSucceeded : kSomeFailed;
  });
}

}  // namespace atelier::cli
