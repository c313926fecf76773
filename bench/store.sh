#!/usr/bin/env bash
# content put in the store and got again, against the bare bytes written and read
. "$root/bench/lib.sh"
. "$root/tools/setup.sh"
prepare bench_store >&2
"$build/bench/bench_store" "$work/store"
