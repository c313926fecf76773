// Large pictures: slices and tiles; and the precision of the VAE.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "diffusion/vae.h"
#include "golden_unet.h"
#include "goldens.h"

namespace atelier::diffusion {
namespace {

using test::near;

const std::filesystem::path kGolden = std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/golden";

TEST(VaeTiling, GivesWhatDiffusersTilesGive) {
  const auto vae = GoldenFolder(kGolden / "sd1_tiny").vae();
  const auto g = test::read_all(kGolden / "vae_tiling.safetensors");
  for (const int64_t tile : {16, 32}) {
    const VaePass pass{.tile_px = tile};
    const auto posterior = must(vae->encode(g.at("image"), pass));
    EXPECT_TRUE(near(posterior.mean, g.at(fmt::format("mean.{}", tile)), 1e-5));
    EXPECT_TRUE(near(posterior.logvar, g.at(fmt::format("logvar.{}", tile)), 1e-5));
    EXPECT_TRUE(near(must(vae->decode(g.at("latent"), pass)), g.at(fmt::format("decoded.{}", tile)), 1e-4));
  }
}

TEST(VaeTiling, LeavesAPictureThatFitsATileAsItIs) {
  const auto vae = GoldenFolder(kGolden / "sd1_tiny").vae();
  const auto g = test::read_all(kGolden / "vae_tiling.safetensors");
  EXPECT_TRUE(must(vae->decode(g.at("latent"), {.tile_px = 48})).equal(must(vae->decode(g.at("latent")))));
}

TEST(VaeTiling, RefusesTilesThatDoNotOverlapByWholeLatents) {
  const auto vae = GoldenFolder(kGolden / "sd1_tiny").vae();
  const auto error = [&](int64_t tile) {
    return vae->decode(at::zeros({1, 4, 8, 8}), {.tile_px = tile}).error().message;
  };
  EXPECT_EQ(error(24), "VAE tiles are 24 px, expected a multiple of 16");
  EXPECT_EQ(error(0), "VAE tiles are 0 px, expected a multiple of 16");
  EXPECT_EQ(vae->encode(at::zeros({1, 3, 8, 8}), {.tile_px = -16}).error().message,
            "VAE tiles are -16 px, expected a multiple of 16");
}

class VaePasses : public GoldenTest {};
ATELIER_ARCHITECTURES_SUITE(VaePasses);

TEST_P(VaePasses, GiveTheSameInSlicesAsAtOnceAndAsDiffusers) {
  const GoldenFolder& g = *golden;
  const auto vae = g.vae();
  const auto posterior = must(vae->encode(g["vae.image"], {.slicing = true}));
  EXPECT_TRUE(near(posterior.mean, g["vae.mean"], 1e-5));
  EXPECT_TRUE(near(posterior.logvar, g["vae.logvar"], 1e-5));
  EXPECT_TRUE(near(must(vae->decode(g["vae.latent"], {.slicing = true})), g["vae.decoded"], 1e-4));
}

TEST_P(VaePasses, ComputeInFloat32WhereHalfPrecisionOverflows) {
  const GoldenFolder& g = *golden;
  EXPECT_TRUE(g.vae()->config().force_upcast);
  const auto decoded = must(g.vae({at::kCPU, at::kBFloat16})->decode(g["vae.latent"]));
  EXPECT_TRUE(near(decoded, g["vae.decoded"], 1e-4));
}

TEST_P(VaePasses, ComputeInTheModelsPrecisionWhereItDoesNot) {
  const GoldenFolder& g = *golden;
  VaeConfig config = g.vae()->config();
  config.force_upcast = false;
  WeightReader reader(g.weights("vae"), "vae", {at::kCPU, at::kBFloat16});
  const auto decoded = must(must(Vae::create(config, reader))->decode(g["vae.latent"]));
  EXPECT_EQ(decoded.scalar_type(), at::kFloat);
  EXPECT_FALSE(near(decoded, g["vae.decoded"], 1e-4));
  EXPECT_TRUE(near(decoded, g["vae.decoded"], 0.1 * g["vae.decoded"].abs().max().item<double>()));
}

}  // namespace
}  // namespace atelier::diffusion
