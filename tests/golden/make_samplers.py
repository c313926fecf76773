"""Reference values of diffusers' schedulers without any network: the model is a formula, the noise is given.

    python make_samplers.py [OUT]        OUT: samplers/samplers.safetensors beside this script

Needs: torch==2.13.0 diffusers==0.42.1 safetensors numpy, on the CPU. OUT gets, for each case
SAMPLER.PREDICTION.SPACING.STEPS[.OPTION], `CASE.timesteps`, `CASE.sigmas` and `CASE.latent`; `start`, the latent before
init_noise_sigma; `noise`, whose i-th row is the i-th that a case draws; `clean`, where image-to-image starts.

    case option   zero_snr: rescale_betas_zero_snr   sigma_min: final_sigmas_type   s38: image-to-image, strength 0.38
    rescale.*     rescale_noise_cfg(guided, with, amount)
    spacing.*     timesteps for many numbers of steps: `one_step` as DDIM and Euler have them, `multistep` as DPM++ 2M
"""
import itertools
import pathlib
import sys
import types

import torch
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler,
                       EulerDiscreteScheduler, UniPCMultistepScheduler)
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
from diffusers.schedulers import scheduling_euler_ancestral_discrete as ancestral
from safetensors.torch import save_file

sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))  # only draws the noise, which is given here
from diffusers.schedulers import scheduling_dpmsolver_sde as sde  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCHEDULE = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
SHAPE = (2, 4, 3, 5)
STRENGTH = 0.38
STEP_COUNTS = [1, 2, 3, 7, 10, 15, 16, 20, 25, 28, 30, 48, 50, 77, 100, 333, 999]


def model(x, t):
    """A prediction that depends on sample and timestep as smoothly as a network's does."""
    return 0.6 * torch.tanh(x) + 0.3 * torch.sin(2.0 * x + t / 250.0) + 0.1 * torch.cos(torch.as_tensor(t / 100.0))


class GivenNoise:
    """Stands in for the noise sampler of DPMSolverSDEScheduler and for randn_tensor of Euler ancestral."""
    def __init__(self, noise):
        self.noise, self.drawn = noise, 0

    def __call__(self, *_, **__):
        self.drawn += 1
        return self.noise[self.drawn - 1]


def scheduler(name, prediction, spacing, option):
    common = SCHEDULE | dict(prediction_type=prediction, timestep_spacing=spacing, steps_offset=1)
    if option == "zero_snr":
        common["rescale_betas_zero_snr"] = True
    final = dict(final_sigmas_type="sigma_min") if option == "sigma_min" else {}
    return {
        "ddim": lambda: DDIMScheduler(**common, clip_sample=False, set_alpha_to_one=False),
        "euler": lambda: EulerDiscreteScheduler(**common, **final),
        "euler_a": lambda: EulerAncestralDiscreteScheduler(**common),
        "dpmpp_2m": lambda: DPMSolverMultistepScheduler(**common, **final),
        "dpmpp_2m_karras": lambda: DPMSolverMultistepScheduler(**common, **final, use_karras_sigmas=True),
        "dpmpp_sde_karras": lambda: sde.DPMSolverSDEScheduler(**common, use_karras_sigmas=True),
        "unipc": lambda: UniPCMultistepScheduler(**common, **final),
    }[name]()


def run(s, steps, option, start, noise, clean):
    given = GivenNoise(noise)
    ancestral.randn_tensor = given
    sde.BrownianTreeNoiseSampler = lambda *_, **__: given
    s.set_timesteps(steps)
    timesteps = s.timesteps
    x = start * s.init_noise_sigma
    if option == "s38":
        first = (steps - min(int(steps * STRENGTH), steps)) * s.order
        timesteps = timesteps[first:]
        s.set_begin_index(first) if hasattr(s, "set_begin_index") else None
        x = s.add_noise(clean, start, timesteps[:1])
    for t in timesteps:
        x = s.step(model(s.scale_model_input(x, t), t), t, x).prev_sample
    return x


def cases():
    names = ["ddim", "euler", "euler_a", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_sde_karras", "unipc"]
    for name, prediction, spacing in itertools.product(names, ["epsilon", "v_prediction"],
                                                       ["leading", "trailing", "linspace"]):
        for steps in (1, 4, 20):
            yield name, prediction, spacing, steps, ""
    for name in names:
        yield name, "epsilon", "leading", 20, "s38"
        if name != "dpmpp_sde_karras":  # DPMSolverSDEScheduler has no zero SNR
            yield name, "v_prediction", "trailing", 10, "zero_snr"
    for name, steps in itertools.product(["euler", "dpmpp_2m", "dpmpp_2m_karras", "unipc"], [10, 20]):
        yield name, "epsilon", "leading", steps, "sigma_min"


def main(out):
    torch.manual_seed(5)
    torch.set_num_threads(1)
    g = {"start": torch.randn(SHAPE), "noise": torch.randn(40, *SHAPE), "clean": torch.randn(SHAPE)}
    for name, prediction, spacing, steps, option in cases():
        s = scheduler(name, prediction, spacing, option)
        case = ".".join([name, prediction, spacing, str(steps)] + ([option] if option else []))
        g[case + ".latent"] = run(s, steps, option, g["start"], g["noise"], g["clean"])
        g[case + ".timesteps"] = s.timesteps.float()
        if hasattr(s, "sigmas"):
            g[case + ".sigmas"] = s.sigmas.float()
        assert g[case + ".latent"].isfinite().all(), case
    g["rescale.with"], g["rescale.guided"] = torch.randn(SHAPE), 4 * torch.randn(SHAPE)
    for amount in (0.0, 0.7, 1.0):
        g[f"rescale.{amount}"] = rescale_noise_cfg(g["rescale.guided"], g["rescale.with"], amount)
    for spacing, steps in itertools.product(["leading", "trailing", "linspace"], STEP_COUNTS):
        for kind, name in (("one_step", "ddim"), ("multistep", "unipc")):
            s = scheduler(name, "epsilon", spacing, "")
            s.set_timesteps(steps)
            g[f"spacing.{kind}.{spacing}.{steps}"] = s.timesteps.to(torch.int16)
    save_file({k: v.detach().clone().contiguous() for k, v in g.items()}, out,
              {"made_by": "torch 2.13.0, diffusers 0.42.1"})
    print(out, len(g), "values")


main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "samplers/samplers.safetensors")
