#include "lora/reduction_params.h"

#include <fmt/format.h>

namespace atelier {

std::vector<ParamSpec> reduction_params(const std::string& otherwise) {
  return {{.name = "rank",
           .type = ValueType::integer,
           .summary = "The most ranks of a layer that stay, those of the greatest singular values; the relative error "
                      "is reported" +
                      (otherwise.empty() ? "." : "; without rank, energy and error: " + otherwise + "."),
           .minimum = 1,
           .maximum = 4096},
          {.name = "energy",
           .type = ValueType::number,
           .summary = "Keeps the fewest ranks of each layer whose squared singular values are this share of all, such "
                      "as 0.99 (kohya's sv_fro s is the energy s * s).",
           .minimum = 0,
           .maximum = 1},
          {.name = "error",
           .type = ValueType::number,
           .summary = "Keeps the fewest ranks of each layer that are off by at most this share of it, such as 0.05.",
           .minimum = 0,
           .maximum = 1}};
}

std::optional<diffusion::RankLimit> rank_limit_of(const Params& params) {
  diffusion::RankLimit limit;
  if (params.given("rank")) limit.rank = params.integer("rank");
  if (params.given("energy")) limit.energy = params.number("energy");
  if (params.given("error")) limit.error = params.number("error");
  if (!limit.rank && !limit.energy && !limit.error) return std::nullopt;
  return limit;
}

std::string check_reduction(const Params& params, std::string_view needed_by) {
  const auto limit = rank_limit_of(params);
  if (!limit)
    return needed_by.empty() ? std::string()
                             : fmt::format("{} needs one of the params 'rank', 'energy' and 'error'", needed_by);
  if (limit->energy && limit->error) return "the params 'energy' and 'error' exclude each other; give one of them";
  const auto valid = diffusion::check(*limit);
  return valid ? std::string() : valid.error().message;
}

}  // namespace atelier
