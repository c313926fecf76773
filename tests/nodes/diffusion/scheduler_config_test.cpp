#include "diffusion/scheduler_config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace atelier::diffusion {
namespace {

SchedulerConfig parsed(const nlohmann::json& json) { return parse_scheduler_config(json, "config.json").value(); }

std::string error_of(const nlohmann::json& json) { return parse_scheduler_config(json, "config.json").error().message; }

TEST(SchedulerConfig, TakesDdimsDefaultsForWhatAFileLeavesOut) {
  const auto config = parsed({{"_class_name", "PNDMScheduler"}});
  EXPECT_EQ(config.beta_schedule, "linear");
  EXPECT_EQ(config.steps_offset, 0);
  EXPECT_TRUE(config.set_alpha_to_one);
  EXPECT_FALSE(config.timestep_spacing.has_value()) << "each sampler has its own";
}

TEST(SchedulerConfig, DoesNotClipLatentsWhereAFileIsSilent) {
  EXPECT_FALSE(parsed(nlohmann::json::object()).clip_sample);
}

TEST(SchedulerConfig, ReadsWhatAnyOfDiffusersSchedulersWrites) {
  const auto config = parsed({{"_class_name", "DPMSolverMultistepScheduler"},
                              {"beta_schedule", "scaled_linear"},
                              {"prediction_type", "v_prediction"},
                              {"timestep_spacing", "trailing"},
                              {"steps_offset", 1},
                              {"final_sigmas_type", "sigma_min"},
                              {"lower_order_final", false},
                              {"euler_at_final", true},
                              {"rescale_betas_zero_snr", true},
                              {"interpolation_type", "linear"},
                              {"trained_betas", nullptr},
                              {"use_karras_sigmas", true},
                              {"solver_order", 2},
                              {"algorithm_type", "dpmsolver++"}});
  EXPECT_EQ(config.prediction_type, PredictionType::v_prediction);
  EXPECT_EQ(config.timestep_spacing, TimestepSpacing::trailing);
  EXPECT_EQ(config.steps_offset, 1);
  EXPECT_EQ(config.final_sigma, FinalSigma::sigma_min);
  EXPECT_FALSE(config.lower_order_final);
  EXPECT_TRUE(config.euler_at_final);
  EXPECT_TRUE(config.rescale_betas_zero_snr);
}

TEST(SchedulerConfig, RefusesWhatItDoesNotDoByTheNameOfTheKey) {
  EXPECT_EQ(error_of({{"prediction_type", "sample"}}),
            "config.json: 'prediction_type' is \"sample\", which is not supported; supported: \"epsilon\", "
            "\"v_prediction\"");
  EXPECT_EQ(error_of({{"timestep_spacing", "golden"}}),
            "config.json: 'timestep_spacing' is \"golden\", which is not supported; supported: \"leading\", "
            "\"trailing\", \"linspace\"");
  EXPECT_EQ(error_of({{"final_sigmas_type", "none"}}),
            "config.json: 'final_sigmas_type' is \"none\", which is not supported; supported: \"sigma_min\", \"zero\"");
  EXPECT_EQ(error_of({{"trained_betas", {0.1}}}), "config.json: 'trained_betas' is [0.1], which is not supported");
  EXPECT_EQ(error_of({{"sigma_max", 80.0}}), "config.json: 'sigma_max' is 80.0, which is not supported");
  EXPECT_EQ(error_of({{"interpolation_type", "log_linear"}}),
            "config.json: 'interpolation_type' is \"log_linear\", which is not supported; supported: \"linear\"");
  EXPECT_EQ(error_of({{"steps_offset", -1}}), "config.json: 'steps_offset' is -1, expected 0 or more");
  EXPECT_EQ(error_of({{"beta_schedule", 3}}), "config.json: 'beta_schedule' is 3, expected a text");
}

}  // namespace
}  // namespace atelier::diffusion
