// A night of many customers, some of whom hand in what nobody can use, in ten different ways.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fmt/format.h>
#include <fstream>

#include "tiny_night.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;

// 8 x 8 pixels; a header that says 60000 x 60000; 64 x 64 of which a byte was flipped.
constexpr std::string_view small_png =
    "89504e470d0a1a0a0000000d49484452000000080000000808020000004b6d29dc0000000c4944415478da6360181e000000c8000193bda58e"
    "0000000049454e44ae426082";
constexpr std::string_view huge_png =
    "89504e470d0a1a0a0000000d494844520000ea600000ea6008020000000fb0e2150000000c4944415478da6360a03d000000640001b899ef99"
    "0000000049454e44ae426082";
constexpr std::string_view damaged_png =
    "89504e470d0a1a0a0000000d4948445200000040000000400802000000250be689000000224944415478daedc1010d000100c2a0f74f6d0f07"
    "140000000000000000000000f06e30400001ece1c8970000000049454e44ae426082";

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

// A photo that no other customer has: one of examples/tiny with a comment of its own.
std::string photo_of(const std::string& customer) {
  static const std::string tiny = read_file(fs::path(ATELIER_SOURCE_DIR) / "examples/tiny/customers/dora/dora_2.jpg");
  std::string comment = "\xFF\xFE";
  comment += {0, static_cast<char>(customer.size() + 2)};
  return tiny.substr(0, 2) + comment + customer + tiny.substr(2);
}

class ManyCustomers {
 public:
  // `of_each`: so many poisoned customers of each way, spread among the good ones.
  ManyCustomers(int good, int of_each) {
    const auto made =
        atelier({"model", "init", "--arch", "sd1", "--width", "32", "--seed", "7", (root() / "base").string()});
    if (made.exit_code != 0) throw std::runtime_error(made.err);
    for (int i = 0; i < good; ++i) {
      const std::string id = fmt::format("good{:04}", i);
      write(id, "a.jpg", photo_of(id));
      list(id);
      good_.push_back(id);
      if (const int every = good / of_each; i % every == every / 2 && i / every < of_each) poison(i / every);
    }
  }

