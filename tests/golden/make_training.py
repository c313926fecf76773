"""Reference values of the ways to train that sd1_tiny lacks, from diffusers, transformers and peft.

    python make_training.py [OUT]        OUT: training beside this script

Needs: torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 peft==0.21.2 safetensors numpy, on the CPU; and sd1_tiny,
whose model and inputs are used: `train.latents`, `train.noise` [10, 2, 4, 16, 16], `train.t`, `train.caption` [10, 2],
`text0.ids` [3, 77] and `unet.context` = its hidden states. No mask: every loss is a mean over [C, H, W] of each sample.
Unless a case says otherwise: step i takes inputs[i], trains the LoRA `train.start.*` of sd1_tiny on the UNet, takes the
mean over the batch, clips the gradient norm to 0.1 and updates with AdamW (goldens.json, "train"), learning rate 1e-3.
OUT gets training.json (settings, tolerances) and training.safetensors, by case:

    CASE.loss [S]          loss of each step before its update
    CASE.grad_norm [S]     norm over all that the case trains, before clipping
    CASE.end.NAME          a few of the trained tensors after the last step, whole
    CASE.change [P]        |W_end - W_start| of every trained tensor, in the order of their sorted names (those of
                           CASE.start.*; else of sd1_tiny's train.start.*; of `full` and `adafactor_full` the UNet's)
    CASE.start.NAME        where the case does not start from sd1_tiny's LoRA; float16 values

    prior            5 steps, 4 rows: instance rows inputs[2i], class rows inputs[2i + 1]; loss = mean(instance)
                     + 0.7 * mean(class), as train_dreambooth.py
    min_snr          gamma 5, epsilon: min(snr, 5) / snr per sample, as compute_snr and train_text_to_image_lora.py
    min_snr_v        gamma 5, v-prediction schedule and target: min(snr, 5) / (snr + 1)
    min_snr_weights  [10, 2] and min_snr_v_weights [10, 2]: those factors; snr [1000] of the schedule
    noise_offset     noise = train.noise + 0.05 * noise_offset.noise [10, 2, 4, 1, 1], added and predicted
    accumulation     5 steps of two batches each, inputs[2i] and inputs[2i + 1], loss / 2 each; .loss is their mean
    adafactor        transformers' Adafactor, relative_step, scale_parameter and warmup_init off, clip threshold 1,
                     linear layers only (a 1x1 convolution's B has 4 dimensions in peft, so other factors than [out, r])
    adafactor_full   Adafactor on the whole UNet: tensors of 1, 2 and 4 dimensions (factored over the last two). Its
                     eps is 1e-12: by default Adafactor's first step is a whole one in the direction of each gradient's
                     sign, and one element of time_embedding.linear_1.bias has a gradient of 3e-10 where its tensor's
                     are 5e-4, which is rounding: 3e-10, 5e-10 or 7e-12 with ATEN_CPU_CAPABILITY default, avx2, avx512
    full             AdamW on the whole UNet, clipped to 1
    locon            attention, projections, feed-forward, time_emb_proj and conv_shortcut at rank 2, alpha 3; 3x3
                     convolutions (resnets, down- and upsamplers) at conv rank 3, conv alpha 1.5: kohya's conv_dim
    text_lora        the UNet's LoRA at 1e-3 and one of the text encoder (q, k, v, out_proj, fc1, fc2; rank 2, alpha 3)
                     at 5e-4 together; one norm over both; the context is encoded in every step. Names of the text
                     encoder begin with `text_encoder.`
    ti               textual inversion as textual_inversion.py: two new rows, ids 600 and 601, stand in ti.ids [3, 77];
                     the embedding table is trained without clipping and all other rows restored after each step.
                     ti.start, ti.end [2, 16]; ti.rows [S, 2, 16] after each step; .grad_norm is that of the new rows
    lr.NAME [50]     the factor of the learning rate at each of 50 steps, from diffusers' get_scheduler: constant,
                     constant_warmup, linear, linear_warmup, cosine, cosine_warmup, restarts (3 cycles),
                     restarts_warmup; warm-up is 10 steps
"""
import copy
import json
import pathlib
import shutil
import sys

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from diffusers.training_utils import compute_snr
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel
from transformers.optimization import Adafactor

