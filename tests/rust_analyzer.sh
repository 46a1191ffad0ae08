#!/usr/bin/env bash
# rust-analyzer's own diagnostics over a solved lab and a solved clone: it must see every exercise, find no error,
# and find one that is put in. $RUST_ANALYZER, or rust-analyzer on the PATH. Says so and succeeds where there
# is none. `cargo install ra_ap_rust-analyzer` installs it.
set -euo pipefail
cd "$(dirname "$0")/.."
analyzer=${RUST_ANALYZER:-rust-analyzer}
if ! "$analyzer" --version >/dev/null 2>&1; then
  echo "skipped: there is no $analyzer, so completion and errors in exercises were not tried"
  exit 0
fi
# The clone is compiled where this project is: its third-party crates are there.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Every exercise is seen, and nothing is wrong in any.
errors() { (cd "$1" && "$analyzer" diagnostics . 2>&1 || true) | tr '\b\r' '\n\n' >"$folder/said"; grep ': Error ' "$folder/said" || true; }

examine() {
  local found exercise
  found=$(errors "$1")
  for exercise in exercises/*.rs; do
    grep -q "processing .*$exercise" "$folder/said" || { echo "$1: $exercise is not seen"; return 1; }
  done
  [ -z "$found" ] || { echo "$found"; return 1; }
  # Proof that it looks: a type error is found where it was put.
  echo 'fn put_in_by_the_test() -> i32 { "text" }' >>"$1/exercises/03_layers.rs"
  errors "$1" | grep -q 'exercises/03_layers.rs: Error ' || { echo "$1: an error in 03_layers is not found"; return 1; }
  echo "$1: every exercise is seen, no error but the one put in"
}

cargo run --quiet -- init "$folder/lab" --solved >/dev/null
examine "$folder/lab"

mkdir "$folder/clone"
git archive HEAD | tar -x -C "$folder/clone"
cp "$folder"/lab/exercises/*.rs "$folder/clone/exercises/"
sed -i.before '$d' "$folder/clone/exercises/03_layers.rs"
rm "$folder/clone/exercises/03_layers.rs.before"
examine "$folder/clone"
