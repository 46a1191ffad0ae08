#!/usr/bin/env bash
# No sentence of an analysis is contradicted by its own figures: all of them on the reference ten times, five of them
# beside two busy processes; tests/analyses.rs works out from the figures what may be said, and compares. Prints how
# many analyses, insights and readings there were. Other numbers of runs: tests/analyses.sh QUIET BUSY. The records
# stay in target/analyses.
set -euo pipefail
cd "$(dirname "$0")/.."
quiet=${1:-5} busy=${2:-5}
records=$PWD/target/analyses
rm -rf "$records"
mkdir -p "$records"
cargo build --quiet

busy_processes=() analysis=
end_what_was_started() {
  for process in "${busy_processes[@]}" $analysis; do kill "$process" 2>/dev/null || true; done
  wait
  busy_processes=()
}
trap end_what_was_started EXIT
trap 'exit 130' INT TERM HUP

# In the background, so that a signal need not wait for the end of an analysis.
run() {
  for module in exercises/*.rs; do
    module=$(basename "$module" .rs)
    target/debug/tinytorch-tutor analyze "$module" --solution --format json >>"$records/$1" 2>"$records.errors" &
    analysis=$!
    wait "$analysis" || { cat "$records.errors"; tail -n 1 "$records/$1"; echo "$1: $module failed"; exit 1; }
    analysis=
  done
  echo "$1: $SECONDS s"
}

for number in $(seq "$quiet"); do run "quiet-$number"; done
for _ in 1 2; do
  # Each ends with this script, even where the script is killed.
  (while kill -0 $$ 2>/dev/null; do :; done) &
  busy_processes+=("$!")
done
for number in $(seq "$busy"); do run "busy-$number"; done
end_what_was_started

TINYTORCH_RECORDS=$records cargo test --quiet --test analyses -- --ignored --nocapture
