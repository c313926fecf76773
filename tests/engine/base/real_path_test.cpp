#include "base/real_path.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

TEST(RealPath, FollowsLinksAndTakesWhatIsNotThereAsItIsWritten) {
  const TemporaryFolder folder;
  const fs::path root = fs::canonical(folder.path());
  fs::create_directories(root / "a");
  std::ofstream(root / "a/photo.jpg") << "x";
  fs::create_symlink(root / "a", root / "b");
  fs::create_symlink("a/photo.jpg", root / "c.jpg");
  EXPECT_EQ(posix_real_path(root / "b/photo.jpg"), root / "a/photo.jpg");
  EXPECT_EQ(posix_real_path(root / "c.jpg"), root / "a/photo.jpg");
  EXPECT_EQ(posix_real_path(root / "b/../c.jpg"), root / "a/photo.jpg");
  EXPECT_EQ(posix_real_path("/nowhere/at/../all"), "/nowhere/all");
}

TEST(RealPath, ALoopOfLinksIsTakenAsItIsWritten) {
  const TemporaryFolder folder;
  const fs::path loop = fs::canonical(folder.path()) / "loop";
  fs::create_symlink("loop", loop);
  EXPECT_EQ(posix_real_path(loop / "x"), loop / "x");
}

TEST(RealPath, SaysWhatLiesInAFolder) {
  EXPECT_TRUE(lies_in("/photos/anna/a.jpg", "/photos/anna"));
  EXPECT_TRUE(lies_in("/photos/anna/a.jpg", "/photos/anna/"));
  EXPECT_TRUE(lies_in("/photos/anna", "/photos/anna"));
  EXPECT_TRUE(lies_in("/photos", "/"));
  EXPECT_FALSE(lies_in("/photos/annabel/a.jpg", "/photos/anna"));
  EXPECT_FALSE(lies_in("/photos/anna/../ben/a.jpg", "/photos/anna"));
  EXPECT_FALSE(lies_in("/photos", "/photos/anna"));
}

}  // namespace
}  // namespace atelier
