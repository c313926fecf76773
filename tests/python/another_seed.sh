#!/usr/bin/env bash
# What holds on the peers' values of one seed holds on those of another: makes them with the peers' own script and runs
# the tests that read ATELIER_PEERS on them.
#   another_seed.sh TEST_PROGRAM …         Needs ATELIER_PEERS and ATELIER_VENV; exit code 77 (skipped) without them.
set -eu
seed=11
[ -n "${ATELIER_PEERS:-}" ] || { echo "skipped: ATELIER_PEERS is not set; ./check sets it where ../shared/peers exists"; exit 77; }
[ -n "${ATELIER_VENV:-}" ] || { echo "skipped: ATELIER_VENV is not set; ./check --python makes a venv"; exit 77; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/atelier-peers.XXXXXX")
trap 'rm -rf "$folder"' EXIT
for variant in sd1 sd2 sdxl; do
  "$ATELIER_VENV/bin/python" "$ATELIER_PEERS/goldens.py" "$variant" "$seed" "$folder/$variant" 2>"$folder/log" ||
    { cat "$folder/log" >&2; exit 1; }
done
cp "$ATELIER_PEERS/tokens.json" "$folder/"
export ATELIER_PEERS=$folder
for program in "$@"; do
  # A program without such tests passes too: it would be a mistake of the list.
  "$program" --gtest_filter='Peers*' --gtest_brief=1 | tee "$folder/log"
  grep -q 'PASSED.* [1-9][0-9]* test' "$folder/log"
done
