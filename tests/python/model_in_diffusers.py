"""Runs the parts of a model that we wrote, in float32, on the inputs of the peers' goldens.

    python model_in_diffusers.py MODEL CONFIG GOLDENS.safetensors OUT.safetensors

MODEL: a diffusers folder, or one file in the original layout, whose configuration is the folder CONFIG.
"""
import json
import pathlib
import sys

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

model, config, goldens, out = sys.argv[1:]
torch.set_num_threads(1)
index = json.loads((pathlib.Path(config) / "model_index.json").read_text())
kind = StableDiffusionXLPipeline if index["_class_name"] == "StableDiffusionXLPipeline" else StableDiffusionPipeline
if pathlib.Path(model).is_dir():
    pipe = kind.from_pretrained(model, torch_dtype=torch.float32, local_files_only=True)
else:
    pipe = kind.from_single_file(model, config=config, torch_dtype=torch.float32, local_files_only=True)
g = load_file(goldens)
time_ids = torch.tensor([[96.0, 160, 3, 5, 112, 144], [128, 64, 0, 7, 80, 96], [200, 120, 9, 0, 64, 128]])
with torch.no_grad():
    if kind is StableDiffusionPipeline:
        context, added = pipe.text_encoder(g["text0.ids"]).last_hidden_state, None
    else:
        one = pipe.text_encoder(g["text0.ids"], output_hidden_states=True)
        two = pipe.text_encoder_2(g["text1.ids"], output_hidden_states=True)
        context = torch.cat([one.hidden_states[-2], two.hidden_states[-2]], -1)
        added = {"text_embeds": two.text_embeds, "time_ids": time_ids}
    unet = pipe.unet(g["unet.sample"], g["unet.t"], context, added_cond_kwargs=added).sample
    mean = pipe.vae.encode(g["vae.image"]).latent_dist.mean
save_file({"context": context.contiguous(), "unet": unet.contiguous(), "mean": mean.contiguous()}, out)
