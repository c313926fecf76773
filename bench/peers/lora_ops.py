"""What people do with LoRAs in Python, in the ways of kohya's svd_merge_lora.py and merge_lora.py --concat, told anew.

    python lora_ops.py

One process for the whole comparison: once it is ready it prints a JSON object, then answers each line of its standard
input with one. A line's fields are separated by tabs, and each LoRA is given as FILE:WEIGHT.

    svd     RANK OUT LORA …   the sum at that rank: dense updates, a full SVD of each, both factors clamped
    concat  OUT LORA …        the sum by stacked factors
    error   FILE LORA …       ||dW of FILE - dW of the sum|| / ||dW of the sum||, over all layers
"""
import json, math, sys, time
import torch
from safetensors.torch import load_file, save_file

CLAMP_QUANTILE = 0.99  # kohya's: numbers beyond it are taken for outliers


class LoraFile:
    def __init__(self, path):
        self.tensors = load_file(path)
        self.layers = [key.removesuffix(".lora_down.weight") for key in self.tensors if key.endswith(".lora_down.weight")]

    def factors(self, layer):
        """A [r, in, …], B [out, r, …] and alpha, which is the rank where the file does not say."""
        down, up = self.tensors[f"{layer}.lora_down.weight"], self.tensors[f"{layer}.lora_up.weight"]
        return down, up, float(self.tensors.get(f"{layer}.alpha", len(down)))

    def update(self, layer):
        """dW, [out, in * kernel]"""
        down, up, alpha = self.factors(layer)
        return alpha / len(down) * (up.flatten(1) @ down.flatten(1))


def given(fields):
    """The LoRAs with their weights, and the layers that any of them has."""
    pairs = [field.rsplit(":", 1) for field in fields]
    loras = [(LoraFile(path), float(weight)) for path, weight in pairs]
    return loras, list(dict.fromkeys(layer for lora, _ in loras for layer in lora.layers))


def summed(loras, layer):
    return sum(weight * lora.update(layer) for lora, weight in loras if layer in lora.layers)


def factors_by_svd(update, rank):
    """A and B of that rank, and the squares of all singular values and of those cut off."""
    u, s, vh = torch.linalg.svd(update)  # whole square U and Vh, as kohya has it
    up, down = u[:, :rank] * s[:rank], vh[:rank]
    limit = torch.quantile(torch.cat((up.flatten(), down.flatten())), CLAMP_QUANTILE).item()
    squares = s.double() ** 2
    return down.clamp(-limit, limit), up.clamp(-limit, limit), squares.sum().item(), squares[rank:].sum().item()


def svd(rank, out, *fields):
    loras, layers = given(fields)
    tensors, whole, lost = {}, 0.0, 0.0
    for layer in layers:
        update = summed(loras, layer)
        kept = min(int(rank), *update.shape)
        down, up, squares, cut = factors_by_svd(update, kept)
        whole, lost = whole + squares, lost + cut
        kernel = next(lora for lora, _ in loras if layer in lora.layers).factors(layer)[0].shape[2:]
        tensors[f"{layer}.lora_down.weight"] = down.reshape(kept, -1, *kernel).contiguous()
        tensors[f"{layer}.lora_up.weight"] = up.reshape(*up.shape, *[1] * len(kernel)).contiguous()
        tensors[f"{layer}.alpha"] = torch.tensor(float(kept))
    save_file(tensors, out)
    return {"least_error": math.sqrt(lost / whole)}  # what any file of this rank is off (Eckart and Young 1936)


def concat(out, *fields):
    loras, layers = given(fields)
    tensors = {}
    for layer in layers:
        downs, ups, alphas = [], [], []
        for lora, weight in loras:
            if layer not in lora.layers:
                continue
            down, up, alpha = lora.factors(layer)
            alphas.append(alpha)
            scale = weight * math.sqrt(alpha / alphas[0])
            downs.append(scale * down)
            ups.append(abs(scale) * up)  # so that a weight below zero changes the sign once
        tensors[f"{layer}.lora_down.weight"] = torch.cat(downs, 0)
        tensors[f"{layer}.lora_up.weight"] = torch.cat(ups, 1)
        tensors[f"{layer}.alpha"] = torch.tensor(alphas[0])
    save_file(tensors, out)
    return {}


def error(path, *fields):
    loras, layers = given(fields)
    file = LoraFile(path)
    whole, off = 0.0, 0.0
    for layer in layers:
        update = summed(loras, layer)
        whole += torch.linalg.vector_norm(update, dtype=torch.double).item() ** 2
        off += torch.linalg.vector_norm(update - file.update(layer), dtype=torch.double).item() ** 2
    return {"error": math.sqrt(off / whole)}


print(json.dumps({"threads": torch.get_num_threads()}), flush=True)
for line in sys.stdin:
    operation, *arguments = line.rstrip("\n").split("\t")
    start = time.perf_counter()
    facts = {"svd": svd, "concat": concat, "error": error}[operation](*arguments)
    print(json.dumps({"seconds": time.perf_counter() - start} | facts), flush=True)
