#include "training/train_node.h"

#include <fmt/format.h>

#include <optional>

#include "diffusion/lora_operations.h"
#include "model/base_model.h"
#include "model/embeddings.h"
#include "model/loras.h"
#include "model/torch_call.h"
#include "training/lora_start.h"
#include "training/train_spec.h"
#include "training/training_needs.h"
#include "training/training_run.h"

namespace atelier {
namespace {

LoraPlan plan_of(const Params& params) {
  LoraPlan plan;
  plan.shape.rank = params.integer("rank");
  plan.shape.alpha = params.given("alpha") ? params.number("alpha") : static_cast<double>(plan.shape.rank);
  if (params.given("conv_rank")) {
    plan.shape.conv_rank = params.integer("conv_rank");
    plan.shape.conv_alpha =
        params.given("conv_alpha") ? params.number("conv_alpha") : static_cast<double>(plan.shape.conv_rank);
  }
  plan.patterns = params.texts("targets");
  plan.unet = params.boolean("train_unet");
  plan.text_encoders = params.boolean("train_text_encoder");
  return plan;
}

nlohmann::json training_facts(const TrainSetup& setup, const LoraPlan& plan) {
  auto facts = facts_of(diffusion::lora_base_of(setup.base));
  facts.update({{"steps", setup.steps}, {"rank", plan.shape.rank}, {"alpha", plan.shape.alpha}});
  if (plan.shape.conv_rank > 0) {
    facts["conv_rank"] = plan.shape.conv_rank;
    facts["conv_alpha"] = plan.shape.conv_alpha;
  }
  return facts;
}

// The LoRA to start from: new, or with what the port `lora` brings.
Expected<diffusion::Lora> start_of(const Job& job, const TrainSetup& setup, const LoraPlan& plan,
                                   std::span<const diffusion::LoraTarget> targets) {
  auto start = starting_lora(targets, plan.shape, job.params.integer("seed"), setup.digest());
  if (!job.has("lora")) return start;
  const auto known = lora_of(job.input("lora"));
  if (!known) return tl::unexpected(known.error());
  if (const auto told = foreign_base_warning(*known, setup.digest(), "the LoRA to go on from"); !told.empty())
    job.context.warn(told);
  auto result = continued(std::move(start), as_diffusion(*known), plan);
  if (result.left_out > 0)
    job.context.warn(fmt::format("{} layer{} of the LoRA to go on from {} left out: their part is not trained",
                                 result.left_out, result.left_out == 1 ? "" : "s",
                                 result.left_out == 1 ? "is" : "are"));
  return std::move(result.lora);
}

// The word that stays as it is; absent where none is given.
Expected<std::optional<diffusion::Embedding>> fixed_embedding(const Job& job, const TrainSetup& setup) {
  if (!job.has("embedding")) return std::nullopt;
  const auto embedding = embedding_of(job.input("embedding"));
  if (!embedding) return tl::unexpected(embedding.error());
  if (embedding->base && *embedding->base != setup.digest())
    job.context.warn(fmt::format("the embedding '{}' was trained on another base model ({}, not {})", embedding->word,
                                 embedding->base->brief(), setup.digest().brief()));
  return as_diffusion(*embedding);
}

class TrainNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = train_spec();
    return spec;
  }

  Needs needs(const Params& params, const InputInfo& info) const override {
    return training_needs(diffusion::TrainedWeights::lora, params, info);
  }

  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    return training_mistakes(spec(), params);
  }

  Expected<Outputs> run_one(const Job& job, Device& device) const override {
    return call_torch(job.context, [&] { return train(job, device); });
  }

 private:
  static Expected<Outputs> train(const Job& job, Device& device) {
    auto setup = train_setup(job, device, "train");
    if (!setup) return tl::unexpected(setup.error());
    setup->options.dropout = {job.params.number("rank_dropout"), job.params.number("module_dropout")};
    if (job.params.given("text_learning_rate")) setup->options.text_rate = job.params.number("text_learning_rate");
    const auto plan = plan_of(job.params);
    const auto embedding = fixed_embedding(job, *setup);
    if (!embedding) return tl::unexpected(embedding.error());
    TextUse use{.trained = plan.text_encoders};
    if (*embedding) use.words = {{(*embedding)->name, 0, (*embedding)->vectors.front().size(0)}};
    const auto texts = row_texts(*setup, use, job.context, device);
    if (!texts) return tl::unexpected(texts.error());
    const auto unet = resident_unet(setup->model, device, setup->dtype);
    if (!unet) return tl::unexpected(unet.error());

    const auto targets = chosen_layers(**unet, texts->encoders.get(), plan);
    if (!targets) return tl::unexpected(targets.error());
    auto start = start_of(job, *setup, plan, *targets);
    if (!start) return tl::unexpected(start.error());
    diffusion::LoraStart lora_start{{std::move(*start)}};
    if (*embedding) lora_start.extra = (*embedding)->vectors;
    const bool as_ids = use.trained || !use.words.empty();
    auto trainer = diffusion::Trainer::lora({*unet, as_ids ? texts->encoders : nullptr}, setup->schedule, lora_start,
                                            setup->options);
    if (!trainer) return passed_on(trainer.error());

    const auto lora_now = [&](const diffusion::Trainer& now) {
      auto lora = as_lora_set(now.lora());
      lora.base = setup->digest();
      lora.facts = training_facts(*setup, plan);
      return lora;
    };
    TrainingRun run(*setup, job, device, *texts->rows, [&](const diffusion::Trainer& now) {
      ModelToPaint painted{setup->model};
      painted.model.loras.push_back({lora_now(now), 1});
      if (*embedding) painted.words.push_back(**embedding);
      return painted;
    });
    const auto pictures = run.finish(*trainer);
    if (!pictures) return tl::unexpected(pictures.error());
    return Outputs{{"lora", lora_now(*trainer).to_artifact()}, {"validation", pictures->to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_train_node() { return std::make_unique<TrainNode>(); }

}  // namespace atelier
