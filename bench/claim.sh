#!/usr/bin/env bash
# whether LoRA 1 - LoRA 2 carries the person and not the background: about an hour; options are those of bench/claim/measure.py
set -eu
. "$root/tools/setup.sh"
prepare portraits portrait_probe >&2
exec python3 "$root/bench/claim/measure.py" --build "$build" "$@"
