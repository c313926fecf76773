#!/usr/bin/env bash
# a LoRA training step against diffusers + peft, in turn: SD 1.5's size, and the demo's base; --sizes 32 --alternations 3 for a quick look
. "$root/bench/lib.sh"
. "$root/tools/setup.sh"
prepare bench_train_step >&2
venv=${ATELIER_VENV:-$root/.venv}
[ -x "$venv/bin/python" ] || { echo "train_step: needs a venv with diffusers and peft: ./check --python makes it" >&2; exit 1; }
in_turn() {
  "$venv/bin/python" "$root/bench/in_turn.py" --ours "$build/bench/bench_train_step" \
    --peer "$root/bench/peers/train_step.py" "$@"
}
"$atelier" model init --arch sd1 --width 32 --seed 7 "$work/base" >&2
in_turn --case "width 32" --model "$work/base" --sizes 16 --rank 8 --threads 1 --steps 10
in_turn "$@"
