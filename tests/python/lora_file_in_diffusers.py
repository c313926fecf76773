"""Runs the UNet and the text encoders of a diffusers folder without and with a LoRA file, in float32.

    python lora_file_in_diffusers.py BASE LORA CASE.safetensors OUT.safetensors

CASE holds the inputs: `sample`, `t`, `context`, SDXL's `pooled` and `time_ids`, and `ids0`, `ids1` for the encoders.
LORA is a file that diffusers loads, or a folder with peft's adapters in `unet`, `text_encoder`, `text_encoder_2`.
OUT gets `base.NAME` and `adapted.NAME` for the names unet, text0, text1. Written against diffusers 0.42.1 and peft 0.21.2.
"""
import sys
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from peft import PeftModel
from safetensors.torch import load_file, save_file


def outputs(pipe, case):
    added = None
    if "pooled" in case:
        added = {"text_embeds": case["pooled"], "time_ids": case["time_ids"]}
    out = {"unet": pipe.unet(case["sample"], case["t"], case["context"], added_cond_kwargs=added).sample}
    for i, name in enumerate(["text_encoder", "text_encoder_2"]):
        if encoder := getattr(pipe, name, None):
            out[f"text{i}"] = encoder(case[f"ids{i}"]).last_hidden_state
    return out


def load(pipe, lora):
    if lora.is_file():
        pipe.load_lora_weights(lora)
        return
    for folder in lora.iterdir():
        adapted = PeftModel.from_pretrained(getattr(pipe, folder.name), folder)
        setattr(pipe, folder.name, adapted.merge_and_unload())


def main(base, lora, case_file, out_file):
    torch.set_num_threads(1)
    case = load_file(case_file)
    pipe = DiffusionPipeline.from_pretrained(base, dtype=torch.float32, local_files_only=True)
    with torch.no_grad():
        out = {"base." + k: v for k, v in outputs(pipe, case).items()}
        load(pipe, Path(lora))
        out |= {"adapted." + k: v for k, v in outputs(pipe, case).items()}
    save_file({k: v.contiguous() for k, v in out.items()}, out_file)


main(*sys.argv[1:])
