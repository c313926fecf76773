#include "report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "report/base64.h"
#include "report/report_json.h"
#include "support/occurrences.h"
#include "told_run.h"

namespace atelier {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void finish_customer(ToldRun& run, const std::string& id) {
  run.tell(9, CustomerFinished{.customer = id, .seconds = 9, .outputs = {id + "/pictures/"}});
}

TEST(ReportPage, SaysFirstHowItEnded) {
  ToldRun run;
  for (const char* id : {"anna", "ben", "cleo"}) finish_customer(run, id);
  run.tell(10, RunFinished{0, 10});
  const auto html = run.page();
  EXPECT_THAT(html, HasSubstr("</span> All 3 customers succeeded</h1>"));
  EXPECT_THAT(html, HasSubstr("<p>Nothing failed.</p>"));
  EXPECT_THAT(html, HasSubstr("href=\"../../anna/pictures/\""));
}

TEST(ReportPage, SaysOfARunWithoutAnEndThatItHasNone) {
  ToldRun run;
  finish_customer(run, "anna");
  run.plan(0, "person", "train", {"ben"});
  run.start(10, 0, "person/ben", "train", "cpu:0");
  run.tell(40, TaskProgress{{0, 1, "person/ben"}, 0.5, "step 20/40"});
  const auto html = run.page();
  EXPECT_THAT(html, HasSubstr("Not at its end: 1 of 3 customers done</h1>"));
  EXPECT_THAT(html, HasSubstr("It is still going, or it was cut off. Last heard of 1 min 0 s ago."));
  EXPECT_THAT(html, HasSubstr("<li>person on cpu:0: 50 % step 20/40</li>"));
}

TEST(ReportPage, TellsWhoFailedWhyAndTheLogsLastLines) {
  ToldRun run;
  run.plan(0, "load", "load", {"ben"});
  run.tell(1, TaskFailed{{0, 1, "load/ben"}, "input", "no image", "logs/load+ben.log", 1});
  run.tell(1, TaskSkipped{{1, 1, "align/ben"}, "load/ben failed"});
  run.tell(1,
           CustomerFinished{CustomerFinished::Result::failed, "ben", 1, "load/ben", "no image", "logs/load+ben.log"});
  run.tell(2, RunFinished{1, 2});
  std::string log;
  for (int line = 1; line <= 50; ++line) log += "line " + std::to_string(line) + "\n";
  run.files.put("/out/runs/r-1/logs/load+ben.log", log);
  const auto html = run.page();
  EXPECT_THAT(html, HasSubstr("1 of 3 customers failed"));
  EXPECT_THAT(html, HasSubstr("<h3>load/ben</h3>\n<p class=\"why\">no image</p>"));
  EXPECT_THAT(html, HasSubstr(">line 31\n"));
  EXPECT_THAT(html, HasSubstr("line 50</pre>"));
  EXPECT_THAT(html, Not(HasSubstr("line 30\n")));
  EXPECT_THAT(html, HasSubstr("1 task was skipped because of that."));
}

TEST(ReportPage, ReadsNoLogOutsideTheRunsFolder) {
  ToldRun run;
  run.files.put("/out/secret", "the secret");
  run.tell(1, TaskFailed{{0, 1, "load/ben"}, "input", "no image", "../../secret", 1});
  run.tell(1, TaskFailed{{1, 1, "load/cleo"}, "input", "no image", "/out/secret", 1});
  EXPECT_THAT(run.page(), Not(HasSubstr("the secret")));
}

TEST(ReportPage, EscapesWhatComesFromOutside) {
  ToldRun run;
  const std::string evil = "<script>alert(\"1\")</script>'&\xff";
  run.tell(1, TaskFailed{{0, 1, "load/" + evil.substr(0, 27)}, "input", evil.substr(0, 29), "", 1});
  run.tell(1, TaskWarning{{0, 1, "w"}, "<img src=x onerror=y>", false});
  run.tell(1, CustomerFinished{.customer = "<b>x</b>", .outputs = {"a\"><script>"}});
  run.show(1, 3, "pictures", "0001_seed1", small_png("<i>", "\"onload=x"));
  const auto html = run.page();
  EXPECT_EQ(occurrences(html, "<script"), 0U);
  EXPECT_EQ(occurrences(html, "<img src=x"), 0U);
  EXPECT_EQ(occurrences(html, "<b>x"), 0U);
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"));
  EXPECT_THAT(html, HasSubstr("&quot;onload=x"));
}

TEST(ReportPage, LaysStepsBelowEachOtherAndEqualSeedsAboveEachOther) {
  ToldRun run;
  run.plan(0, "base_only", "sample", {});
  run.plan(1, "fused", "sample", {"anna"});
  for (const char* seed : {"0001_seed1", "0001_seed2"}) {
    run.show(1, 0, "base_only", seed, small_png(std::string("t") + seed, "a portrait"));
    run.show(1, 1, "fused/anna", seed, small_png(std::string("t") + seed, std::string("sks ") + seed));
  }
  run.finish(2, 0, "base_only", 1);
  run.finish(2, 1, "fused/anna", 1);
  const auto html = run.page();
  const auto card = html.substr(html.find("id=\"c-anna\""), html.find("id=\"c-ben\"") - html.find("id=\"c-anna\""));
  EXPECT_LT(card.find(">base_only<"), card.find(">fused<")) << "the batch's rows stand before the customer's";
  EXPECT_THAT(card, HasSubstr("same for all customers"));
  EXPECT_EQ(occurrences(card, "<img "), 2U);
  EXPECT_EQ(occurrences(card, "<use href=\"#p-"), 2U);
  EXPECT_EQ(occurrences(html, "<image id=\"p-"), 2U) << "what all customers show is in the file once";
  EXPECT_THAT(card, HasSubstr("alt=\"fused, t0001_seed1: sks 0001_seed1\""));
}

TEST(ReportPage, ShowsPhotosBeforeAndAfter) {
  ToldRun run;
  run.plan(0, "set.aligned", "align", {"anna"});
  run.plan(1, "set.masks", "segment", {"anna"});
  run.show(1, 0, "set.aligned/anna", "01.jpg/before", small_png());
  run.show(1, 0, "set.aligned/anna", "01.jpg/aligned", small_png("x"));
  run.show(1, 1, "set.masks/anna", "01.jpg/mask", small_png("y"));
  const auto html = run.page();
  EXPECT_THAT(html, HasSubstr("<caption>Photos of set, anna</caption>"));
  EXPECT_THAT(html, HasSubstr("alt=\"01.jpg, before\""));
  EXPECT_THAT(html, HasSubstr("alt=\"01.jpg, mask\""));
}

TEST(ReportPage, PutsPlaceholdersWherePicturesAreGoneOrDamaged) {
  ToldRun run;
  run.plan(0, "pictures", "sample", {"anna"});
  run.show(1, 0, "pictures/anna", "0001_seed1", small_png());
  run.finish(2, 0, "pictures/anna", 1);
  EXPECT_EQ(occurrences(run.page(), "<img "), 1U);

  Shown other;
  other.show({"0001_seed1", sha256("x"), {std::byte{1}}});
  ASSERT_TRUE(put_shown(run.store, sha256("pictures/anna"), other.to_artifact()));
  EXPECT_THAT(run.page(), HasSubstr("aria-label=\"pictures, 0001_seed1: not the picture that was shown then\""));

  MemoryStore purged;
  EXPECT_THAT(run.page({}, &purged), HasSubstr("aria-label=\"pictures, 0001_seed1: no longer in the cache\""));
  EXPECT_THAT(run.page({}, nullptr, true), HasSubstr("the cache is not there"));
}

TEST(ReportPage, LeavesPicturesOutWhereTheFileWouldBeTooLargeAndSaysSo) {
  ToldRun run;
  run.plan(0, "pictures", "sample", {"anna"});
  for (int seed = 1; seed <= 3; ++seed)
    run.show(1, 0, "pictures/anna", "0001_seed" + std::to_string(seed), small_png(std::string(300, 'x')));
  const auto html = run.page({.now_s = 0, .most_picture_bytes = 4 * 600});
  EXPECT_EQ(occurrences(html, "<img "), 1U);
  EXPECT_THAT(html, HasSubstr("2 pictures were left out, so that the pictures in this file stay under 2.4 kB."));
}

TEST(ReportPage, HasNeitherScriptsNorAddressesNorHeadingsOutOfOrder) {
  ToldRun run;
  run.plan(0, "person", "train", {"anna"});
  run.start(1, 0, "person/anna", "train", "cpu:0");
  for (int step = 0; step < 30; ++step) run.tell(2, TaskMetric{{0, 1, "person/anna"}, "loss", step, 1.0 / (step + 1)});
  run.finish(3, 0, "person/anna", 2);
  run.tell(4, RunFinished{0, 4});
  const auto html = run.page();
  for (const char* outside : {"<script", "http://", "https://", "javascript:", "@import", "url("})
    EXPECT_EQ(occurrences(html, outside), 0U) << outside;
  EXPECT_EQ(occurrences(html, "<h1"), 1U);
  EXPECT_EQ(occurrences(html, "<main"), 1U);
  EXPECT_THAT(
      html, HasSubstr("<title>loss of person of anna</title><desc>from 1 to 0.0333 over steps 0 to 29, least 0.0333"));
  int level = 0;
  const std::regex heading("<h([1-6])");
  for (std::sregex_iterator at(html.begin(), html.end(), heading), end; at != end; ++at) {
    const int next = std::stoi((*at)[1]);
    EXPECT_LE(next, level + 1);
    level = next;
  }
  EXPECT_EQ(occurrences(html, "<table"), occurrences(html, "<caption>"));
}

TEST(ReportPage, TellsReuseTheCachesGrowthSettingsAndVersions) {
  ToldRun run;
  run.plan(0, "person", "train", {"anna"});
  run.plan(1, "look", "train", {});
  run.finish(3, 0, "person/anna", 2);
  run.tell(3, TaskReused{.task = {1, 1, "look"}, .reason = "reused", .key = sha256("look"), .saved_s = 200});
  const auto html = run.page();
  EXPECT_THAT(html, HasSubstr("1 task was reused, which saved 3 min 20 s of work; 1 task was run"));
  EXPECT_THAT(html, HasSubstr("This run wrote 1.5 MB of results into <code>/cache</code>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">steps</th><td><code>80</code></td>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">atelier</th><td><code>1.2.3</code></td>"));
}

TEST(ReportPage, FoldsCustomersWhereThereAreMany) {
  ToldRun run;
  for (int i = 0; i < 1000; ++i) finish_customer(run, "c" + std::to_string(i));
  run.tell(1, CustomerFinished{CustomerFinished::Result::failed, "zoe", 1, "load/zoe", "no image"});
  run.tell(10, RunFinished{1, 10});
  const auto html = run.page();
  EXPECT_EQ(occurrences(html, "<details class=\"customer\">"), 1003U);
  EXPECT_EQ(occurrences(html, "<details class=\"customer\" open>"), 1U);
}

TEST(ReportJson, SaysTheSameForPrograms) {
  ToldRun run;
  run.tell(1, TaskFailed{{0, 1, "load/ben"}, "input", "no image", "", 1});
  run.tell(1, CustomerFinished{CustomerFinished::Result::failed, "ben", 1, "load/ben", "no image"});
  run.tell(2, RunFinished{1, 2});
  const auto report = run.read();
  const auto json = report_json(report.story, Evidence(&run.store, run.files, "/out/runs/r-1"), ToldRun::began_s);
  EXPECT_EQ(json["headline"], "1 of 3 customers failed");
  EXPECT_EQ(json["customers"][1]["why"], "no image");
  EXPECT_EQ(json["failures"][0]["task"], "load/ben");
}

TEST(Base64, IsThatOfTheRfc) {
  const auto of = [](const std::string& text) { return base64(std::as_bytes(std::span(text))); };
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of("f"), "Zg==");
  EXPECT_EQ(of("fo"), "Zm8=");
  EXPECT_EQ(of("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace atelier
