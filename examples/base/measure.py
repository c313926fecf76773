#!/usr/bin/env python3
"""What the toy base has learned: draws pictures for the captions of pictures it has never seen, has the probe read them,
and tells how many of the attributes that a caption names are read off its picture; and whether pictures are copies: the
distance of each to the nearest picture of the training set, beside that of fresh renders. Needs numpy and Pillow.

    examples/base/measure.py                                        # the base that ships
    examples/base/measure.py --base out/base-training/base          # one of your own
"""
import argparse
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

from programs import call, read

STEP_PROMPTS = 50  # of each step of the pipeline, which has a seed of its own
THINGS = "balloon|umbrella|lamp|clock|kite|vase|flag|flower"
GARMENTS = "sweater|t-shirt|shirt|jacket|dress"
STYLES = {"ink drawing": "ink", "poster illustration": "poster", "oil painting": "oil"}


def named(caption):
    """attribute -> value, of all that the caption says and the probe reads."""
    found = {"presentation": "woman" if re.search(r"\bwoman\b", caption) else "man"}

    def take(pattern, *attributes):
        match = re.search(pattern, caption)
        if match:
            found.update(zip(attributes, match.groups()))
    take(r"\b(short|long|curly) (\w+) hair\b", "hair_style", "hair_colour")
    take(r"\b(\w+) hair bun\b", "hair_colour")
    if "hair bun" in caption:
        found["hair_style"] = "bun"
    if "bald head" in caption:
        found["hair_style"] = "bald"
    take(r"\b(round|square) glasses\b", "glasses")
    take(r"\b(full) beard\b", "beard")
    take(r"\b(moustache)\b", "beard")
    take(r"\b(\w+) skin\b", "skin")
    take(r"\b(smiling|slight smile|serious)\b", "expression")
    take(rf"\b(\w+) ({GARMENTS})\b", "garment_colour", "garment")
    take(r"\b(studio|park|beach|kitchen|library|street|mountains)\b", "scene")
    take(rf"\b(\w+) ({THINGS})\b", "object_colour", "object")
    take(r"\bfacing (viewer|left|right)\b", "facing")
    found["style"] = next((s for words, s in STYLES.items() if words in caption), "photo")
    if found["style"] == "ink":  # black and white
        for colour in ("hair_colour", "garment_colour", "object_colour", "skin"):
            found.pop(colour, None)
    return found


def draw(o, captions):
    """Pictures, in the order of the captions."""
    steps, outputs = [], []
    for i in range(0, len(captions), STEP_PROMPTS):
        prompts = json.dumps(captions[i:i + STEP_PROMPTS])
        name = f"part_{i // STEP_PROMPTS:03}"
        steps.append(f"  {name}: {{use: sample, in: {{base: base}}, with: {{prompts: {prompts}, seeds: [{i}], "
                     f"sampler: dpmpp_2m, steps: {o.steps}, guidance: {o.guidance}}}}}")
        outputs.append(f"  {name}: {{from: {name}, path: \"${{customer}}/{name}/\"}}")
    (o.out / "draw.yaml").write_text("atelier: 1\nname: draw\ninputs:\n  base: {type: model}\nsteps:\n" +
                                     "\n".join(steps) + "\noutputs:\n" + "\n".join(outputs) + "\n")
    (o.out / "batch.yaml").write_text(f"atelier: 1\npipeline: draw.yaml\ncustomers: [{{id: base, base: {o.base.resolve()}}}]\n")
    call(o.build / "cli/atelier", "run", o.out / "batch.yaml", "--out", o.out / "pictures", "--cache", o.out / "cache",
         "--devices", o.devices)
    return [p for part in sorted((o.out / "pictures/base").glob("part_*")) for p in sorted(part.glob("*.png"))]


def shares(captions, values):
    right, count = {}, {}
    for caption, seen in zip(captions, values):
        for attribute, value in named(caption).items():
            count[attribute] = count.get(attribute, 0) + 1
            right[attribute] = right.get(attribute, 0) + (seen[attribute] == value)
    result = {a: {"named": count[a], "read": right[a] / count[a]} for a in sorted(count)}
    result["all"] = {"named": sum(count.values()), "read": sum(right.values()) / sum(count.values())}
    return result


def small(paths):
    """[N, 32 * 32 * 3] in [0, 1]."""
    rows = []
    for path in paths:
        with Image.open(path) as picture:
            rows.append(np.asarray(picture.convert("RGB").resize((32, 32), Image.Resampling.BOX), np.float32).ravel() / 255)
    return np.stack(rows)


def nearest(pictures, training):
    """Root mean square difference to the nearest one of the training set: quantiles."""
    found = [np.sqrt(((training - row) ** 2).mean(1).min()) for row in small(pictures)]
    return {"least": float(min(found)), "5 %": float(np.quantile(found, 0.05)), "median": float(np.median(found))}


def main():
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=root / "build/release", help="where the programs are")
    parser.add_argument("--base", type=Path, default=root / "examples/base/model")
    parser.add_argument("--probe", type=Path, default=root / "examples/base/probe.safetensors")
    parser.add_argument("--training", type=Path, default=root / "out/base-pictures", help="what the base was trained on")
    parser.add_argument("--out", type=Path, default=root / "out/base-measured")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=2, help="of the captions; not that of the training's pictures")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--devices", default="cpu:0,cpu:1")
    o = parser.parse_args()
    if not o.training.is_dir():
        parser.error(f"{o.training}: is not a folder; `portraits set --count 10000 --seed 1 --size 128` makes it")
    o.out.mkdir(parents=True, exist_ok=True)
    fresh = o.out / f"fresh-{o.seed}-{o.count}"
    if not fresh.exists():
        call(o.build / "examples/base/portraits", "set", "--count", o.count, "--seed", o.seed, fresh)
    rendered = sorted(fresh.glob("*.png"))
    captions = [p.with_suffix(".txt").read_text().strip() for p in rendered]
    pictures = draw(o, captions)
    assert len(pictures) == len(captions), (len(pictures), len(captions))

    def values_of(paths):
        told = read(o.build, o.probe, paths)
        return [told[p]["values"] for p in paths]
    training = small(sorted(o.training.glob("*.png")))
    result = {"drawn": shares(captions, values_of(pictures)), "rendered": shares(captions, values_of(rendered)),
              "nearest": {"drawn": nearest(pictures, training), "rendered": nearest(rendered, training)}}
    (o.out / "measured.json").write_text(json.dumps(result, indent=1) + "\n")
    print("| attribute | named | read off drawn pictures | off renders |\n| --- | --- | --- | --- |")
    for attribute, told in result["drawn"].items():
        print(f"| {attribute} | {told['named']} | {told['read']:.1%} | {result['rendered'][attribute]['read']:.1%} |")
    print(json.dumps(result["nearest"]))


if __name__ == "__main__":
    main()
