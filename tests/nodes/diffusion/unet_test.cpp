#include "diffusion/unet.h"

#include <ATen/ATen.h>

#include "diffusion/lora_format.h"
#include "golden_unet.h"

namespace atelier::diffusion {
namespace {

constexpr double tolerance = 1e-5;  // absolute, as in goldens.json

class UNetGolden : public GoldenTest {
 protected:
  at::Tensor forward(const Adapters& adapters) const {
    const at::NoGradGuard no_grad;
    const GoldenFolder& g = *golden;
    return g.unet()->forward({g["unet.sample"], g["unet.t"], g["unet.context"]}, adapters);
  }

  Lora lora(const std::string& file) const { return must(read_lora(golden->path / file)); }
};

ATELIER_GOLDEN_SUITE(UNetGolden);

TEST_P(UNetGolden, PredictsWhatDiffusersPredicts) {
  EXPECT_LT(greatest_difference(forward({}), (*golden)["unet.out"]), tolerance);
}

TEST_P(UNetGolden, AppliesALoraReadInEachOfTheThreeNamings) {
  for (const char* file : {"lora_kohya.safetensors", "lora_diffusers.safetensors", "lora_peft.safetensors"}) {
    SCOPED_TRACE(file);
    if (!std::filesystem::exists(golden->path / file)) continue;
    EXPECT_LT(greatest_difference(forward(adapters_of(lora(file))), (*golden)["lora.unet.out"]), tolerance);
  }
}

TEST_P(UNetGolden, AppliesALoraOnEveryKindOfLayerWithUnequalRanksAndAlphas) {
  if (!golden->values.contains("lora_full.unet.out")) GTEST_SKIP() << "this folder has no LoRA of every kind of layer";
  const at::Tensor out = forward(adapters_of(lora("lora_full_kohya.safetensors")));
  EXPECT_LT(greatest_difference(out, (*golden)["lora_full.unet.out"]), tolerance);
}

}  // namespace
}  // namespace atelier::diffusion
