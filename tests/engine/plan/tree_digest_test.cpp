#include "plan/tree_digest.h"

#include <gtest/gtest.h>

#include "plan/file_digests.h"
#include "support/manual_clock.h"
#include "support/memory_files.h"
#include "support/memory_ledger.h"

namespace atelier {
namespace {

class TreeDigest : public testing::Test {
 protected:
  std::optional<Digest> tree(const char* path) {
    return tree_digest(files, path, remembered_digests(files, ledger, clock)).value();
  }
  MemoryFiles files;
  MemoryLedger ledger;
  ManualClock clock{Clock::WallTime{std::chrono::seconds(1'800'000'000)}};
};

TEST_F(TreeDigest, IsEmptyWhereNothingStands) { EXPECT_FALSE(tree("/nothing").has_value()); }

TEST_F(TreeDigest, IsTheSameForTheSameTreeElsewhere) {
  files.put("/a/x", "1"), files.put("/a/sub/y", "2");
  files.put("/b/sub/y", "2"), files.put("/b/x", "1");
  EXPECT_EQ(tree("/a"), tree("/b"));
}

TEST_F(TreeDigest, ChangesWithNamesBytesAndDepth) {
  files.put("/a/x", "1");
  files.put("/renamed/y", "1");
  files.put("/changed/x", "2");
  files.put("/deeper/sub/x", "1");
  files.put("/more/x", "1"), files.put("/more/y", "1");
  for (const char* other : {"/renamed", "/changed", "/deeper", "/more", "/a/x"}) EXPECT_NE(tree("/a"), tree(other));
}

TEST_F(TreeDigest, TellsAnEmptyFolderFromNothing) {
  ASSERT_TRUE(files.make_folders("/empty").has_value());
  EXPECT_TRUE(tree("/empty").has_value());
}

}  // namespace
}  // namespace atelier
