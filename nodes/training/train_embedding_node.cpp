#include "training/train_embedding_node.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "diffusion/lora_operations.h"
#include "model/base_model.h"
#include "model/embeddings.h"
#include "model/fused_weights.h"
#include "model/loras.h"
#include "model/torch_call.h"
#include "training/train_spec.h"
#include "training/training_needs.h"
#include "training/training_run.h"
#include "types/embedding.h"

namespace atelier {
namespace {

constexpr const char* kTokenTable = "text_model.embeddings.token_embedding.weight";

// The rows of the initializer's tokens, one after the other and again from the first, per text encoder.
Expected<std::vector<at::Tensor>> starting_rows(const Params& params, const TrainSetup& setup,
                                                const diffusion::TextEncoders& encoders) {
  std::vector<at::Tensor> rows;
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    const auto ids = encoders[i].tokenizer->encode(params.text("initializer"));
    if (ids.empty()) return failure("param 'initializer' is empty; give a word that is near to the new one: person");
    const auto weights = weights_of(setup.model, setup.base, text_parts(setup.base)[i]);
    if (!weights) return tl::unexpected(weights.error());
    const auto table = weights->find(kTokenTable);
    if (table == weights->end()) return failure(fmt::format("the base has no weight '{}'", kTokenTable));
    std::vector<std::int64_t> taken;
    for (std::int64_t n = 0; n < params.integer("vectors"); ++n)
      taken.push_back(ids[static_cast<std::size_t>(n) % ids.size()]);
    rows.push_back(table->second.index_select(0, at::tensor(taken, at::kLong)).to(at::kFloat));  // [n, D]
  }
  return rows;
}

// A word that no caption holds would not be learned at all.
Expected<void> check_captions(const TrainSetup& setup, const std::string& word, Context& context) {
  std::size_t with = 0, all = 0;
  for (const auto& dataset : setup.datasets)
    for (const auto& item : dataset.items) {
      ++all;
      with += item.caption.find(word) != std::string::npos;
    }
  if (with == 0)
    return failure(
        fmt::format("no caption holds the word '{}'; put it into them, as split_captions does with a trigger", word));
  if (with < all) context.warn(fmt::format("{} of {} captions do not hold the word '{}'", all - with, all, word));
  return {};
}

class TrainEmbeddingNode final : public SingleNode {
 public:
  const NodeSpec& spec() const override {
    static const NodeSpec spec = train_embedding_spec();
    return spec;
  }
  Needs needs(const Params& params, const InputInfo& info) const override {
    return training_needs(diffusion::TrainedWeights::words, params, info);
  }
  std::vector<std::string> check(const Params& params, const std::map<std::string, std::size_t>&) const override {
    return training_mistakes(spec(), params);
  }
  Expected<Outputs> run_one(const Job& job, Device& device) const override {
    return call_torch(job.context, [&] { return train(job, device); });
  }

 private:
  static Expected<Outputs> train(const Job& job, Device& device) {
    const auto setup = train_setup(job, device, "train_embedding");
    if (!setup) return tl::unexpected(setup.error());
    const auto& word = job.params.text("word");
    if (auto held = check_captions(*setup, word, job.context); !held) return tl::unexpected(held.error());
    const auto texts =
        row_texts(*setup, {.trained = true, .words = {{word, 0, job.params.integer("vectors")}}}, job.context, device);
    if (!texts) return tl::unexpected(texts.error());
    const auto unet = resident_unet(setup->model, device, setup->dtype);
    if (!unet) return tl::unexpected(unet.error());
    auto rows = starting_rows(job.params, *setup, *texts->encoders);
    if (!rows) return tl::unexpected(rows.error());
    auto trainer = diffusion::Trainer::textual_inversion({*unet, texts->encoders}, setup->schedule, {std::move(*rows)},
                                                         setup->options);
    if (!trainer) return passed_on(trainer.error());

    TrainingRun run(*setup, job, device, *texts->rows, [&](const diffusion::Trainer& now) {
      return ModelToPaint{setup->model, {{word, now.embedding()}}};
    });
    const auto pictures = run.finish(*trainer);
    if (!pictures) return tl::unexpected(pictures.error());
    auto learned = as_word_vectors({word, trainer->embedding()});
    learned.base = setup->digest();
    learned.facts = facts_of(diffusion::lora_base_of(setup->base));
    learned.facts["steps"] = setup->steps;
    return Outputs{{"embedding", learned.to_artifact()}, {"validation", pictures->to_artifact()}};
  }
};

}  // namespace

std::unique_ptr<const Node> make_train_embedding_node() { return std::make_unique<TrainEmbeddingNode>(); }

}  // namespace atelier
