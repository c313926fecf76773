"""Adapter layers of every kind that LyCORIS and peft make, and their updates as these libraries compute them.

    python make_lycoris.py [OUT]        OUT: lycoris beside this script

Needs: lycoris-lora==4.1.3 peft==0.21.2 torch==2.13.0 safetensors, on the CPU. Everything is float32. OUT gets:

    NAME.safetensors     layers in kohya's naming, of one kind each: locon (Tucker's form), loha, lokr, dora
    peft/                adapter_model.safetensors and adapter_config.json of a DoRA that peft saved
    deltas.safetensors   by "NAME/layer" the updates dW, and by "NAME/layer/weight" the weights that DoRA's are for
"""
import pathlib
import sys

import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = "down_blocks.0.attentions.0.transformer_blocks.0."
RESNET = "down_blocks.0.resnets.0.conv1"


def linear(out=12, into=8):
    return nn.Linear(into, out, bias=False)


def conv(out=12, into=8):
    return nn.Conv2d(into, out, 3, padding=1, bias=False)


CASES = {  # file: layer, module, what is adapted, settings
    "locon": [(RESNET, LoConModule, conv(), dict(lora_dim=4, alpha=3, use_tucker=True)),
              (BLOCK + "attn1.to_q", LoConModule, linear(), dict(lora_dim=2, alpha=1, rs_lora=True))],
    "loha": [(BLOCK + "attn1.to_q", LohaModule, linear(), dict(lora_dim=3, alpha=2)),
             (RESNET, LohaModule, conv(), dict(lora_dim=2, alpha=1)),
             ("mid_block.resnets.0.conv1", LohaModule, conv(), dict(lora_dim=4, alpha=1, use_tucker=True))],
    "lokr": [(BLOCK + "attn1.to_q", LokrModule, linear(16, 24), dict(lora_dim=1, alpha=3)),
             (BLOCK + "attn1.to_k", LokrModule, linear(36, 36), dict(lora_dim=2, alpha=3, decompose_both=True)),
             (BLOCK + "attn1.to_v", LokrModule, linear(), dict(lora_dim=2, alpha=1, full_matrix=True)),
             (RESNET, LokrModule, conv(16, 24), dict(lora_dim=2, alpha=1)),
             ("mid_block.resnets.0.conv1", LokrModule, conv(16, 24), dict(lora_dim=2, alpha=1, use_tucker=True)),
             ("mid_block.resnets.1.conv1", LokrModule, conv(), dict(lora_dim=4, alpha=1, full_matrix=True))],
    "dora": [(BLOCK + "attn1.to_q", LoConModule, linear(), dict(lora_dim=2, alpha=1, weight_decompose=True)),
             (BLOCK + "attn1.to_k", LohaModule, linear(), dict(lora_dim=2, alpha=1, weight_decompose=True)),
             (RESNET, LoConModule, conv(), dict(lora_dim=2, alpha=3, weight_decompose=True)),
             ("mid_block.resnets.0.conv1", LoConModule, conv(8, 8),
              dict(lora_dim=2, alpha=3, weight_decompose=True, wd_on_out=False))],
}


def update_of(module, weight):
    """What the module's forward pass adds to the weight: the response to every unit input tells it."""
    if weight.dim() == 2:
        units = torch.eye(weight.shape[1])
        return (module(units) - units @ weight.T).T
    module.multiplier = 1
    delta = module.make_weight() * module.scale if isinstance(module, LoConModule) else module.get_weight(module.shape)
    if getattr(module, "wd", False):
        return module.apply_weight_decompose(weight + delta) - weight
    return delta


def of_lycoris(name, deltas):
    tensors = {}
    for layer, kind, org, settings in CASES[name]:
        key = "lora_unet_" + layer.replace(".", "_")
        module = kind(key, org, multiplier=1.0, bypass_mode=False, **settings)
        for parameter, values in module.named_parameters():
            if "dora_scale" not in parameter and "org" not in parameter:
                values.data.normal_(std=0.4)
        if module.wd:
            module.dora_scale.data.mul_(torch.rand_like(module.dora_scale) + 0.5)
            deltas[f"{name}/{layer}/weight"] = org.weight.data.clone()
        deltas[f"{name}/{layer}"] = update_of(module, org.weight.data)
        tensors |= {f"{key}.{k}": v for k, v in module.custom_state_dict().items()}
    return tensors


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.time_embedding = nn.Module()
        self.time_embedding.linear_1, self.time_embedding.linear_2 = linear(), linear(6, 12)
        self.conv_in = conv(8, 8)
        self.conv_out = conv(6, 8)

    def forward(self, x):
        return x


def of_peft(out, deltas):
    model = Model()
    names = ["time_embedding.linear_1", "time_embedding.linear_2", "conv_in", "conv_out"]
    weights = {name: model.get_submodule(name).weight.data.clone() for name in names}
    config = LoraConfig(r=4, lora_alpha=3, use_dora=True, use_rslora=True, target_modules=names,
                        rank_pattern={"linear_2": 2}, alpha_pattern={"conv_(in|back)": 5})
    adapted = get_peft_model(model, config)
    for parameter, values in adapted.named_parameters():
        if "lora_magnitude" in parameter:
            values.data.mul_(torch.rand_like(values) + 0.5)
        elif "lora_" in parameter:
            values.data.normal_(std=0.4)
    adapted.save_pretrained(out / "peft")
    (out / "peft/README.md").unlink(missing_ok=True)
    merged = adapted.merge_and_unload()
    for name, weight in weights.items():
        deltas[f"peft/{name}/weight"] = weight
        deltas[f"peft/{name}"] = merged.get_submodule(name).weight.data - weight


def main(out=HERE / "lycoris"):
    out = pathlib.Path(out)
    out.mkdir(exist_ok=True)
    torch.manual_seed(5)
    deltas = {}
    with torch.no_grad():
        for name in CASES:
            save_file({k: v.detach().contiguous() for k, v in of_lycoris(name, deltas).items()},
                      out / f"{name}.safetensors", {"ss_network_module": "lycoris.kohya"})
        of_peft(out, deltas)
    save_file({k: v.detach().contiguous() for k, v in deltas.items()}, out / "deltas.safetensors")


main(*sys.argv[1:])
