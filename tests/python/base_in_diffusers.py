"""Runs each part of a diffusers folder in float32: python base_in_diffusers.py FOLDER OUT.safetensors"""
import sys

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
pipe = DiffusionPipeline.from_pretrained(sys.argv[1], torch_dtype=torch.float32, local_files_only=True)
out = {"image": torch.rand(1, 3, 64, 96) * 2 - 1, "sample": torch.randn(2, 4, 16, 16), "t": torch.tensor([1, 800])}
prompts, added = ["a portrait of sks person", ""], None
with torch.no_grad():
    told = pipe.encode_prompt(prompts, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)
    out["text"] = told[0]
    if hasattr(pipe, "text_encoder_2"):
        out["pooled"], out["time_ids"] = told[2], torch.tensor([[160.0, 96, 3, 5, 112, 144], [64, 128, 0, 7, 96, 80]])
        added = {"text_embeds": out["pooled"], "time_ids": out["time_ids"]}
    out["mean"] = pipe.vae.encode(out["image"]).latent_dist.mean
    out["decoded"] = pipe.vae.decode(out["mean"]).sample
    out["unet"] = pipe.unet(out["sample"], out["t"], out["text"], added_cond_kwargs=added).sample
save_file({k: v.contiguous() for k, v in out.items()}, sys.argv[2])