  Finished run(const std::vector<std::string>& more = {}) const {
    std::ofstream(root() / "night.yaml") << "atelier: 1\npipeline: " << ATELIER_SOURCE_DIR
                                         << "/examples/train-only/pipeline.yaml\n"
                                         << "inputs: {base: base}\nparams: {size: 64, rank: 1, steps: 3}\ncustomers:\n"
                                         << customers_;
    std::vector<std::string> arguments{"run",     (root() / "night.yaml").string(), "--out",     out().string(),
                                       "--cache", (root() / "cache").string(),      "--devices", "cpu:0,cpu:1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return atelier(arguments);
  }

  fs::path root() const { return folder_.path(); }
  fs::path out() const { return root() / "out"; }
  const std::vector<std::string>& good() const { return good_; }
  const std::map<std::string, std::string>& reasons() const { return reasons_; }  // by poisoned customer

  // Why each customer failed, by the last run's own words.
  std::map<std::string, std::string> failed() const {
    std::map<std::string, std::string> why;
    std::set<fs::path> runs;
    for (const auto& run : fs::directory_iterator(out() / "runs")) runs.insert(run.path());
    std::ifstream lines(*runs.rbegin() / "events.jsonl");
    for (std::string line; std::getline(lines, line);)
      if (const auto event = nlohmann::json::parse(line);
          event["event"] == "customer_finished" && event["result"] != "succeeded")
        why[event["customer"]] = event["why"];
    return why;
  }

 private:
  void write(const std::string& id, const std::string& name, const std::string& bytes) {
    fs::create_directories(photos(id));
    std::ofstream(photos(id) / name, std::ios::binary) << bytes;
  }
  fs::path photos(const std::string& id) const { return root() / "photos" / id; }
  void list(const std::string& id, const std::string& below = "") {
    customers_ += fmt::format("  - {{id: {0}, photos: photos/{0}{1}}}\n", id, below);
  }

  void poison(int n) {
    const auto left_out = [](const std::string& what) { return "none of the photos can be used (1 given): " + what; };
    const std::string allowed = "; expected what is inside, or 'paths: anywhere' in the batch file";
    add(
        "no_photo", n, [](const std::string&) {},
        [&](const fs::path& at) {
          return fmt::format("input 'photos': {}: no photo in this folder (JPEG, PNG and WebP count)", at.string());
        });
    photo("text", n, "a.jpg", "this is no picture",
          left_out("a.jpg: left out: the file is neither JPEG nor PNG nor WebP"));
    photo("empty", n, "a.jpg", "", left_out("a.jpg: left out: the file is empty"));
    photo("cut", n, "a.jpg", photo_of("cut").substr(0, 3000), left_out("a.jpg: left out: the file is cut off (JPEG)"));
    photo("damaged", n, "a.png", bytes_of(damaged_png), left_out("a.png: left out: the file is damaged (PNG)"));
    photo("bomb", n, "a.png", bytes_of(huge_png),
          left_out("a.png: left out: 60000 x 60000 pixels, more than max_megapixels 100 allows"));
    photo("small", n, "a.png", bytes_of(small_png),
          left_out("a.png: left out: 8 x 8 pixels; both sides must have at least 64"));
    add(
        "link", n, [&](const std::string& id) { fs::create_symlink("/etc/hostname", photos(id) / "a.jpg"); },
        [&](const fs::path& at) {
          return fmt::format("input 'photos': {0}/a.jpg: leads out of {0}{1}", at.string(), allowed);
        });
    add(
        "gone", n, [&](const std::string& id) { write(id, "list.txt", "gone.jpg\n"); },
        [&](const fs::path& at) {
          return fmt::format("input 'photos': {}/list.txt:1: there is no file 'gone.jpg'", at.string());
        },
        "/list.txt");
    add(
        "stolen", n, [&](const std::string& id) { write(id, "list.txt", "../good0000/a.jpg\n"); },
        [&](const fs::path& at) {
          return fmt::format("input 'photos': {0}/../good0000/a.jpg: leads out of {0}{1}", at.string(), allowed);
        },
        "/list.txt");
  }

  template <class Fill, class Reason>
  void add(const std::string& way, int n, const Fill& fill, const Reason& reason, const std::string& below = "") {
    const std::string id = fmt::format("{}_{}", way, n);
    fs::create_directories(photos(id));
    fill(id);
    reasons_[id] = reason(photos(id));
    list(id, below);
  }
  void photo(const std::string& way, int n, const std::string& name, const std::string& bytes,
             const std::string& reason) {
    add(way, n, [&](const std::string& id) { write(id, name, bytes); }, [&](const fs::path&) { return reason; });
  }

  TemporaryFolder folder_;
  std::string customers_;
  std::vector<std::string> good_;
  std::map<std::string, std::string> reasons_;
};

void exactly_the_poisoned_fail(const ManyCustomers& night) {
  const auto finished = night.run();
  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_EQ(night.failed(), night.reasons());
  for (const auto& id : night.good()) {
    const fs::path lora = night.out() / (id + ".safetensors");
    ASSERT_TRUE(fs::exists(lora)) << id;
  }
  for (const auto& [id, reason] : night.reasons()) EXPECT_FALSE(fs::exists(night.out() / (id + ".safetensors"))) << id;
}

TEST(EndToEndPoisoned, OneOfEachWayAmongTwentyFailsWithItsOwnReason) {
  exactly_the_poisoned_fail(ManyCustomers(20, 1));
}

// The most memory that a program of this test has held so far.
long most_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return usage.ru_maxrss;
}

TEST(LongPoisoned, FiftyAmongAThousandFailAndMemoryStaysFlat) {
  const ManyCustomers night(950, 5);
  std::string first_hundred;
  for (int i = 0; i < 100; ++i) first_hundred += (i ? "," : "") + night.good()[static_cast<std::size_t>(i)];
  ASSERT_EQ(night.run({"--only", first_hundred}).exit_code, 0);
  const long of_a_hundred = most_kilobytes();
  exactly_the_poisoned_fail(night);
  EXPECT_LT(most_kilobytes(), of_a_hundred * 5 / 4);
}

}  // namespace
}  // namespace atelier::test