HERE = pathlib.Path(__file__).resolve().parent
TINY = HERE / "sd1_tiny"
SEED, STEPS, LR, TEXT_LR, CLIP_NORM, FULL_CLIP_NORM = 17, 10, 1e-3, 5e-4, 0.1, 1.0
RANK, ALPHA, CONV_RANK, CONV_ALPHA = 2, 3.0, 3, 1.5
GAMMA, OFFSET, PRIOR_WEIGHT, TI_LR = 5.0, 0.05, 0.7, 5e-3
ADAFACTOR_FULL_EPS = 1e-12
ADAMW = dict(betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2)
LINEAR = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
PROJECTIONS = ["proj_in", "proj_out"]
CONVS = ["conv1", "conv2", "downsamplers.0.conv", "upsamplers.0.conv"]
TEXT_TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
KEPT = ["down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", "mid_block.attentions.0.proj_in",
        "up_blocks.1.attentions.1.transformer_blocks.0.ff.net.0.proj", "up_blocks.2.resnets.0.conv1",
        "down_blocks.0.downsamplers.0.conv", "mid_block.resnets.0.time_emb_proj",
        "text_encoder.text_model.encoder.layers.1.mlp.fc1"]
KEPT_FULL = ["conv_in.bias", "time_embedding.linear_1.weight", "down_blocks.1.resnets.0.norm1.weight",
             "mid_block.attentions.0.proj_in.weight", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight",
             "up_blocks.2.resnets.1.conv_shortcut.weight", "conv_out.weight"]


class Inputs:
    """sd1_tiny's inputs; a step's batch may be made of several of its batches."""

    def __init__(self):
        g = load_file(TINY / "goldens.safetensors")
        self.latents, self.noise = g["train.latents"], g["train.noise"]
        self.t, self.caption = g["train.t"], g["train.caption"]
        self.ids, self.context = g["text0.ids"], g["unet.context"]
        self.lora = {k.removeprefix("train.start."): v for k, v in g.items() if k.startswith("train.start.")}

    def batch(self, *indices):
        return [torch.cat([x[i] for i in indices]) for x in (self.latents, self.noise, self.t, self.caption)]


def schedule(prediction_type="epsilon"):
    return DDPMScheduler(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                         prediction_type=prediction_type)


def base_unet():
    return UNet2DConditionModel.from_pretrained(TINY / "model/unet", torch_dtype=torch.float32).requires_grad_(False)


def base_text():
    model = CLIPTextModel.from_pretrained(TINY / "model/text_encoder", torch_dtype=torch.float32)
    return model.eval().requires_grad_(False)


def lora_of(model, start=None, **config):
    """peft's adapters on the model, at `start` or at random float16 values whose B is not zero; their parameters."""
    model.add_adapter(LoraConfig(**({"r": RANK, "lora_alpha": ALPHA} | config)))
    lora = {n: p for n, p in model.named_parameters() if "lora_" in n}
    with torch.no_grad():
        for name, p in lora.items():
            std = 0.3 if "lora_B" in name else p[0].numel() ** -0.5
            p.copy_(start[name] if start else (torch.randn_like(p) * std).half().float())
            p.requires_grad_(True)
    return lora


def mse(unet, scheduler, batch, context):
    """The squared error of each sample, [N]: a mean over its latent."""
    latents, noise, t, caption = batch
    target = noise
    if scheduler.config.prediction_type == "v_prediction":
        target = scheduler.get_velocity(latents, noise, t)
    prediction = unet(scheduler.add_noise(latents, noise, t), t, context[caption]).sample
    return torch.nn.functional.mse_loss(prediction, target, reduction="none").mean((1, 2, 3))


def adamw(parameters, lr=LR):
    return torch.optim.AdamW(parameters, lr=lr, **ADAMW)


def adafactor(parameters, eps=1e-30):
    return Adafactor(parameters, lr=LR, relative_step=False, scale_parameter=False, warmup_init=False,
                     clip_threshold=1.0, weight_decay=0.0, eps=(eps, 1e-3))


def train(g, case, trained, losses_of, optimizer, steps=STEPS, clip_norm=CLIP_NORM, kept=KEPT, new_start=False):
    """Trains the parameters `trained` (by name) on what losses_of(step) yields, and puts the results into g."""
    start = {n: p.detach().clone() for n, p in trained.items()}
    losses, norms = [], []
    for i in range(steps):
        total = 0.0
        for loss in losses_of(i):
            loss.backward()
            total += loss.detach()
        norms.append(torch.nn.utils.clip_grad_norm_(trained.values(), clip_norm))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
    g[f"{case}.loss"], g[f"{case}.grad_norm"] = torch.stack(losses), torch.stack(norms)
    g[f"{case}.change"] = torch.stack([(trained[n].detach() - start[n]).norm() for n in sorted(trained)])
    g |= {f"{case}.end.{n}": p for n, p in trained.items() if any(n.startswith(k) for k in kept)}
    if new_start:
        g |= {f"{case}.start.{n}": p.half() for n, p in start.items()}
    print(case, len(trained), [round(float(x), 5) for x in losses])


