"""Reference values of VAE tiling, from diffusers' AutoencoderKL on the VAE of sd1_tiny.

    python make_vae_tiling.py [OUT]        OUT: vae_tiling.safetensors beside this script

Needs: torch==2.13.0 diffusers==0.42.1 safetensors, on the CPU, and sd1_tiny. One picture and one latent that no tile
divides; tiles of 16 px (4 latents) and 32 px, which overlap by a quarter as diffusers has it. OUT gets:

    image [1, 3, 40, 28], latent [1, 4, 10, 7]
    mean.TILE, logvar.TILE, decoded.TILE        for TILE 16 and 32, in px
"""
import pathlib
import sys

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent


def main(out):
    torch.manual_seed(3)
    torch.set_num_threads(1)
    vae = AutoencoderKL.from_pretrained(HERE / "sd1_tiny/model/vae", torch_dtype=torch.float32).eval()
    vae.enable_tiling()
    g = {"image": torch.rand(1, 3, 40, 28) * 2 - 1, "latent": torch.randn(1, 4, 10, 7)}
    with torch.no_grad():
        for tile in (16, 32):
            vae.tile_sample_min_size, vae.tile_latent_min_size = tile, tile // 4
            posterior = vae.encode(g["image"]).latent_dist
            g |= {f"mean.{tile}": posterior.mean, f"logvar.{tile}": posterior.logvar,
                  f"decoded.{tile}": vae.decode(g["latent"]).sample}
    save_file({k: v.contiguous() for k, v in g.items()}, out)


main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "vae_tiling.safetensors")
