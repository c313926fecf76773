"""Seconds a step of LoRA training in diffusers + peft, on the model folder and at the settings that bench/train_step.cpp uses.

    python train_step.py MODEL LATENT_SIDE RANK STEPS THREADS
"""
import sys, time
import torch
from diffusers import UNet2DConditionModel, DDPMScheduler
from peft import LoraConfig

folder, side, rank, steps, threads = sys.argv[1], *map(int, sys.argv[2:6])
torch.set_num_threads(threads)
torch.manual_seed(0)
unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32).requires_grad_(False)
unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=[
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]))
lora = [p for p in unet.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(lora, lr=1e-4)
schedule = DDPMScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
context = torch.randn(1, 77, unet.config.cross_attention_dim)
times = []
for _ in range(steps + 3):
    latents, noise, mask = torch.randn(1, 4, side, side), torch.randn(1, 4, side, side), torch.rand(1, 1, side, side)
    start = time.perf_counter()
    t = torch.randint(0, 1000, (1,))
    prediction = unet(schedule.add_noise(latents, noise, t), t, context).sample
    loss = (mask * (prediction - noise) ** 2).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(lora, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    times.append(time.perf_counter() - start)
print(sorted(times[3:])[len(times[3:]) // 2])
