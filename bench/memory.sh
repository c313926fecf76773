#!/usr/bin/env bash
# what trainings of the published sizes take, against the estimate that admission relies on: within 20 %
. "$root/bench/lib.sh"
. "$root/tools/setup.sh"
prepare bench_memory >&2
field() { sed -E "s/.*\"$2\": ([0-9]+).*/\1/" <<<"$1"; }
# ARCH MODE SIDE DTYPE CHECKPOINTING; the larger ones only where memory allows
measure() {
  local line
  line=$("$build/bench/bench_memory" "$@" 2) || { echo "memory: $* failed" >&2; return 0; }
  figure memory "$*" "$(field "$line" estimate)" "$(field "$line" peak)" bytes '"0.8 to 1.2"'
}
for arch in sd1 sd2; do
  measure $arch lora 32 float32 no
  measure $arch lora 64 float32 no
  measure $arch lora 64 float32 yes
  measure $arch lora 64 bfloat16 no
  measure $arch full 32 bfloat16 no
done
measure sd1 full 32 float32 no
measure sdxl lora 64 float32 no
measure sdxl lora 64 bfloat16 no
measure sdxl lora 128 bfloat16 yes
