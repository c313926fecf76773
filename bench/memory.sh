#!/usr/bin/env bash
# what trainings of the published sizes take, against the estimate that admission relies on: within 20 %
. "$root/bench/lib.sh"
. "$root/tools/setup.sh"
prepare bench_memory >&2
field() { sed -E "s/.*\"$2\": ([0-9]+).*/\1/" <<<"$1"; }
# ARCH MODE [NAME=VALUE …], as bench/memory.cpp takes them: the table in bench/README.md
measure() {
  local line
  line=$("$build/bench/bench_memory" "$@" steps=1 tokenizer="$root/tests/golden/sd1_tiny/model/tokenizer" </dev/null) || {
    echo "memory: $* failed" >&2
    return
  }
  figure memory "$*" "$(field "$line" estimate)" "$(field "$line" peak)" bytes '"0.8 to 1.2"'
}
while read -r -a training; do measure "${training[@]}"; done <<'TRAININGS'
sd1 lora side=32
sd1 lora side=32 rows=2
sd1 lora side=64
sd1 lora side=64 checkpointing=yes
sd1 lora side=32 dtype=bfloat16
sd1 lora side=64 dtype=bfloat16
sd1 lora side=64 rows=4 dtype=bfloat16 width=128
sd1 lora side=32 text=yes
sd1 words side=32
sd1 words side=32 dtype=bfloat16
sd1 full side=32
sd1 full side=32 dtype=bfloat16
sd1 full side=32 dtype=bfloat16 text=yes optimizer=adafactor
sd1 full side=32 width=192 passes=2 ema=yes
sd2 lora side=32
sd2 lora side=32 dtype=bfloat16
sd2 lora side=64 rows=2 dtype=bfloat16 width=128
sd2 full side=32 optimizer=adafactor
sdxl lora side=32
sdxl lora side=64
sdxl lora side=64 dtype=bfloat16
sdxl lora side=64 dtype=bfloat16 checkpointing=yes
sdxl lora side=128 dtype=bfloat16 checkpointing=yes
sdxl lora side=32 dtype=bfloat16 text=yes
sdxl words side=32 dtype=bfloat16
sdxl full side=64 width=128
sdxl full side=32 dtype=bfloat16 targets=attn2.to_k,attn2.to_v
TRAININGS
