#!/usr/bin/env bash
# planning 10,000 and 45,455 customers of 30 steps: a first night and a second one; a million tasks in 10 s and 1 GB
. "$root/bench/lib.sh"
. "$root/tools/setup.sh"
prepare bench_plan >&2
"$build/bench/bench_plan" 10000
"$build/bench/bench_plan" 45455
