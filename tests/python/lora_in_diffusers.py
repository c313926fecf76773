"""Loads a LoRA file with diffusers and compares the UNet's output with Atelier's.

    python lora_in_diffusers.py BASE LORA CASE

BASE is a diffusers folder, LORA a .safetensors file in kohya's naming, CASE a .safetensors file with the tensors
`sample`, `timesteps`, `context` (the UNet's inputs), `base` and `adapted` (Atelier's outputs without and with the LoRA).
Prints a JSON line: the largest differences of both outputs, and how far the LoRA moves diffusers' own output.
Written against diffusers 0.42.1 and peft 0.21.2.
"""

import json
import sys

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file


def main(base: str, lora: str, case_file: str) -> None:
    case = load_file(case_file)
    pipeline = StableDiffusionPipeline.from_pretrained(base, torch_dtype=torch.float32, safety_checker=None)

    def output() -> torch.Tensor:
        with torch.no_grad():
            return pipeline.unet(case["sample"], case["timesteps"], encoder_hidden_states=case["context"]).sample

    without = output()
    pipeline.load_lora_weights(lora)
    with_lora = output()
    print(json.dumps({
        "base": (without - case["base"]).abs().max().item(),
        "adapted": (with_lora - case["adapted"]).abs().max().item(),
        "moved": (with_lora - without).abs().max().item(),
    }))


if __name__ == "__main__":
    main(*sys.argv[1:])
