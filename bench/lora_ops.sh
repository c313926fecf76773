#!/usr/bin/env bash
# LoRA diff and fuse at SD 1.5's size against kohya's ways and bare copies, in turn; --alternations 3 --svd-runs 0 for a quick look
set -eu
. "$root/bench/lib.sh"
alternations=5 svd_runs=1 rank=32
while [ $# -gt 0 ]; do
  case "$1 ${2:-}" in
    "--alternations "[1-9]*) alternations=$2 ;;
    "--svd-runs "[0-9]*) svd_runs=$2 ;;
    *) echo "lora_ops: '$*' is not understood; expected --alternations N, --svd-runs N" >&2; exit 2 ;;
  esac
  shift 2
done
venv=${ATELIER_VENV:-$root/.venv}
"$venv/bin/python" -c 'import torch, diffusers, transformers, safetensors' 2>/dev/null ||
  { echo "lora_ops: needs a venv with torch and diffusers: ./check --python makes it" >&2; exit 1; }
needed_mb=10000  # a base and its copy of 4,265 MB each, LoRAs of 75 and 150 MB
free_mb=$(df --output=avail -BMB "$work" | tail -n 1 | tr -dc 0-9)
[ "$free_mb" -ge "$needed_mb" ] ||
  { echo "lora_ops: ${TMPDIR:-/tmp} has $free_mb MB free, $needed_mb are needed; TMPDIR names another place" >&2; exit 1; }

# timed NAME COMMAND …: adds its seconds to those of NAME; what was written before is on the disk when it starts
timed() { local name=$1; shift; sync; { seconds "$@"; echo; } >>"$work/$name.s"; }
# median NAME: of its seconds; null where there are none
median() {
  [ -f "$work/$1.s" ] || { echo null; return; }
  sort -n "$work/$1.s" | awk '{at[NR] = $1} END {print (at[int((NR + 1) / 2)] + at[int(NR / 2) + 1]) / 2}'
}
copied() { cp --reflink=never "$1" "$2" && sync "$2"; }
input() { seconds "$venv/bin/python" "$root/bench/lora_ops_input.py" "$@" >/dev/null; }

# ask FIELD OPERATION …: has the peer do it; prints that field of its answer. What it speaks is told in peers/lora_ops.py
ask() {
  local field=$1 answer
  shift
  (IFS=$'\t'; echo "$*") >&3
  read -r answer <&4 || { tail -n 20 "$work/peer.log" >&2; echo "failed: the peer at $1" >&2; exit 1; }
  sed -E "s/.*\"$field\": ([^,}]+).*/\1/" <<<"$answer"
}

# peaks COMMAND …: in MB the most it held (VmHWM), and the most of its own (RssAnon), looked at every 10 ms
peaks() {
  local pid status held=0 own=0
  "$@" >"$work/log" 2>&1 &
  pid=$!
  while status=$(cat "/proc/$pid/status" 2>/dev/null) && [[ $status =~ VmHWM:[[:space:]]+([0-9]+) ]]; do
    held=${BASH_REMATCH[1]}
    [[ $status =~ RssAnon:[[:space:]]+([0-9]+) ]] && own=$((BASH_REMATCH[1] > own ? BASH_REMATCH[1] : own))
    sleep 0.01
  done
  wait "$pid" || { tail -n 20 "$work/log" >&2; echo "failed: $*" >&2; exit 1; }
  echo "$((held * 1024 / 1000000)) $((own * 1024 / 1000000))"
}

a=$work/a.safetensors b=$work/b.safetensors ours=$work/ours.safetensors theirs=$work/theirs.safetensors
input loras "$rank" "$a" "$b"
mkfifo "$work/questions" "$work/answers"
"$venv/bin/python" "$root/bench/peers/lora_ops.py" <"$work/questions" >"$work/answers" 2>"$work/peer.log" &
exec 3>"$work/questions" 4<"$work/answers"
read -r ready <&4 || { cat "$work/peer.log" >&2; exit 1; }
threads=$(sed -E 's/.*: ([0-9]+).*/\1/' <<<"$ready")
size="264 layers, rank $rank, float32"
difference=("$a:1" "$b:-1")

for ((run = 1; run <= alternations; ++run)); do
  timed start "$atelier" lora --help
  timed reduced "$atelier" lora diff "$a" "$b" --rank "$rank" -o "$ours"
  [ "$run" -gt "$svd_runs" ] || ask seconds svd "$rank" "$theirs" "${difference[@]}" >>"$work/svd.s"
done
# what the program does beside its start, which the peer's figures do not have either
beside_start() { awk -v all="$(median "$1")" -v start="$(median start)" 'BEGIN {printf "%.3f", all - start}'; }
svd="full SVDs on $threads threads, median of $svd_runs"
figure lora_ops "diff to rank $rank, $size: the program less its start, median of $alternations, against $svd" \
  "$(beside_start reduced)" "$(median svd)" s 0.01
figure lora_ops "diff to rank $rank: the whole program, against $svd" "$(median reduced)" "$(median svd)" s null
off=$(ask error error "$ours" "${difference[@]}")
theirs_off=null
[ ! -f "$theirs" ] || theirs_off=$(ask error error "$theirs" "${difference[@]}")
figure lora_ops "diff to rank $rank: ||dW' - dW|| / ||dW||, against the file from full SVDs" "$off" "$theirs_off" "" 1

for ((run = 1; run <= alternations; ++run)); do
  timed exact "$atelier" lora diff "$a" "$b" -o "$ours"
  timed written dd if="$ours" of="$work/copy" bs=4M conv=fsync
  rm "$work/copy"
  ask seconds concat "$theirs" "${difference[@]}" >>"$work/concat.s"
done
figure lora_ops "exact diff, $size: the program less its start, median of $alternations, against its bytes written with dd and fsync" \
  "$(beside_start exact)" "$(median written)" s null
figure lora_ops "exact diff: the whole program, against its bytes written with dd and fsync" "$(median exact)" "$(median written)" s null
figure lora_ops "exact diff: the program less its start, against stacked factors on $threads threads" "$(beside_start exact)" "$(median concat)" s null
off=$(ask error error "$ours" "${difference[@]}")
theirs_off=$(ask error error "$theirs" "${difference[@]}")
figure lora_ops "exact diff: ||dW' - dW|| / ||dW||, against the file of stacked factors" "$off" "$theirs_off" "" null
exec 3>&- 4<&-  # the peer ends with its input

base=$work/base.safetensors fused=$work/fused.safetensors
input base "$root/models/clip-tokenizer" "$work/folder"
seconds "$atelier" model convert "$work/folder" "$base" --dtype float32 >/dev/null
rm -r "$work/folder"
fuse=("$atelier" lora fuse "$base" "$a:0.6" "$b:0.9" -o "$fused")
cat "$base" >/dev/null
for ((run = 1; run <= alternations; ++run)); do
  timed fused "${fuse[@]}"
  rm "$fused"
  timed copied copied "$base" "$work/copy"
  rm "$work/copy"
done
mb=$(($(stat -c %s "$base") / 1000000))
figure lora_ops "fuse of two LoRAs into a file of $mb MB, float32: the program, median of $alternations, against cp and sync" \
  "$(median fused)" "$(median copied)" s 1.25
held_own=$(peaks "${fuse[@]}")
figure lora_ops "fuse: peak memory less the base's $mb MB" "$((${held_own% *} - mb))" null MB 300
figure lora_ops "fuse: peak memory of its own" "${held_own#* }" null MB 300
