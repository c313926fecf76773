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
TRAININGS
