"""Paints with diffusers' pipelines what Atelier painted, and compares the pictures.

    python pictures_in_diffusers.py BASE LORA CASE

BASE is a diffusers folder of SD 1.x, 2.x or SDXL, LORA a .safetensors file. CASE is a .safetensors file with Atelier's
pictures, uint8 [H, W, 3], by the names `SAMPLER.base` and `SAMPLER.lora`; its metadata tells prompt, negative_prompt
(absent: none is given), seed, steps, guidance and guidance_rescale.
Prints a JSON line: for each name the largest difference of a pixel, and as `moved` how far the LoRA moves diffusers'
own pictures. Written against diffusers 0.42.1 and peft 0.21.2.
"""

import json
import sys

import numpy as np
import torch
from diffusers import (DDIMScheduler, DiffusionPipeline, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler,
                       EulerDiscreteScheduler, UniPCMultistepScheduler)
from safetensors import safe_open

SCHEDULERS = {
    "ddim": (DDIMScheduler, {}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler_a": (EulerAncestralDiscreteScheduler, {}),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {}),
    "dpmpp_2m_karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "unipc": (UniPCMultistepScheduler, {}),
}


def main(base: str, lora: str, case_file: str) -> None:
    torch.set_num_threads(1)
    with safe_open(case_file, "pt") as case:
        settings = case.metadata()
        wanted = {name: case.get_tensor(name).numpy().astype(int) for name in case.keys()}
    pipeline = DiffusionPipeline.from_pretrained(base, torch_dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    own_scheduler = pipeline.scheduler.config
    height, width, _ = next(iter(wanted.values())).shape

    def paint(sampler: str) -> np.ndarray:
        scheduler, options = SCHEDULERS[sampler]
        pipeline.scheduler = scheduler.from_config(own_scheduler, **options)
        images = pipeline(
            settings["prompt"], negative_prompt=settings.get("negative_prompt"), height=height, width=width,
            num_inference_steps=int(settings["steps"]), guidance_scale=float(settings["guidance"]),
            guidance_rescale=float(settings["guidance_rescale"]), output_type="np",
            generator=torch.Generator("cpu").manual_seed(int(settings["seed"]))).images
        return np.round(images[0] * 255).astype(int)

    samplers = sorted({name.split(".")[0] for name in wanted})
    plain = {sampler: paint(sampler) for sampler in samplers}
    pipeline.load_lora_weights(lora)
    adapted = {sampler: paint(sampler) for sampler in samplers}
    answer = {}
    for sampler in samplers:
        answer[f"{sampler}.base"] = int(np.abs(plain[sampler] - wanted[f"{sampler}.base"]).max())
        answer[f"{sampler}.lora"] = int(np.abs(adapted[sampler] - wanted[f"{sampler}.lora"]).max())
    answer["moved"] = min(int(np.abs(adapted[s] - plain[s]).max()) for s in samplers)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
