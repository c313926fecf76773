#!/usr/bin/env bash
# what the engine itself costs: nights of 1,000, 10,000 and 100,000 tasks that do nothing, and the same again
. "$root/bench/lib.sh"
. "$root/tools/setup.sh"
prepare bench_engine >&2
"$build/bench/bench_engine" "$work/engine" 10 100 1000
