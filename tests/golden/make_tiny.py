"""The project's own reference values, from diffusers, transformers and peft on very small models of each architecture.

    python make_tiny.py VARIANT [OUT]        VARIANT: sd1 | sd2 | sdxl; OUT: VARIANT_tiny beside this script

Needs: torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 peft==0.21.2 safetensors numpy, on the CPU.
Weights are drawn in float32, rounded to float16 and saved so; every value is computed in float32 from the rounded
weights. No map reaches 1x1, where a UNet of random weights is chaotic. OUT gets:

    model/                   the base as a diffusers folder, with a vocabulary of 600 entries. The text encoder of sd2
                             names its weights as transformers 5 does, the others as published files: text_model.…
    lora_kohya.safetensors    one LoRA; of sd1 in two more namings: lora_diffusers.safetensors, lora_peft.safetensors
    lora_full_kohya.safetensors    every kind of layer, text encoders too, with unequal ranks and alphas; SDXL's
                             UNet in kohya's numbering of blocks
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
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

HERE = pathlib.Path(__file__).resolve().parent
CLIP = HERE.parent.parent / "models/clip-tokenizer"
PROMPTS = ["a photo of <sks> person, red scarf, looking at viewer", "", "Ölgemälde; (soft light:1.2), 8k"]
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]
SEED, RANK, ALPHA, BATCH, LR, CLIP_NORM = 11, 2, 3.0, 2, 1e-3, 0.1
MERGES = 86  # of CLIP's 48,894: with 256 bytes inside words, 256 at their ends and 2 special tokens, 600 entries
TIME_IDS = [[96., 160, 3, 5, 112, 144], [128, 64, 0, 7, 80, 96], [200, 120, 9, 0, 64, 128]]  # of SDXL: original
# height and width, crop's top and left, target's height and width

CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"
VARIANTS = {  # "map" is the UNet's input in unet.out, "square" that of samplings and trainings
    "sd1": {"prediction": "epsilon", "steps": 10, "map": (16, 24), "square": 16, "scaling": 0.18215, "vae": (8, 16, 16),
            "texts": [{"hidden_size": 16, "hidden_act": "quick_gelu"}],
            "unet": dict(block_out_channels=(16, 32, 32), cross_attention_dim=16, attention_head_dim=4,
                         layers_per_block=1, norm_num_groups=8), "blocks": (CROSS, CROSS, PLAIN)},
    "sd2": {"prediction": "v_prediction", "steps": 4, "map": (8, 12), "square": 8, "scaling": 0.18215, "vae": (4, 8, 8),
            "texts": [{"hidden_size": 16, "hidden_act": "gelu"}],
            "unet": dict(block_out_channels=(8, 8, 16), cross_attention_dim=16, attention_head_dim=(1, 2, 2),
                         layers_per_block=1, norm_num_groups=4, use_linear_projection=True),
            "blocks": (CROSS, CROSS, PLAIN)},
    "sdxl": {"prediction": "epsilon", "steps": 4, "map": (8, 12), "square": 8, "scaling": 0.13025, "vae": (4, 8, 8),
             "texts": [{"hidden_size": 8, "hidden_act": "quick_gelu"}, {"hidden_size": 12, "hidden_act": "gelu"}],
             "unet": dict(block_out_channels=(4, 8), cross_attention_dim=8 + 12, attention_head_dim=(1, 2),
                          layers_per_block=2, norm_num_groups=4, use_linear_projection=True,
                          transformer_layers_per_block=(1, 2), addition_embed_type="text_time",
                          addition_time_embed_dim=8, projection_class_embeddings_input_dim=12 + 6 * 8),
             "blocks": (PLAIN, CROSS)}}


def schedule_of(variant):
    return dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                prediction_type=VARIANTS[variant]["prediction"])


def half_exact(module):
    """Rounds the weights to float16 values and perturbs norms and biases so that none of them is trivially 1 or 0."""
    with torch.no_grad():
        for p in module.parameters():
            if p.ndim == 1:
                p.add_(0.1 * torch.randn_like(p))
            p.copy_(p.half().float())
    return module.eval().requires_grad_(False)


def small_vocabulary(folder, padding):
    """The bytes and the first merges of CLIP's vocabulary, numbered anew. OpenCLIP pads with "!", id 0."""
    folder.mkdir(parents=True, exist_ok=True)
    old = json.loads((CLIP / "vocab.json").read_text("utf-8"))
    lines = (CLIP / "merges.txt").read_text("utf-8").split("\n")[: MERGES + 1]
    entries = sorted(old, key=old.get)[:512] + [line.replace(" ", "") for line in lines[1:]]
    entries += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({e: i for i, e in enumerate(entries)}, ensure_ascii=False), "utf-8")
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    config = (CLIP / "tokenizer_config.json").read_text("utf-8")
    assert '"pad_token": "<|endoftext|>"' in config
    (folder / "tokenizer_config.json").write_text(
        config.replace('"pad_token": "<|endoftext|>"', f'"pad_token": "{padding}"'), "utf-8")
    return len(entries)


