#!/usr/bin/env python3
"""What each setting of the portrait method does: trains rendered customers again and again, one param of claim.yaml
changed each time, and tells identity and leaks of implicit and explicit fusion at one weight. Options are those of
measure.py; writes ablation.md.
"""
import sys

from measure import METHODS, Bench, arguments, value_of

VARIANTS = [
    ("as claim.yaml says", []), ("half the steps", ["steps=150"]), ("twice the steps", ["steps=600"]),
    ("rank 2", ["rank=2"]), ("rank 32", ["rank=32"]), ("half the learning rate", ["learning_rate=0.0005"]),
    ("twice the learning rate", ["learning_rate=0.002"]), ("transition of 2 px", ["feather_px=2"]),
    ("transition of 24 px", ["feather_px=24"]), ("random portraits at a third", ["random_share=0.5"]),
    ("random portraits at two thirds", ["random_share=2"]), ("captions split", ["split=words"]),
    ("losses over the mask's area", ["normalize=mask"]), ("region person", ["region=person"]),
    ("region face", ["region=face"]), ("cross attention alone", ["targets=['*attn2*']"])]
WEIGHT = 1.0  # of the person in the pictures, where implicit fusion leaks most
TOLD = ["identity", "features", "object", "home", "prompt", "style"]


def main():
    options = arguments(__doc__).parse_args()
    common = ["picture_seeds=[1,2,3,4,5,6]", *options.set]
    titles = " | ".join(f"{t}, {m}" for m in METHODS[:2] for t in TOLD)
    lines = [f"| | {titles} |", "| --- " * (1 + 2 * len(TOLD)) + "|"]
    bench = Bench(options, METHODS[:2])
    bench.render()
    bench.reference = bench.references()
    bench.write_batch()
    for name, settings in VARIANTS:
        options.set = common + settings
        bench.runs = "ablation-" + name.replace(" ", "-").replace("'", "")
        nothing = bench.measure({"implicit": 0})  # the style alone
        rows = bench.measure({m: WEIGHT for m in bench.methods})
        zero = sum(r["distance"] for r in nothing["implicit"]) / len(nothing["implicit"])
        cells = " | ".join(f"{value_of(t, rows[m], zero):.2f}" for m in bench.methods for t in TOLD)
        lines.append(f"| {name} | {cells} |")
        print(lines[-1], file=sys.stderr, flush=True)
        (options.out / "ablation.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
