#include "types/photos.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/memory_files.h"

namespace atelier {
namespace {

using testing::ElementsAre;

class Photos : public testing::Test {
 protected:
  MemoryFiles files;
  std::shared_ptr<const PortType> type = make_photos_type(files);

  Expected<Artifact> open(const std::string& path) {
    return type->open_input(path, [this](const std::filesystem::path& file) -> Expected<Digest> {
      return sha256(files.text(file).value_or(""));
    });
  }
  static std::vector<std::string> names(const Artifact& artifact) {
    std::vector<std::string> all;
    for (const auto& file : artifact.files) all.push_back(file.name);
    return all;
  }
};

TEST_F(Photos, AreTheImagesOfAFolderAndTheirCaptionsByName) {
  for (const char* name : {"b.JPG", "a.png", "c.webp", "d.jpeg", "a.txt", "a.portrait.txt", "a.background.txt",
                           "notes.txt", "movie.mp4", "e.heic", ".hidden"})
    files.put(std::string("/in/") + name, name);
  files.put("/in/sub/z.jpg", "not this one");
  const auto artifact = open("/in");
  ASSERT_TRUE(artifact.has_value()) << artifact.error().message;
  EXPECT_THAT(names(*artifact),
              ElementsAre("a.background.txt", "a.png", "a.portrait.txt", "a.txt", "b.JPG", "c.webp", "d.jpeg"));
  const auto set = PhotoSet::from(*artifact).value();
  ASSERT_EQ(set.items.size(), 4U);
  EXPECT_EQ(set.items[0].image.name, "a.png");
  EXPECT_EQ(set.items[0].text->name, "a.txt");
  EXPECT_EQ(set.items[0].portrait_text->name, "a.portrait.txt");
  EXPECT_EQ(set.items[0].background_text->name, "a.background.txt");
  EXPECT_FALSE(set.items[1].text.has_value());
}

TEST_F(Photos, HaveADigestThatTheFolderDoesNotEnter) {
  files.put("/one/a.jpg", "x");
  files.put("/two/a.jpg", "x");
  files.put("/two/other", "y");
  EXPECT_EQ(digest_of(*open("/one")), digest_of(*open("/two")));
  files.put("/two/a.txt", "a caption");
  EXPECT_NE(digest_of(*open("/one")), digest_of(*open("/two")));
}

TEST_F(Photos, MayBeOnePhotoOrAListOfThem) {
  files.put("/in/a.jpg", "x");
  files.put("/in/a.txt", "caption");
  files.put("/in/b.jpg", "y");
  files.put("/lists/night.txt", "../in/b.jpg\r\n\n/in/a.jpg\n");
  EXPECT_THAT(names(*open("/in/a.jpg")), ElementsAre("a.jpg", "a.txt"));
  EXPECT_EQ(digest_of(*open("/lists/night.txt")), digest_of(*open("/in")));
}

TEST_F(Photos, SayWhatIsMissing) {
  files.put("/empty/readme", "x");
  files.put("/file.pdf", "x");
  files.put("/bad.txt", "gone.jpg\n");
  files.put("/none.txt", "\n");
  files.put("/word.txt", "anna.doc\n");
  files.put("/a/x.jpg", "1");
  files.put("/b/x.jpg", "2");
  files.put("/twice.txt", "a/x.jpg\nb/x.jpg\n");
  const auto message = [this](const char* path) { return open(path).error().message; };
  EXPECT_EQ(message("/gone"), "/gone: there is no such folder or file");
  EXPECT_EQ(message("/empty"), "/empty: no photo in this folder (JPEG, PNG and WebP count)");
  EXPECT_EQ(message("/file.pdf"),
            "/file.pdf: expected a folder of photos, one photo (JPEG, PNG and WebP count) or a .txt file that lists "
            "photos");
  EXPECT_EQ(message("/bad.txt"), "/bad.txt:1: there is no file 'gone.jpg'");
  EXPECT_EQ(message("/none.txt"), "/none.txt: this list names no photo");
  EXPECT_EQ(message("/word.txt"), "/word.txt:1: 'anna.doc' is no photo (JPEG, PNG and WebP count)");
  EXPECT_EQ(message("/twice.txt"), "/twice.txt:2: a second photo named 'x.jpg'; rename one of them");
}

TEST_F(Photos, RefuseNamesThatAreNotUtf8) {
  files.put("/in/caf\xE9.jpg", "x");
  EXPECT_EQ(open("/in").error().message, "/in: the name of a photo in this folder is not UTF-8; rename it");
}

}  // namespace
}  // namespace atelier
