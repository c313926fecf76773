"""The project's own reference values, from diffusers, transformers and peft on a very small model of SD 1.x's kind.

    python make_sd1_tiny.py [OUT]        OUT: sd1_tiny beside this script

Needs: torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 peft==0.21.2 safetensors numpy, on the CPU.
Weights are drawn in float32, rounded to float16 and saved so; every value is computed in float32 from the rounded
weights. No map reaches 1x1, where a UNet of random weights is chaotic. OUT gets:

    model/                   the base as a diffusers folder, with a vocabulary of 600 entries
    lora_kohya.safetensors, lora_diffusers.safetensors, lora_peft.safetensors    one LoRA in three namings
    lora_full_kohya.safetensors    every kind of layer, text encoder too, with unequal ranks and alphas
    goldens.safetensors      inputs and outputs, by name
    goldens.json             settings and tolerances
"""
import copy
import json
import pathlib
import shutil
import sys

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

HERE = pathlib.Path(__file__).resolve().parent
CLIP = HERE.parent.parent / "models/clip-tokenizer"
PROMPTS = ["a photo of <sks> person, red scarf, looking at viewer", "", "Ölgemälde; (soft light:1.2), 8k"]
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]
SEED, RANK, ALPHA, STEPS, BATCH, LR, CLIP_NORM = 11, 2, 3.0, 10, 2, 1e-3, 0.1
MERGES = 86  # of CLIP's 48,894: with 256 bytes inside words, 256 at their ends and 2 special tokens, 600 entries
SCHEDULE = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                prediction_type="epsilon")


def half_exact(module):
    """Rounds the weights to float16 values and perturbs norms and biases so that none of them is trivially 1 or 0."""
    with torch.no_grad():
        for p in module.parameters():
            if p.ndim == 1:
                p.add_(0.1 * torch.randn_like(p))
            p.copy_(p.half().float())
    return module.eval().requires_grad_(False)


def small_vocabulary(folder):
    """The bytes and the first merges of CLIP's vocabulary, numbered anew."""
    folder.mkdir(parents=True, exist_ok=True)
    old = json.loads((CLIP / "vocab.json").read_text("utf-8"))
    lines = (CLIP / "merges.txt").read_text("utf-8").split("\n")[: MERGES + 1]
    entries = sorted(old, key=old.get)[:512] + [line.replace(" ", "") for line in lines[1:]]
    entries += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({e: i for i, e in enumerate(entries)}, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    shutil.copy(CLIP / "tokenizer_config.json", folder / "tokenizer_config.json")
    return len(entries)


def build(vocabulary):
    unet = UNet2DConditionModel(
        sample_size=16, block_out_channels=(16, 32, 32), cross_attention_dim=16, attention_head_dim=4,
        layers_per_block=1, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"))
    vae = AutoencoderKL(block_out_channels=(8, 16, 16), layers_per_block=1, latent_channels=4, sample_size=64,
                        norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 3,
                        up_block_types=("UpDecoderBlock2D",) * 3, scaling_factor=0.18215)
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=16, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        hidden_act="quick_gelu", projection_dim=16, max_position_embeddings=77, bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1, pad_token_id=1))
    return half_exact(unet), half_exact(vae), half_exact(text)


