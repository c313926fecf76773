"""Runs each part of a diffusers folder in float32: python base_in_diffusers.py FOLDER OUT.safetensors"""
import sys

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
pipe = StableDiffusionPipeline.from_pretrained(sys.argv[1], torch_dtype=torch.float32, local_files_only=True)
out = {"image": torch.rand(1, 3, 64, 96) * 2 - 1, "sample": torch.randn(2, 4, 16, 16), "t": torch.tensor([1, 800])}
with torch.no_grad():
    ids = pipe.tokenizer(["a portrait of sks person", ""], padding="max_length", truncation=True, return_tensors="pt")
    out["text"] = pipe.text_encoder(ids.input_ids).last_hidden_state
    out["mean"] = pipe.vae.encode(out["image"]).latent_dist.mean
    out["decoded"] = pipe.vae.decode(out["mean"]).sample
    out["unet"] = pipe.unet(out["sample"], out["t"], out["text"]).sample
save_file({k: v.contiguous() for k, v in out.items()}, sys.argv[2])
