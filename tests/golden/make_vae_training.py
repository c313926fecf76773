"""Five steps of an autoencoder's training by diffusers' AutoencoderKL and torch's AdamW, with given pictures and noise:
losses, gradient norms before clipping, and what some weights are afterwards.

    .venv/bin/python tests/golden/make_vae_training.py

torch 2.13.0, diffusers 0.42.1. The losses are those of nodes/diffusion/vae_losses.h, written here anew.
"""
import pathlib

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
STEPS, RATE, GRADIENT_WEIGHT, SCALES, KL_WEIGHT = 5, 1e-3, 0.5, 3, 1e-2
KEPT = ["encoder.conv_in.weight", "quant_conv.weight", "post_quant_conv.bias", "decoder.mid_block.attentions.0.to_q.weight",
        "decoder.conv_out.weight"]


def gradient_difference(pictures, made):
    total = 0
    for scale in range(SCALES):
        a, b = (F.avg_pool2d(x, 2 ** scale) if scale else x for x in (pictures, made))
        rows = ((b[:, :, 1:] - b[:, :, :-1]) - (a[:, :, 1:] - a[:, :, :-1])).abs().mean()
        columns = ((b[..., 1:] - b[..., :-1]) - (a[..., 1:] - a[..., :-1])).abs().mean()
        total = total + (rows + columns) / 2
    return total / SCALES


def main():
    torch.manual_seed(5)
    vae = AutoencoderKL.from_pretrained(HERE / "sd1_tiny/model/vae", torch_dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(vae.parameters(), lr=RATE, weight_decay=1e-2)
    out = {"pictures": torch.rand(STEPS, 2, 3, 16, 24) * 2 - 1}
    told = []
    for step in range(STEPS):
        pictures = out["pictures"][step]
        posterior = vae.encode(pictures).latent_dist
        noise = torch.randn_like(posterior.mean)
        out[f"noise.{step}"] = noise
        made = vae.decode(posterior.mean + posterior.std * noise).sample
        reconstruction = (made - pictures).abs().mean()
        edges = gradient_difference(pictures, made)
        kl = posterior.kl().sum() / (pictures.shape[0] * pictures[0].numel())
        loss = reconstruction + GRADIENT_WEIGHT * edges + KL_WEIGHT * kl
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        told.append([x.item() for x in (loss, reconstruction, edges, kl, norm)])
    out["told"] = torch.tensor(told, dtype=torch.float64)  # [steps, 5]
    weights = vae.state_dict()
    for name in KEPT:
        out["after." + name] = weights[name].detach().contiguous()
    save_file({name: tensor.contiguous() for name, tensor in out.items()}, HERE / "vae_training.safetensors")


main()