def paddings(variant):
    return {"sd1": ["<|endoftext|>"], "sd2": ["!"], "sdxl": ["<|endoftext|>", "!"]}[variant]


def names(part, variant):
    """text_encoder and, in SDXL, text_encoder_2."""
    return [part, part + "_2"][: len(VARIANTS[variant]["texts"])]


def build(variant, vocabulary):
    settings = VARIANTS[variant]
    unet = UNet2DConditionModel(sample_size=settings["square"],
                                down_block_types=[b.format("Down") for b in settings["blocks"]],
                                up_block_types=[b.format("Up") for b in reversed(settings["blocks"])],
                                **settings["unet"])
    vae = AutoencoderKL(block_out_channels=settings["vae"], layers_per_block=1, latent_channels=4, sample_size=64,
                        norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 3,
                        up_block_types=("UpDecoderBlock2D",) * 3, scaling_factor=settings["scaling"])
    texts = []
    for i, text in enumerate(settings["texts"]):
        width = text["hidden_size"]
        config = CLIPTextConfig(vocab_size=vocabulary, intermediate_size=4 * width, num_hidden_layers=2,
                                num_attention_heads=2, projection_dim=width, max_position_embeddings=77,
                                bos_token_id=vocabulary - 2, eos_token_id=2 if variant == "sdxl" else vocabulary - 1,
                                pad_token_id=1, **text)  # eos 2, as published: the largest id
        texts.append((CLIPTextModelWithProjection if i else CLIPTextModel)(config))
    return half_exact(unet), half_exact(vae), [half_exact(text) for text in texts]


