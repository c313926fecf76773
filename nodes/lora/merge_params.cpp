#include "lora/merge_params.h"

#include "lora/block_params.h"
#include "lora/lora_weights.h"
#include "model/merge_rule.h"

namespace atelier {
namespace {

constexpr const char* kSum = "sum";

double usual_density(const std::string& method) {
  return method == kTies ? diffusion::Ties{}.density : diffusion::Dare{}.density;
}

// Empty where the params fit together; otherwise the sentence.
std::string check_merge(const Params& params) {
  const auto rule = merge_rule_of(params);
  if (!rule)
    return params.given("density") ? "param 'density' goes with the methods ties and dare; the method is sum" : "";
  const auto valid = diffusion::check(*merge_method_of(*rule));
  return valid ? std::string() : valid.error().message;
}

}  // namespace

std::vector<ParamSpec> merge_params() {
  return {
      {.name = "method",
       .type = ValueType::text,
       .value = kSum,
       .summary = "sum: of the weighted updates; ties: of each update the greatest elements, and of those the ones "
                  "whose sign most of the sum has (Yadav et al. 2023); dare: of each update elements by chance, the "
                  "others made up for (Yu et al. 2024).",
       .choices = {kSum, std::string(kTies), std::string(kDare)}},
      {.name = "density",
       .type = ValueType::number,
       .summary = "The share of each update's elements that ties and dare keep; absent: 0.2 with ties, 0.5 with "
                  "dare.",
       .minimum = 0,
       .maximum = 1},
      {.name = "seed", .type = ValueType::integer, .value = 0, .summary = "Of what dare drops."}};
}

std::optional<MergeRule> merge_rule_of(const Params& params) {
  const auto& method = params.text("method");
  if (method == kSum) return std::nullopt;
  MergeRule rule{.method = method, .density = usual_density(method), .seed = 0, .blocks = {}};
  if (params.given("density")) rule.density = params.number("density");
  if (method == kDare) rule.seed = params.integer("seed");
  return rule;
}

std::vector<std::string> check_combination(const Params& params, const std::map<std::string, std::size_t>& list_sizes) {
  auto wrong = check_blocks(params, list_sizes);
  for (auto& sentence : {check_weights(params, list_sizes), check_merge(params)})
    if (!sentence.empty()) wrong.push_back(sentence);
  return wrong;
}

}  // namespace atelier
