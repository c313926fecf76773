"""Steps of LoRA training in diffusers + peft, on the model and at the settings that bench/train_step.cpp uses.

    python train_step.py MODEL LATENT_SIDE RANK THREADS

MODEL is a diffusers folder, or `sd15`: random weights in SD 1.5's size. Both programs speak the same lines: each prints
a JSON object once it is ready, then for every number N on its standard input takes N steps and prints the seconds a step
took, and at the end of its input prints its peak memory in bytes.
"""
import json, sys, time
import torch
from diffusers import UNet2DConditionModel, DDPMScheduler
from peft import LoraConfig
from torch.utils.flop_counter import FlopCounterMode

SD15 = dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280))

model, side, rank, threads = sys.argv[1], *map(int, sys.argv[2:5])
torch.set_num_threads(threads)
torch.manual_seed(0)
if model == "sd15":
    unet = UNet2DConditionModel(**SD15)
else:
    unet = UNet2DConditionModel.from_pretrained(model, subfolder="unet", torch_dtype=torch.float32)
unet.requires_grad_(False)
weights = sum(p.numel() * p.element_size() for p in unet.parameters())
unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=[
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]))
lora = [p for p in unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(lora, lr=1e-4)
schedule = DDPMScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
context = torch.randn(1, 77, unet.config.cross_attention_dim)


def step():
    latents, noise, mask = torch.randn(1, 4, side, side), torch.randn(1, 4, side, side), torch.rand(1, 1, side, side)
    t = torch.randint(0, 1000, (1,))
    prediction = unet(schedule.add_noise(latents, noise, t), t, context).sample
    loss = (mask * (prediction - noise) ** 2).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(lora, 1.0)
    optimizer.step()
    optimizer.zero_grad()


def peak_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


with FlopCounterMode(display=False) as counter:  # what a step is made of: products and convolutions, both passes
    step()
print(json.dumps({"weights": weights, "flop": counter.get_total_flops(), "trained": sum(p.numel() for p in lora)}), flush=True)
for line in sys.stdin:
    count = int(line)
    start = time.perf_counter()
    for _ in range(count):
        step()
    print((time.perf_counter() - start) / count, flush=True)
print(peak_bytes())