def save_model(folder, variant, unet, vae, texts):
    encoders = names("text_encoder", variant)
    for name, module in (("unet", unet), ("vae", vae), *zip(encoders, texts)):
        copy.deepcopy(module).half().save_pretrained(folder / name)
    if variant != "sd2":  # published files name them text_model.…
        weights = folder / "text_encoder/model.safetensors"
        named = {"text_model." + k.removeprefix("text_model."): v for k, v in load_file(weights).items()}
        save_file(named, weights, {"format": "pt"})
    DDIMScheduler(**schedule_of(variant), clip_sample=False, set_alpha_to_one=False, steps_offset=1).save_pretrained(
        folder / "scheduler")
    kinds = ["CLIPTextModel", "CLIPTextModelWithProjection"]
    index = {"_class_name": "StableDiffusionXLPipeline" if variant == "sdxl" else "StableDiffusionPipeline",
             "_diffusers_version": "0.42.1", "scheduler": ["diffusers", "DDIMScheduler"],
             "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    for encoder, tokenizer, kind in zip(encoders, names("tokenizer", variant), kinds):
        index |= {encoder: ["transformers", kind], tokenizer: ["transformers", "CLIPTokenizer"]}
    if variant == "sdxl":
        index |= {"force_zeros_for_empty_prompt": True}
    else:
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None], "requires_safety_checker": False}
    (folder / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")


def text_goldens(g, folder, variant, texts):
    """Gives the UNet's context and SDXL's further conditioning."""
    penultimate = []
    for i, (text, name, pad) in enumerate(zip(texts, names("tokenizer", variant), paddings(variant))):
        tokenizer = CLIPTokenizer(str(folder / name / "vocab.json"), str(folder / name / "merges.txt"),
                                  model_max_length=77, pad_token=pad)
        ids = tokenizer(PROMPTS, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        out = text(ids, output_hidden_states=True)
        penultimate.append(out.hidden_states[-2])
        g |= {f"text{i}.ids": ids, f"text{i}.last": out.last_hidden_state, f"text{i}.penultimate": penultimate[-1]}
        if i:
            g["text1.embeds"] = out.text_embeds
        else:
            norm = text.text_model.final_layer_norm if hasattr(text, "text_model") else text.final_layer_norm
            g |= {"text0.pooled": out.pooler_output, "text0.clip_skip_2": norm(out.hidden_states[-2])}
    if variant != "sdxl":
        return g["text0.last"], None
    return torch.cat(penultimate, -1), {"text_embeds": g["text1.embeds"], "time_ids": torch.tensor(TIME_IDS)}


def pick(added, rows):
    return None if added is None else {k: v[rows] for k, v in added.items()}


def vae_goldens(g, vae):
    g["vae.image"] = torch.rand(2, 3, 24, 32) * 2 - 1
    posterior = vae.encode(g["vae.image"]).latent_dist
    g["vae.mean"], g["vae.logvar"] = posterior.mean, posterior.logvar
    g["vae.latent"] = torch.randn(2, 4, 6, 8)
    g["vae.decoded"] = vae.decode(g["vae.latent"]).sample


def sample_goldens(g, variant, unet, context, added):
    side = VARIANTS[variant]["square"]
    ddim = DDIMScheduler(**schedule_of(variant), clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    ddim.set_timesteps(10)
    x = g["sample.start"] = torch.randn(1, 4, side, side)
    for t in ddim.timesteps:
        e = unet(torch.cat([x] * 2), t, context[[1, 0]], added_cond_kwargs=pick(added, [1, 0])).sample
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


def save_namings(out, state):
    settings = {"r": RANK, "lora_alpha": ALPHA, "target_modules": TARGETS}
    save_file({"base_model.model." + k: v for k, v in state.items()}, out / "lora_peft.safetensors")
    (out / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"} | settings, indent=1) + "\n")
    save_file({"unet." + k: v for k, v in state.items()}, out / "lora_diffusers.safetensors",
              {"lora_adapter_metadata": json.dumps({"unet." + k: v for k, v in settings.items()}), "format": "pt"})


def save_lora(out, variant, unet):
    state = {k: v.detach().half().contiguous() for k, v in get_peft_model_state_dict(unet).items()}
    if variant == "sd1":  # these two namings do not depend on the architecture
        save_namings(out, state)
    kohya = {}
    for k, v in state.items():
        base, part = k.rsplit(".lora_", 1)
        name = "lora_unet_" + base.replace(".", "_")
        kohya[f"{name}.lora_{'down' if part[0] == 'A' else 'up'}.weight"] = v
        kohya[name + ".alpha"] = torch.tensor(ALPHA)
    save_file(kohya, out / "lora_kohya.safetensors", {"ss_network_module": "networks.lora"})


def original_name(name):
    """diffusers' module path -> the original layout's, which kohya's SDXL LoRAs are numbered by."""
    p = name.split(".")
    inner = {"conv1": "in_layers.2", "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1",
             "conv_shortcut": "skip_connection"}
    if p[0] == "mid_block":
        head, rest = f"middle_block.{1 if p[1] == 'attentions' else 2 * int(p[2])}", p[3:]
    else:
        i, j, slot = int(p[1]), int(p[3]), int(p[2] != "resnets")
        down = p[0] == "down_blocks"
        head = f"input_blocks.{3 * i + j + 1}.{slot}" if down else f"output_blocks.{3 * i + j}.{slot}"
        rest = p[4:]
    return ".".join([head] + ([inner[rest[0]]] if rest[0] in inner else rest))


def full_lora_goldens(g, out, variant, unet, texts, context, added):
    """A LoRA of every kind of layer, merged by its definition: W + alpha / r * B A."""
    unet, texts, state = copy.deepcopy(unet), copy.deepcopy(texts), {}
    encoders = ["lora_te_"] if len(texts) == 1 else ["lora_te1_", "lora_te2_"]
    for prefix, model in (("lora_unet_", unet), *zip((e + "text_model_" for e in encoders), texts)):
        for j, (name, m) in enumerate(model.named_modules()):
            conv = isinstance(m, torch.nn.Conv2d) and m.kernel_size == (3, 3) and "resnets" in name
            linear = isinstance(m, torch.nn.Linear) and ("attn" in name or "ff." in name or "mlp" in name)
            if not conv and not linear:
                continue
            r, alpha = 2 + j % 3, 1.0 + j % 2
            a = (torch.randn(r, *m.weight.shape[1:]) / m.weight[0].numel() ** 0.5).half()
            b = (torch.randn(m.weight.shape[0], r, *([1, 1] if conv else [])) * 0.2).half()
            m.weight += alpha / r * (b.float().flatten(1) @ a.float().flatten(1)).view_as(m.weight)
            path = original_name(name) if variant == "sdxl" and model is unet else name.removeprefix("text_model.")
            key = prefix + path.replace(".", "_")
            state |= {key + ".lora_down.weight": a, key + ".lora_up.weight": b, key + ".alpha": torch.tensor(alpha)}
    g["lora_full.unet.out"] = unet(g["unet.sample"], g["unet.t"], context, added_cond_kwargs=added).sample
    for i, text in enumerate(texts):
        g[f"lora_full.text{i}.last"] = text(g[f"text{i}.ids"]).last_hidden_state
    save_file(state, out / "lora_full_kohya.safetensors", {"ss_network_module": "networks.lora"})


def train_goldens(g, variant, unet, lora, schedule, context, added):
    steps, side = VARIANTS[variant]["steps"], VARIANTS[variant]["square"]
    shape = (steps, BATCH, 4, side, side)
    g["train.latents"], g["train.noise"] = torch.randn(shape), torch.randn(shape)
    g["train.t"], g["train.caption"] = torch.randint(0, 1000, (steps, BATCH)), torch.randint(0, 3, (steps, BATCH))
    g["train.mask"] = torch.rand(steps, BATCH, 1, side, side).clamp(0.2, 0.9).sub(0.2).div(0.7)
    g |= {"train.start." + n: p.detach().clone() for n, p in lora.items()}
    for p in lora.values():
        p.requires_grad_(True)
    optimizer = torch.optim.AdamW(lora.values(), lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2)
    losses, norms = [], []
    for i in range(steps):
        x0, noise, t, m = g["train.latents"][i], g["train.noise"][i], g["train.t"][i], g["train.mask"][i]
        rows = g["train.caption"][i]
        target = noise if VARIANTS[variant]["prediction"] == "epsilon" else schedule.get_velocity(x0, noise, t)
        noised = schedule.add_noise(x0, noise, t)
        prediction = unet(noised, t, context[rows], added_cond_kwargs=pick(added, rows)).sample
        loss = ((m * (prediction - target) ** 2).sum((1, 2, 3)) / (4 * m.sum((1, 2, 3)))).mean()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(lora.values(), CLIP_NORM))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
    g["train.loss"], g["train.grad_norm"] = torch.stack(losses), torch.stack(norms)
    g |= {"train.end." + n: p.detach().clone() for n, p in lora.items()}


def facts(variant):
    return {
        "variant": variant, "prompts": PROMPTS, "seed": SEED,
        "lora": {"rank": RANK, "alpha": ALPHA, "targets": TARGETS},
        "train": {"optimizer": "AdamW", "lr": LR, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 1e-2,
                  "grad_clip_norm": CLIP_NORM, "steps": VARIANTS[variant]["steps"], "batch": BATCH,
                  "loss": "normalize: mask; mean over samples of sum(m * (prediction - target)^2) / (4 * sum(m))"},
        "sample": {"guidance": 7.5, "steps": 10, "negative": PROMPTS[1], "positive": PROMPTS[0]},
        "versions": "torch 2.13.0, diffusers 0.42.1, transformers 5.23.0, peft 0.21.2",
        "tolerance": {"tokens": 0, "unet, text, vae.mean, vae.logvar (absolute)": 1e-5, "vae.decoded": 1e-4,
                      "sample.*.latent (of its largest value)": 3e-4, "train.loss (relative)": 1e-5,
                      "train.grad_norm (relative)": 1e-4, "train.end: |W - W*| / |W* - W0| per tensor": 2e-3}}


def main(variant, out):
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    shutil.rmtree(out, ignore_errors=True)
    for name, padding in zip(names("tokenizer", variant), paddings(variant)):
        vocabulary = small_vocabulary(out / "model" / name, padding)
    unet, vae, texts = build(variant, vocabulary)
    save_model(out / "model", variant, unet, vae, texts)
    g, schedule = {}, DDPMScheduler(**schedule_of(variant))
    with torch.no_grad():
        context, added = text_goldens(g, out / "model", variant, texts)
        vae_goldens(g, vae)
        g["unet.sample"], g["unet.t"] = torch.randn(3, 4, *VARIANTS[variant]["map"]), torch.tensor([1, 500, 981])
        g["unet.context"] = context.clone()
        if added:
            g["unet.time_ids"] = added["time_ids"]
        g["unet.out"] = unet(g["unet.sample"], g["unet.t"], context, added_cond_kwargs=added).sample
        sample_goldens(g, variant, unet, context, added)
        noise_goldens(g, schedule)
        full_lora_goldens(g, out, variant, unet, texts, context, added)
        lora = add_lora(unet)
        g["lora.unet.out"] = unet(g["unet.sample"], g["unet.t"], context, added_cond_kwargs=added).sample
    save_lora(out, variant, unet)
    train_goldens(g, variant, unet, lora, schedule, context, added)
    save_file({k: v.detach().clone().contiguous() for k, v in g.items()}, out / "goldens.safetensors")
    (out / "goldens.json").write_text(json.dumps(facts(variant), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(out, len(g), "values; losses", [round(float(x), 4) for x in g["train.loss"]])


main(sys.argv[1], pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / f"{sys.argv[1]}_tiny")
