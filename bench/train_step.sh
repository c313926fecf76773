#!/usr/bin/env bash
# one LoRA training step on the demo's base against diffusers + peft, one thread each, in turn
. "$root/bench/lib.sh"
. "$root/tools/setup.sh"
prepare bench_train_step >&2
venv=${ATELIER_VENV:-$root/.venv}
[ -x "$venv/bin/python" ] || { echo "train_step: needs a venv with diffusers and peft: ./check --python makes it" >&2; exit 1; }
"$atelier" model init --arch sd1 --width 32 --seed 7 "$work/base" >&2
ours=() peers=()
for i in 1 2 3; do
  ours+=("$("$root/build/release/bench/bench_train_step" "$work/base" 16 8 30 1)")
  peers+=("$("$venv/bin/python" "$root/bench/peers/train_step.py" "$work/base" 16 8 30 1 2>/dev/null)")
done
middle() { printf '%s\n' "$@" | sort -n | sed -n 2p; }
figure train_step "width 32, 128 px, rank 8, batch 1, 1 thread (median of 3 runs)" "$(middle "${ours[@]}")" "$(middle "${peers[@]}")" s null