def save_model(folder, unet, vae, text):
    for name, module in (("unet", unet), ("vae", vae), ("text_encoder", text)):
        copy.deepcopy(module).half().save_pretrained(folder / name)
    weights = folder / "text_encoder/model.safetensors"  # published files name them text_model.…
    named = {"text_model." + k.removeprefix("text_model."): v for k, v in load_file(weights).items()}
    save_file(named, weights, {"format": "pt"})
    DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1).save_pretrained(
        folder / "scheduler")
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1",
             "scheduler": ["diffusers", "DDIMScheduler"], "unet": ["diffusers", "UNet2DConditionModel"],
             "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"],
             "tokenizer": ["transformers", "CLIPTokenizer"], "safety_checker": [None, None],
             "feature_extractor": [None, None], "requires_safety_checker": False}
    (folder / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")


def text_goldens(g, folder, text):
    tokenizer = CLIPTokenizer(str(folder / "tokenizer/vocab.json"), str(folder / "tokenizer/merges.txt"),
                              model_max_length=77)
    ids = tokenizer(PROMPTS, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    out = text(ids, output_hidden_states=True)
    norm = text.text_model.final_layer_norm if hasattr(text, "text_model") else text.final_layer_norm
    g |= {"text0.ids": ids, "text0.last": out.last_hidden_state, "text0.penultimate": out.hidden_states[-2],
          "text0.pooled": out.pooler_output, "text0.clip_skip_2": norm(out.hidden_states[-2])}
    return out.last_hidden_state


def vae_goldens(g, vae):
    g["vae.image"] = torch.rand(2, 3, 24, 32) * 2 - 1
    posterior = vae.encode(g["vae.image"]).latent_dist
    g["vae.mean"], g["vae.logvar"] = posterior.mean, posterior.logvar
    g["vae.latent"] = torch.randn(2, 4, 6, 8)
    g["vae.decoded"] = vae.decode(g["vae.latent"]).sample


def sample_goldens(g, unet, context):
    ddim = DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    ddim.set_timesteps(10)
    x = g["sample.start"] = torch.randn(1, 4, 16, 16)
    for t in ddim.timesteps:
        e = unet(torch.cat([x] * 2), t, context[[1, 0]]).sample
        x = ddim.step(e[:1] + 7.5 * (e[1:] - e[:1]), t, x).prev_sample
    g["sample.ddim.timesteps"], g["sample.ddim.latent"] = ddim.timesteps.float(), x


def noise_goldens(g, schedule):
    g["noise.x0"], g["noise.eps"] = torch.randn(4, 4, 4, 4), torch.randn(4, 4, 4, 4)
    g["noise.t"] = torch.tensor([0, 3, 500, 999])
    g["noise.noised"] = schedule.add_noise(g["noise.x0"], g["noise.eps"], g["noise.t"])
    g["noise.velocity"] = schedule.get_velocity(g["noise.x0"], g["noise.eps"], g["noise.t"])
    g["seed42.noise"] = torch.randn((2, 4, 16, 16), generator=torch.Generator("cpu").manual_seed(42))


def add_lora(unet):
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS))
    lora = {n: p for n, p in unet.named_parameters() if "lora_" in n}
    with torch.no_grad():
        for name, p in lora.items():
            std = 0.3 if "lora_B" in name else p[0].numel() ** -0.5
            p.copy_((torch.randn_like(p) * std).half().float())
    return lora


def save_lora(out, unet):
    state = {k: v.detach().half().contiguous() for k, v in get_peft_model_state_dict(unet).items()}
    settings = {"r": RANK, "lora_alpha": ALPHA, "target_modules": TARGETS}
    save_file({"base_model.model." + k: v for k, v in state.items()}, out / "lora_peft.safetensors")
    (out / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"} | settings, indent=1) + "\n")
    save_file({"unet." + k: v for k, v in state.items()}, out / "lora_diffusers.safetensors",
              {"lora_adapter_metadata": json.dumps({"unet." + k: v for k, v in settings.items()}), "format": "pt"})
    kohya = {}
    for k, v in state.items():
        base, part = k.rsplit(".lora_", 1)
        name = "lora_unet_" + base.replace(".", "_")
        kohya[f"{name}.lora_{'down' if part[0] == 'A' else 'up'}.weight"] = v
        kohya[name + ".alpha"] = torch.tensor(ALPHA)
    save_file(kohya, out / "lora_kohya.safetensors", {"ss_network_module": "networks.lora"})


def full_lora_goldens(g, out, unet, text, context):
    """A LoRA of every kind of layer, merged by its definition: W + alpha / r * B A."""
    unet, text, state = copy.deepcopy(unet), copy.deepcopy(text), {}
    for prefix, model in (("lora_unet_", unet), ("lora_te_text_model_", text)):
        for j, (name, m) in enumerate(model.named_modules()):
            conv = isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3) and "resnets" in name
            linear = isinstance(m, torch.nn.Linear) and ("attn" in name or "ff." in name or "mlp" in name)
            if not conv and not linear:
                continue
            r, alpha = 2 + j % 3, 1.0 + j % 2
            a = (torch.randn(r, *m.weight.shape[1:]) / m.weight[0].numel() ** 0.5).half()
            b = (torch.randn(m.weight.shape[0], r, *([1, 1] if conv else [])) * 0.2).half()
            m.weight += alpha / r * (b.float().flatten(1) @ a.float().flatten(1)).view_as(m.weight)
            key = prefix + name.removeprefix("text_model.").replace(".", "_")
            state |= {key + ".lora_down.weight": a, key + ".lora_up.weight": b, key + ".alpha": torch.tensor(alpha)}
    g["lora_full.unet.out"] = unet(g["unet.sample"], g["unet.t"], context).sample
    g["lora_full.text0.last"] = text(g["text0.ids"]).last_hidden_state
    save_file(state, out / "lora_full_kohya.safetensors", {"ss_network_module": "networks.lora"})


