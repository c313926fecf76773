#include "base/digest.h"

#include <gtest/gtest.h>
#include <set>
#include <vector>

#include "base/random.h"

namespace atelier {
namespace {

// FIPS 180-4, examples of the Secure Hash Standard.
TEST(Sha256Test, GivesThePublishedDigests) {
  EXPECT_EQ(sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, IsTheSameInPieces) {
  Sha256 pieces;
  for (const char* part : {"ab", "", "c"}) pieces.update(part);
  EXPECT_EQ(pieces.finish(), sha256("abc"));
}

TEST(DigestTest, HexComesBackAndAnythingElseIsRefused) {
  const Digest digest = sha256("abc");
  EXPECT_EQ(Digest::from_hex(digest.hex()), digest);
  EXPECT_EQ(digest.brief(), "ba7816bf8f01");
  const std::string hex = digest.hex();
  EXPECT_EQ(Digest::from_hex(hex.substr(1)), std::nullopt);
  EXPECT_EQ(Digest::from_hex(hex + "0"), std::nullopt);
  EXPECT_EQ(Digest::from_hex("G" + hex.substr(1)), std::nullopt);
  EXPECT_EQ(Digest::from_hex("B" + hex.substr(1)), std::nullopt);  // one digest, one name
  EXPECT_EQ(Digest::from_hex(""), std::nullopt);
}

// xxHash's specification: XXH3-128 with seed 0, of nothing.
TEST(ChecksumTest, GivesThePublishedValueInOnePieceAndInMany) {
  EXPECT_EQ(xxh3_128({}), (Checksum{0x99aa06d3014798d8, 0x6001c324468d497f}));
  EXPECT_EQ(ChecksumStream().finish(), xxh3_128({}));
  std::vector<std::byte> bytes(10'000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7);
  for (const std::size_t piece : {1u, 63u, 64u, 255u, 1024u, 9'999u}) {
    ChecksumStream stream;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      stream.update(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    EXPECT_EQ(stream.finish(), xxh3_128(bytes)) << piece;
  }
}

TEST(EncoderTest, KeepsItsGoldenValue) {  // golden.py; a change would make every cache start anew
  const std::byte bytes[] = {std::byte{0}, std::byte{1}, std::byte{2}};
  Encoder encoder;
  encoder.text("atelier").integer(-1).number(0.5).boolean(true).absent().digest(sha256("photo")).list(2).bytes(bytes);
  EXPECT_EQ(encoder.finish().hex(), "c567013ac5e86c055d8d592e80321bd020ab96652fe85051961afc7308e0420e");
}

TEST(EncoderTest, TellsApartWhatLooksAlike) {
  const std::byte a[] = {std::byte{'a'}};
  std::vector<Digest> all;
  all.push_back(Encoder().finish());
  all.push_back(Encoder().text("").finish());
  all.push_back(Encoder().text("").text("").finish());
  all.push_back(Encoder().text("ab").text("c").finish());
  all.push_back(Encoder().text("a").text("bc").finish());
  all.push_back(Encoder().text("abc").finish());
  all.push_back(Encoder().text("a").finish());
  all.push_back(Encoder().bytes(a).finish());
  all.push_back(Encoder().integer(1).finish());
  all.push_back(Encoder().number(1).finish());
  all.push_back(Encoder().boolean(true).finish());
  all.push_back(Encoder().list(1).finish());
  all.push_back(Encoder().integer(0).finish());
  all.push_back(Encoder().boolean(false).finish());
  all.push_back(Encoder().absent().finish());
  all.push_back(Encoder().list(0).finish());
  all.push_back(Encoder().integer(-1).finish());
  all.push_back(Encoder().number(-1).finish());
  all.push_back(Encoder().list(2).text("a").text("b").finish());
  all.push_back(Encoder().list(1).text("a").text("b").finish());
  all.push_back(Encoder().digest(Digest{}).finish());
  EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size());
}

TEST(EncoderTest, TakesBothZerosAsOne) { EXPECT_EQ(Encoder().number(-0.0).finish(), Encoder().number(0.0).finish()); }

// Two random call sequences give one digest only where they are the same sequence.
TEST(EncoderTest, IsInjectiveOnRandomSequences) {
  std::set<std::string> sequences;
  std::set<Digest> digests;
  RandomStream random(1, "encoder test", Digest{});
  for (int round = 0; round < 5000; ++round) {
    Encoder encoder;
    std::string sequence;
    for (auto n = random.below(4); n > 0; --n) {
      const std::string value(random.below(3), random.below(2) ? 't' : '\0');
      switch (random.below(3)) {
        case 0:
          encoder.text(value);
          sequence += "text" + std::to_string(value.size()) + value;
          break;
        case 1:
          encoder.integer(static_cast<std::int64_t>(value.size()));
          sequence += "integer" + std::to_string(value.size());
          break;
        default:
          encoder.list(value.size());
          sequence += "list" + std::to_string(value.size());
      }
    }
    sequences.insert(sequence);
    digests.insert(encoder.finish());
  }
  EXPECT_EQ(sequences.size(), digests.size());
  EXPECT_GT(sequences.size(), 200u);
}

}  // namespace
}  // namespace atelier
