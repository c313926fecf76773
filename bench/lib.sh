# Sourced by the benches: seconds of a command, a JSON line, the example nights in a scratch folder.
work=$(mktemp -d "${TMPDIR:-/tmp}/atelier-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

# seconds COMMAND …: runs it, its output to $work/log; prints the wall-clock seconds. Ends the bench where it fails.
seconds() {
  local start end
  start=$(date +%s.%N)
  "$@" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; echo "failed: $*" >&2; exit 1; }
  end=$(date +%s.%N)
  awk -v a="$start" -v b="$end" 'BEGIN {printf "%.3f", b - a}'
}

# figure BENCH CASE OURS PEER UNIT BAR: PEER and BAR may be null.
figure() {
  local ratio=null
  [ "$4" = null ] || ratio=$(awk -v a="$3" -v b="$4" 'BEGIN {printf "%.3f", a / b}')
  printf '{"bench": "%s", "case": "%s", "ours": %s, "peer": %s, "unit": "%s", "ratio": %s, "bar": %s}\n' \
    "$1" "$2" "$3" "$4" "$5" "$ratio" "$6"
}

# night NAME: copies examples/NAME to $work with a base model of its own; prints the batch file.
night() {
  if [ ! -d "$work/examples" ]; then
    mkdir -p "$work/examples/base"
    "$atelier" model init --arch sd1 --width 32 --seed 7 "$work/examples/base/model" >&2
    cp -r "$root/pipelines" "$work/pipelines"
  fi
  cp -r "$root/examples/$1" "$work/examples/"
  echo "$work/examples/$1/batch.yaml"
}
