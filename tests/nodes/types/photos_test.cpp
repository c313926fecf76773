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

TEST_F(Photos, OfKohyasSubFoldersCarryTheirRepeatsAndCaption) {
  files.put("/set/10_sks person/a.jpg", "1");
  files.put("/set/10_sks person/a.txt", "a caption");
  files.put("/set/10_sks person/b.jpg", "2");
  files.put("/set/3_dog/c.jpg", "3");
  files.put("/set/notes/d.jpg", "not in the naming");
  const auto artifact = open("/set");
  ASSERT_TRUE(artifact.has_value()) << artifact.error().message;
  EXPECT_THAT(names(*artifact), ElementsAre("a.jpg", "a.txt", "b.jpg", "c.jpg"));
  const auto set = PhotoSet::from(*artifact).value();
  EXPECT_EQ(set.items[0].folder, (PhotoFolder{10, "sks person"}));
  EXPECT_EQ(set.items[0].text->name, "a.txt");
  EXPECT_EQ(set.items[2].folder, (PhotoFolder{3, "dog"}));
  EXPECT_EQ(digest_of(set.to_artifact()), digest_of(*artifact));
}

TEST_F(Photos, EnterTheDigestWithWhatTheirFolderSays) {
  for (const char* folder : {"/one/10_sks person", "/two/20_sks person", "/three/10_sks dog", "/four/10_sks person"})
    files.put(std::string(folder) + "/a.jpg", "x");
  EXPECT_NE(digest_of(*open("/one")), digest_of(*open("/two")));
  EXPECT_NE(digest_of(*open("/one")), digest_of(*open("/three")));
  EXPECT_EQ(digest_of(*open("/one")), digest_of(*open("/four")));
  EXPECT_EQ(digest_of(*open("/one")), digest_of(*open("/one/10_sks person")));
}

TEST_F(Photos, OfACustomersFolderTakeNothingFromItsName) {
  files.put("/customers/10_anna/a.jpg", "x");
  files.put("/plain/a.jpg", "x");
  EXPECT_EQ(digest_of(*open("/customers/10_anna/")), digest_of(*open("/plain")));
  EXPECT_NE(digest_of(*open("/customers/10_anna")), digest_of(*open("/plain")));
}

TEST_F(Photos, BesideSubFoldersHideThem) {
  files.put("/in/a.jpg", "x");
  files.put("/in/10_old/b.jpg", "y");
  EXPECT_THAT(names(*open("/in")), ElementsAre("a.jpg"));
}

TEST_F(Photos, OfOneStemInTwoFoldersAreToldApart) {
  files.put("/set/10_sks person/1.jpg", "x");
  files.put("/set/10_sks person/1.txt", "one");
  files.put("/set/3_dog/1.png", "y");
  files.put("/set/3_dog/2.png", "z");
  const auto artifact = open("/set");
  EXPECT_THAT(names(*artifact), ElementsAre("10_sks person 1.jpg", "10_sks person 1.txt", "2.png", "3_dog 1.png"));
  const auto set = PhotoSet::from(*artifact).value();
  EXPECT_TRUE(set.items[0].text.has_value());
  EXPECT_FALSE(set.items[2].text.has_value());
  EXPECT_EQ(set.items[2].folder, (PhotoFolder{3, "dog"}));
}

TEST_F(Photos, AreWrittenIntoTheirFolders) {
  files.put("/set/10_sks person/a.jpg", "1");
  files.put("/set/10_sks person/a.txt", "words");
  ASSERT_TRUE(type->write(*open("/set"), "/out", "out/"));
  EXPECT_EQ(files.text("/out/10_sks person/a.txt"), "words");
  EXPECT_EQ(digest_of(*open("/out")), digest_of(*open("/set")));
}

TEST(PhotoFolder, IsAnySmallNumberAndAText) {
  EXPECT_EQ(photo_folder("10_sks person"), (PhotoFolder{10, "sks person"}));
  EXPECT_EQ(photo_folder("007_a_b"), (PhotoFolder{7, "a_b"}));
  EXPECT_EQ(photo_folder("999_x"), (PhotoFolder{999, "x"}));
  EXPECT_EQ(name_of({10, "sks person"}), "10_sks person");
  for (const char* name : {"", "10", "10_", "_x", "0_x", "-1_x", "1000_x", "20261121_anna", "10 x_y", "x_10", "1.5_x",
                           "99999999999999999999_x", "10_caf\xE9"})
    EXPECT_EQ(photo_folder(name), std::nullopt) << name;
}

TEST_F(Photos, RefuseNamesThatAreNotUtf8) {
  files.put("/in/caf\xE9.jpg", "x");
  EXPECT_EQ(open("/in").error().message, "/in: the name of a photo in this folder is not UTF-8; rename it");
}

}  // namespace
}  // namespace atelier