def lora_case(g, inputs, case, losses_of, steps=STEPS, make_optimizer=adamw, targets=None):
    unet = base_unet()
    lora = lora_of(unet, inputs.lora, target_modules=targets or LINEAR + PROJECTIONS)
    train(g, case, lora, lambda i: losses_of(unet, i), make_optimizer(lora.values()), steps)


def prior_preservation(g, inputs):
    def losses(unet, i):
        instance, prior = mse(unet, schedule(), inputs.batch(2 * i, 2 * i + 1), inputs.context).chunk(2)
        yield instance.mean() + PRIOR_WEIGHT * prior.mean()
    lora_case(g, inputs, "prior", losses, steps=STEPS // 2)


def min_snr(g, inputs):
    g["snr"] = compute_snr(schedule(), torch.arange(1000))
    for case, kind, plus in (("min_snr", "epsilon", 0), ("min_snr_v", "v_prediction", 1)):
        snr = compute_snr(schedule(), inputs.t)
        weights = g[f"{case}_weights"] = snr.clamp(max=GAMMA) / (snr + plus)

        def losses(unet, i):
            yield (mse(unet, schedule(kind), inputs.batch(i), inputs.context) * weights[i]).mean()
        lora_case(g, inputs, case, losses)


def noise_offset(g, inputs):
    offsets = g["noise_offset.noise"] = torch.randn(STEPS, 2, 4, 1, 1)

    def losses(unet, i):
        latents, noise, t, caption = inputs.batch(i)
        yield mse(unet, schedule(), (latents, noise + OFFSET * offsets[i], t, caption), inputs.context).mean()
    lora_case(g, inputs, "noise_offset", losses)


def plain_losses(inputs):
    return lambda unet, i: iter([mse(unet, schedule(), inputs.batch(i), inputs.context).mean()])


def accumulation(g, inputs):
    def losses(unet, i):
        for k in (2 * i, 2 * i + 1):
            yield mse(unet, schedule(), inputs.batch(k), inputs.context).mean() / 2
    lora_case(g, inputs, "accumulation", losses, steps=STEPS // 2)


def adafactors(g, inputs):
    lora_case(g, inputs, "adafactor", plain_losses(inputs), make_optimizer=adafactor, targets=LINEAR)
    full(g, inputs, "adafactor_full", lambda parameters: adafactor(parameters, ADAFACTOR_FULL_EPS))


def full(g, inputs, case="full", make_optimizer=adamw):
    unet = base_unet().requires_grad_(True)
    weights = dict(unet.named_parameters())
    train(g, case, weights, lambda i: plain_losses(inputs)(unet, i), make_optimizer(weights.values()),
          clip_norm=FULL_CLIP_NORM, kept=KEPT_FULL, steps=STEPS // 2)


def locon(g, inputs):
    unet = base_unet()
    convs = [n for n, _ in unet.named_modules() if any(n.endswith(c) for c in CONVS)]
    pattern = {n: CONV_RANK for n in convs}
    lora = lora_of(unet, target_modules=LINEAR + PROJECTIONS + CONVS + ["time_emb_proj", "conv_shortcut"],
                   rank_pattern=pattern, alpha_pattern={n: CONV_ALPHA for n in convs})
    assert all(p.shape[0] == (CONV_RANK if n.split(".lora_A")[0] in pattern else RANK)
               for n, p in lora.items() if "lora_A" in n)
    train(g, "locon", lora, lambda i: plain_losses(inputs)(unet, i), adamw(lora.values()), new_start=True)


def text_lora(g, inputs):
    unet, text = base_unet(), base_text()
    lora = lora_of(unet, inputs.lora, target_modules=LINEAR + PROJECTIONS)
    of_text = lora_of(text, target_modules=TEXT_TARGETS)
    named = {"text_encoder.text_model." + n.removeprefix("text_model."): p for n, p in of_text.items()}
    optimizer = torch.optim.AdamW([{"params": list(lora.values()), "lr": LR},
                                   {"params": list(named.values()), "lr": TEXT_LR}], **ADAMW)

    def losses(i):
        context = text(inputs.ids).last_hidden_state
        yield mse(unet, schedule(), inputs.batch(i), context).mean()
    g |= {f"text_lora.start.{n}": p.detach().half() for n, p in named.items()}
    train(g, "text_lora", lora | named, losses, optimizer)


def textual_inversion(g, inputs):
    unet, text = base_unet(), base_text()
    table = text.get_input_embeddings().weight
    old = table.shape[0]
    ids = g["ti.ids"] = inputs.ids.clone()
    ids[0, 3:5], ids[1, 1:3], ids[2, 2:4] = (torch.tensor([old, old + 1]) for _ in range(3))
    ids[1, 3] = inputs.ids[1, 1]  # the end of the text, which the empty prompt had at place 1
    start = g["ti.start"] = (torch.randn(2, table.shape[1]) * table.std()).half().float()
    text.resize_token_embeddings(old + 2, mean_resizing=False)
    table = text.get_input_embeddings().weight.requires_grad_(True)
    with torch.no_grad():
        table[old:] = start
    kept = table[:old].detach().clone()
    optimizer = adamw([table], TI_LR)
    losses, norms, rows = [], [], []
    for i in range(STEPS):
        loss = mse(unet, schedule(), inputs.batch(i), text(ids).last_hidden_state).mean()
        loss.backward()
        norms.append(table.grad[old:].norm())
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            table[:old] = kept
        losses.append(loss.detach())
        rows.append(table[old:].detach().clone())
    g["ti.loss"], g["ti.grad_norm"] = torch.stack(losses), torch.stack(norms)
    g["ti.rows"], g["ti.end"] = torch.stack(rows), rows[-1]
    print("ti", [round(float(x), 5) for x in losses])


def lr_schedules(g):
    for name, kind, warmup, cycles in (
            ("constant", "constant", 0, 1), ("constant_warmup", "constant_with_warmup", 10, 1),
            ("linear", "linear", 0, 1), ("linear_warmup", "linear", 10, 1),
            ("cosine", "cosine", 0, 1), ("cosine_warmup", "cosine", 10, 1),
            ("restarts", "cosine_with_restarts", 0, 3), ("restarts_warmup", "cosine_with_restarts", 10, 3)):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = get_scheduler(kind, optimizer, num_warmup_steps=warmup, num_training_steps=50,
                                  **({"num_cycles": cycles} if cycles > 1 else {}))
        factors = []
        for _ in range(50):
            factors.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        g["lr." + name] = torch.tensor(factors, dtype=torch.float64)


def facts():
    return {
        "seed": SEED, "versions": "torch 2.13.0, diffusers 0.42.1, transformers 5.23.0, peft 0.21.2",
        "train": {"lr": LR, "text_lr": TEXT_LR, "ti_lr": TI_LR, "betas": [0.9, 0.999], "eps": 1e-8,
                  "weight_decay": 1e-2, "grad_clip_norm": CLIP_NORM, "full_grad_clip_norm": FULL_CLIP_NORM},
        "adafactor": {"lr": LR, "eps": [1e-30, 1e-3], "clip_threshold": 1.0, "decay_rate": -0.8, "beta1": None,
                      "weight_decay": 0.0, "full_eps": ADAFACTOR_FULL_EPS},
        "lora": {"rank": RANK, "alpha": ALPHA, "conv_rank": CONV_RANK, "conv_alpha": CONV_ALPHA, "linear": LINEAR,
                 "projections": PROJECTIONS, "convolutions": CONVS, "text_encoder": TEXT_TARGETS},
        "min_snr_gamma": GAMMA, "noise_offset": OFFSET, "prior_weight": PRIOR_WEIGHT,
        "tolerance": {"loss (relative)": 1e-5, "grad_norm (relative)": 1e-4, "lr (absolute)": 1e-12,
                      "snr, weights (relative)": 1e-5, "change (relative)": 2e-3,
                      "end: |W - W*| / |W* - W0| per tensor": 2e-3}}


def main(out):
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    g, inputs = {}, Inputs()
    for case in (prior_preservation, min_snr, noise_offset, accumulation, adafactors, full, locon, text_lora,
                 textual_inversion):
        case(g, inputs)
    lr_schedules(g)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    save_file({k: v.detach().clone().contiguous() for k, v in g.items()}, out / "training.safetensors")
    (out / "training.json").write_text(json.dumps(facts(), indent=1) + "\n", "utf-8")
    print(out, len(g), "values,", (out / "training.safetensors").stat().st_size, "bytes")


main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "training")
