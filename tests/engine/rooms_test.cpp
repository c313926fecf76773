// What the rooms of the engine may use, looked up in what was built and in what is written: no node, no libtorch, no
// OpenCV; HDF5 and SQLite in cache only, TBB in run only, yaml-cpp in pipeline only. Headers of most of these lie on
// the compiler's own path, so that a wrong include compiles; this test is what notices it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace atelier {
namespace {

namespace fs = std::filesystem;

struct Library {
  std::string name;
  std::regex symbol;            // of a demangled name that a user of the library refers to
  std::regex header;            // of what stands between the brackets or quotes of an #include
  std::set<std::string> rooms;  // of the engine that may use it
};

const std::vector<Library>& libraries() {
  static const std::vector<Library> all{
      {"libtorch", std::regex(R"((^|\W)(at|c10|torch|caffe2)::)"), std::regex("^(torch|ATen|c10|caffe2)/"), {}},
      {"OpenCV", std::regex(R"((^|\W)cv::)"), std::regex("^opencv2?/"), {}},
      {"HDF5", std::regex(R"(^_?H5[A-Z]+[a-z0-9_]+)"), std::regex(R"(^(hdf5|H5\w*)\.h$)"), {"cache"}},
      {"SQLite", std::regex("^sqlite3_"), std::regex(R"(^sqlite3\w*\.h$)"), {"cache"}},
      {"TBB", std::regex(R"((^|\W)tbb::)"), std::regex("^(tbb|oneapi)/"), {"run"}},
      {"yaml-cpp", std::regex(R"((^|\W)YAML::)"), std::regex("^yaml-cpp/"), {"pipeline"}},
  };
  return all;
}

// The archive of every room of the engine, from a file of lines "room archive" that the build writes.
std::map<std::string, fs::path> archives() {
  std::map<std::string, fs::path> found;
  std::ifstream list(ATELIER_ENGINE_ARCHIVES);
  std::string room, archive;
  while (list >> room && list.ignore() && std::getline(list, archive)) found[room] = archive;
  return found;
}

std::vector<std::string> lines_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer;
  for (std::size_t n; (n = ::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) text.append(buffer.data(), n);
  EXPECT_EQ(::pclose(pipe), 0) << command;
  std::vector<std::string> lines;
  std::stringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The names that the objects of an archive refer to without defining them.
std::vector<std::string> undefined_symbols(const fs::path& archive) {
  std::vector<std::string> symbols;
  for (const auto& line : lines_of("nm -C --undefined-only '" + archive.string() + "'"))
    if (const auto at = line.find(" U "); at != std::string::npos) symbols.push_back(line.substr(at + 3));
  return symbols;
}

struct Include {
  fs::path file;
  std::string header;
};

std::vector<Include> includes_below(const fs::path& folder) {
  static const std::regex directive(R"re(^\s*#\s*include\s*["<]([^">]+)[">])re");
  std::vector<Include> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (extension != ".h" && extension != ".cpp") continue;
    std::ifstream in(entry.path());
    std::smatch match;
    for (std::string line; std::getline(in, line);)
      if (std::regex_search(line, match, directive)) found.push_back({entry.path(), match[1]});
  }
  return found;
}

const fs::path kSource = ATELIER_SOURCE_DIR;

TEST(RoomsTest, EveryRoomOfTheEngineIsLookedAt) {
  std::set<std::string> rooms, folders;
  for (const auto& [room, archive] : archives()) rooms.insert(room);
  for (const auto& entry : fs::directory_iterator(kSource / "engine"))
    if (entry.is_directory()) folders.insert(entry.path().filename());
  EXPECT_EQ(rooms, folders);
}

TEST(RoomsTest, NoRoomsObjectsReferToALibraryThatIsNotTheirs) {
  for (const auto& [room, archive] : archives()) {
    const auto symbols = undefined_symbols(archive);
    for (const auto& library : libraries()) {
      const auto user =
          std::ranges::find_if(symbols, [&](const auto& s) { return std::regex_search(s, library.symbol); });
      if (library.rooms.contains(room))
        EXPECT_NE(user, symbols.end()) << "engine/" << room << " no longer uses " << library.name;
      else
        EXPECT_EQ(user, symbols.end()) << "engine/" << room << " uses " << library.name << ": " << *user;
    }
  }
}

TEST(RoomsTest, NoRoomIncludesALibraryThatIsNotItsOwn) {
  for (const auto& [room, archive] : archives())
    for (const auto& include : includes_below(kSource / "engine" / room))
      for (const auto& library : libraries())
        EXPECT_TRUE(library.rooms.contains(room) || !std::regex_search(include.header, library.header))
            << include.file << " includes " << include.header;
}

// base <- artifact <- graph <- pipeline <- plan <- run, and cache beside graph.
TEST(RoomsTest, TheArrowsOfTheEnginePointOneWay) {
  const std::map<std::string, std::set<std::string>> above{
      {"base", {}},
      {"artifact", {"base"}},
      {"cache", {"base", "artifact"}},
      {"graph", {"base", "artifact"}},
      {"pipeline", {"base", "artifact", "graph"}},
      {"schema", {"base", "artifact", "graph", "pipeline"}},
      {"plan", {"base", "artifact", "graph", "pipeline"}},
      {"run", {"base", "artifact", "graph", "pipeline", "plan"}},
      {"report", {"base", "artifact", "graph", "pipeline", "plan", "run"}}};
  std::set<std::string> ours;
  for (const char* folder : {"engine", "nodes"})
    for (const auto& entry : fs::directory_iterator(kSource / folder))
      if (entry.is_directory()) ours.insert(entry.path().filename());
  for (const auto& [room, archive] : archives()) {
    ASSERT_TRUE(above.contains(room)) << "engine/" << room << " has no place in the order of the rooms";
    for (const auto& include : includes_below(kSource / "engine" / room)) {
      const std::string other = fs::path(include.header).begin()->string();
      EXPECT_TRUE(other == room || !ours.contains(other) || above.at(room).contains(other))
          << include.file << " includes " << include.header;
    }
  }
}

TEST(RoomsTest, TheDiffusionLibraryKnowsNoRoomOfAtelier) {
  std::set<std::string> rooms;
  for (const char* folder : {"engine", "nodes"})
    for (const auto& entry : fs::directory_iterator(kSource / folder))
      if (entry.is_directory() && entry.path().filename() != "diffusion") rooms.insert(entry.path().filename());
  for (const auto& include : includes_below(kSource / "nodes" / "diffusion"))
    EXPECT_FALSE(rooms.contains(fs::path(include.header).begin()->string()))
        << include.file << " includes " << include.header;
}

// This program holds every object of every room of the engine; what it is linked with is what the engine needs.
TEST(RoomsTest, AProgramOfTheWholeEngineNeedsNeitherLibtorchNorOpenCv) {
  const auto needed = lines_of("ldd /proc/" + std::to_string(::getpid()) + "/exe");
  const auto needs = [&](const std::string& name) {
    return std::ranges::any_of(needed, [&](const auto& line) { return line.find(name) != std::string::npos; });
  };
  for (const char* library : {"libtorch", "libc10", "libopencv"}) EXPECT_FALSE(needs(library)) << library;
  for (const char* library : {"libhdf5", "libtbb", "libsqlite3"}) EXPECT_TRUE(needs(library)) << library;
}

}  // namespace
}  // namespace atelier
