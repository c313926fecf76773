#!/usr/bin/env bash
# the demo night on two devices against one, from nothing each
. "$root/bench/lib.sh"
batch=$(night night)
one=$(seconds "$atelier" run "$batch" --out "$work/one" --cache "$work/cache1" --devices cpu:0)
two=$(seconds "$atelier" run "$batch" --out "$work/two" --cache "$work/cache2" --devices cpu:0,cpu:1)
figure devices "demo night, --devices cpu:0" "$one" null s null
figure devices "demo night, --devices cpu:0,cpu:1" "$two" "$one" s 0.65