def train_goldens(g, unet, lora, schedule, context):
    shape = (STEPS, BATCH, 4, 16, 16)
    g["train.latents"], g["train.noise"] = torch.randn(shape), torch.randn(shape)
    g["train.t"], g["train.caption"] = torch.randint(0, 1000, (STEPS, BATCH)), torch.randint(0, 3, (STEPS, BATCH))
    g["train.mask"] = torch.rand(STEPS, BATCH, 1, 16, 16).clamp(0.2, 0.9).sub(0.2).div(0.7)
    g |= {"train.start." + n: p.detach().clone() for n, p in lora.items()}
    for p in lora.values():
        p.requires_grad_(True)
    optimizer = torch.optim.AdamW(lora.values(), lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2)
    losses, norms = [], []
    for i in range(STEPS):
        x0, noise, t, m = g["train.latents"][i], g["train.noise"][i], g["train.t"][i], g["train.mask"][i]
        prediction = unet(schedule.add_noise(x0, noise, t), t, context[g["train.caption"][i]]).sample
        loss = ((m * (prediction - noise) ** 2).sum((1, 2, 3)) / (4 * m.sum((1, 2, 3)))).mean()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(lora.values(), CLIP_NORM))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
    g["train.loss"], g["train.grad_norm"] = torch.stack(losses), torch.stack(norms)
    g |= {"train.end." + n: p.detach().clone() for n, p in lora.items()}


def facts():
    return {
        "prompts": PROMPTS, "seed": SEED, "lora": {"rank": RANK, "alpha": ALPHA, "targets": TARGETS},
        "train": {"optimizer": "AdamW", "lr": LR, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 1e-2,
                  "grad_clip_norm": CLIP_NORM, "steps": STEPS, "batch": BATCH,
                  "loss": "normalize: mask; mean over samples of sum(m * (prediction - target)^2) / (4 * sum(m))"},
        "sample": {"guidance": 7.5, "steps": 10, "negative": PROMPTS[1], "positive": PROMPTS[0]},
        "versions": "torch 2.13.0, diffusers 0.42.1, transformers 5.23.0, peft 0.21.2",
        "tolerance": {"tokens": 0, "unet, text, vae.mean, vae.logvar (absolute)": 1e-5, "vae.decoded": 1e-4,
                      "sample.*.latent (of its largest value)": 3e-4, "train.loss (relative)": 1e-5,
                      "train.grad_norm (relative)": 1e-4, "train.end: |W - W*| / |W* - W0| per tensor": 2e-3}}


def main(out):
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    shutil.rmtree(out, ignore_errors=True)
    unet, vae, text = build(small_vocabulary(out / "model/tokenizer"))
    save_model(out / "model", unet, vae, text)
    g, schedule = {}, DDPMScheduler(**SCHEDULE)
    with torch.no_grad():
        context = text_goldens(g, out / "model", text)
        vae_goldens(g, vae)
        g["unet.sample"], g["unet.t"] = torch.randn(3, 4, 16, 24), torch.tensor([1, 500, 981])
        g["unet.context"] = context.clone()
        g["unet.out"] = unet(g["unet.sample"], g["unet.t"], context).sample
        sample_goldens(g, unet, context)
        noise_goldens(g, schedule)
        full_lora_goldens(g, out, unet, text, context)
        lora = add_lora(unet)
        g["lora.unet.out"] = unet(g["unet.sample"], g["unet.t"], context).sample
    save_lora(out, unet)
    train_goldens(g, unet, lora, schedule, context)
    save_file({k: v.detach().clone().contiguous() for k, v in g.items()}, out / "goldens.safetensors")
    (out / "goldens.json").write_text(json.dumps(facts(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(out, len(g), "values; losses", [round(float(x), 4) for x in g["train.loss"]])


main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "sd1_tiny")
