// The report of a night, by the real program and in a real browser.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <cstdlib>
#include <fstream>

#include "support/occurrences.h"
#include "tiny_night.h"

namespace atelier::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class Chromium {
 public:
  static bool is_there() { return std::system("command -v chromium >/dev/null 2>&1") == 0; }

  // Opens the page and gives what the browser says of it. (Without scripts it would not say what the page came to: it
  // asks by one. That the page has none is looked up in its text.)
  std::string open(const fs::path& page, const std::string& options) const {
    const fs::path out = folder_.path() / "out", err = folder_.path() / "err";
    const std::string command =
        "timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage "
        "--enable-logging=stderr --user-data-dir=" +
        (folder_.path() / "profile").string() + " " + options + " file://" + page.string() + " >" + out.string() +
        " 2>" + err.string();
    EXPECT_EQ(std::system(command.c_str()), 0) << read_file(err);
    EXPECT_THAT(read_file(err), Not(HasSubstr("CONSOLE")));
    return read_file(out);
  }

 private:
  TemporaryFolder folder_;
};

TEST(EndToEndReport, ShowsANightAndThePicturesOfWhatIsReusedToo) {
  const TinyNight night;
  fs::create_directories(night.photos("broken"));
  std::ofstream(night.photos("broken") / "photo.jpg") << "this is no picture";
  const auto first = night.run();
  ASSERT_EQ(first.exit_code, 1) << first.err;
  const fs::path page = night.runs().back() / "report.html";
  EXPECT_THAT(first.out, HasSubstr("report: " + page.string()));
  EXPECT_EQ(fs::status(page).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const auto html = read_file(page);
  EXPECT_THAT(html, HasSubstr("1 of 3 customers failed"));
  EXPECT_THAT(html, HasSubstr("the file is neither JPEG nor PNG nor WebP"));
  EXPECT_THAT(html, Not(HasSubstr("class=\"gone\"")));
  const auto pictures = occurrences(html, "<img ") + occurrences(html, "<image ");
  EXPECT_GE(pictures, 2U * (4 + 2 + 3 * 3)) << "each customer's samples, and three photos before, after and masked";

  ASSERT_EQ(night.run().exit_code, 1);
  const auto again = read_file(night.runs().back() / "report.html");
  EXPECT_NE(night.runs().back() / "report.html", page);
  EXPECT_EQ(occurrences(again, "<img ") + occurrences(again, "<image "), pictures);
  EXPECT_EQ(occurrences(again, "class=\"line\""), occurrences(html, "class=\"line\""))
      << "the loss curves are there again";

  fs::remove_all(night.folder() / "cache");
  const auto without = atelier({"report", night.out().string()});
  EXPECT_EQ(without.exit_code, 0) << without.err;
  EXPECT_EQ(occurrences(read_file(night.runs().back() / "report.html"), "class=\"gone\""),
            occurrences(again, "class=\"picture\""));
}

TEST(EndToEndReport, OpensInABrowserWithoutScriptsAndWithoutComplaints) {
  if (!Chromium::is_there()) GTEST_SKIP() << "needs chromium, which ./check installs where apt is";
  const TinyNight night;
  ASSERT_EQ(night.run().exit_code, 0);
  const fs::path page = night.runs().back() / "report.html";
  const Chromium browser;
  const auto dom = browser.open(page, "--dump-dom");
  EXPECT_THAT(dom, HasSubstr("All 2 customers succeeded"));
  for (const char* heading :
       {"What failed", "Customers", "Timeline", "Run and reused", "Cache", "Settings and versions"})
    EXPECT_THAT(dom, HasSubstr(std::string(heading) + "</h2>"));
  for (const bool dark : {false, true}) {
    const fs::path picture = night.folder() / "page.png";
    browser.open(page, std::string(dark ? "--blink-settings=preferredColorScheme=0 " : "") +
                           "--window-size=1280,1600 --screenshot=" + picture.string());
    EXPECT_THAT(read_file(picture), testing::StartsWith("\x89PNG"));
    EXPECT_GT(fs::file_size(picture), 50'000U) << "an empty page is smaller";
  }
}

TEST(EndToEndReport, TellsWhatIsNoRun) {
  const TemporaryFolder folder;
  const auto none = atelier({"report", folder.path().string()});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_EQ(none.err, "atelier report: " + folder.path().string() +
                          ": neither a run's folder (it has no events.jsonl) nor an --out folder with runs in it\n");
}

}  // namespace
}  // namespace atelier::test
