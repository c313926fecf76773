#include "diffusion/sampler.h"

#include <fmt/format.h>

#include <array>

#include "diffusion/ddim.h"
#include "diffusion/dpm_multistep.h"
#include "diffusion/dpm_sde.h"
#include "diffusion/euler.h"
#include "diffusion/timestep_spacing.h"
#include "diffusion/unipc.h"

namespace atelier::diffusion {
namespace {

constexpr std::array kNames{
    SamplerName{SamplerKind::ddim, "ddim", "DDIM"},
    SamplerName{SamplerKind::euler, "euler", "Euler"},
    SamplerName{SamplerKind::euler_a, "euler_a", "Euler a"},
    SamplerName{SamplerKind::dpmpp_2m, "dpmpp_2m", "DPM++ 2M"},
    SamplerName{SamplerKind::dpmpp_2m_karras, "dpmpp_2m_karras", "DPM++ 2M Karras"},
    SamplerName{SamplerKind::dpmpp_sde_karras, "dpmpp_sde_karras", "DPM++ SDE Karras"},
    SamplerName{SamplerKind::unipc, "unipc", "UniPC"},
};

/// A multistep solver spaces one timestep more than it visits.
bool is_multistep(SamplerKind kind) {
  return kind == SamplerKind::dpmpp_2m || kind == SamplerKind::dpmpp_2m_karras || kind == SamplerKind::unipc;
}

/// Beyond the last timestep a multistep solver would stand still, and divide by the length of that step.
Result<void> check_beginning(SamplerKind kind, const SchedulerConfig& config, int64_t steps) {
  if (!is_multistep(kind) || kind == SamplerKind::dpmpp_2m_karras) return {};
  const auto spacing = config.timestep_spacing.value_or(TimestepSpacing::linspace);
  const auto first = static_cast<int64_t>(space_multistep_timesteps(spacing, config, steps).front());
  if (first < config.num_train_timesteps) return {};
  return fail(fmt::format("{}: {} steps with steps_offset {} begin at timestep {}; the base model's last is {}",
                          name_of(kind).title, steps, config.steps_offset, first, config.num_train_timesteps - 1));
}

}  // namespace

std::span<const SamplerName> sampler_names() { return kNames; }

const SamplerName& name_of(SamplerKind kind) {
  for (const SamplerName& entry : kNames)
    if (entry.kind == kind) return entry;
  return kNames.front();
}

Result<SamplerKind> sampler_named(std::string_view name) {
  std::string known;
  for (const SamplerName& entry : kNames) {
    if (entry.name == name) return entry.kind;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return fail(fmt::format("there is no sampler '{}'; there are {}", name, known));
}

Result<std::unique_ptr<Sampler>> make_sampler(SamplerKind kind, const SchedulerConfig& config, int64_t steps) {
  auto schedule = NoiseSchedule::create(config);
  if (!schedule) return tl::unexpected(schedule.error());
  const int64_t most = is_multistep(kind) ? schedule->timesteps() - 1 : schedule->timesteps();
  if (steps < 1 || steps > most) {
    return fail(fmt::format("{}: {} steps were asked for; it can be 1 to {} with the base model's {} timesteps",
                            name_of(kind).title, steps, most, schedule->timesteps()));
  }
  if (const auto fits = check_beginning(kind, config, steps); !fits) return tl::unexpected(fits.error());
  switch (kind) {
    case SamplerKind::ddim:
      return make_ddim(*std::move(schedule), config, steps);
    case SamplerKind::euler:
      return make_euler(*schedule, config, steps);
    case SamplerKind::euler_a:
      return make_euler_ancestral(*schedule, config, steps);
    case SamplerKind::dpmpp_2m:
      return make_dpm_multistep(*schedule, config, steps, SigmaCurve::of_timesteps);
    case SamplerKind::dpmpp_2m_karras:
      return make_dpm_multistep(*schedule, config, steps, SigmaCurve::karras);
    case SamplerKind::dpmpp_sde_karras:
      return make_dpm_sde(*schedule, config, steps);
    case SamplerKind::unipc:
      return make_unipc(*schedule, config, steps);
  }
  return fail("there is no such sampler");
}

}  // namespace atelier::diffusion
