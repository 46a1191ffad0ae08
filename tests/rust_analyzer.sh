#!/usr/bin/env bash
# rust-analyzer's diagnostics of a solved lab and a solved clone: it must see every exercise, find no error, and find
# one that is added. Uses $RUST_ANALYZER, or rust-analyzer on the PATH; if there is none, it says so and succeeds.
# `cargo install ra_ap_rust-analyzer` installs it.
set -euo pipefail
cd "$(dirname "$0")/.."
analyzer=${RUST_ANALYZER:-rust-analyzer}
if ! "$analyzer" --version >/dev/null 2>&1; then
  echo "skipped: there is no $analyzer to check the exercises in an editor with"
  exit 0
fi
# The clone is compiled in this project's target folder, which has the third-party crates already.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Prints the errors in all files of a folder, and keeps the whole output.
errors() { (cd "$1" && "$analyzer" diagnostics . 2>&1 || true) | tr '\b\r' '\n\n' >"$folder/output"; grep ': Error ' "$folder/output" || true; }

examine() {
  local found exercise
  found=$(errors "$1")
  for exercise in exercises/*.rs; do
    grep -q "processing .*$exercise" "$folder/output" || { echo "$1: $exercise is not seen"; return 1; }
  done
  [ -z "$found" ] || { echo "$found"; return 1; }
  # Proof that it checks: it finds a type error that is added.
  echo 'fn added_by_the_test() -> i32 { "text" }' >>"$1/exercises/03_layers.rs"
  errors "$1" | grep -q 'exercises/03_layers.rs: Error ' || { echo "$1: an error in 03_layers is not found"; return 1; }
  echo "$1: every exercise is seen, with no error but the one that was added"
}

cargo run --quiet -- init "$folder/lab" --solved >/dev/null
examine "$folder/lab"

mkdir "$folder/clone"
git archive HEAD | tar -x -C "$folder/clone"
cp "$folder"/lab/exercises/*.rs "$folder/clone/exercises/"
sed -i.before '$d' "$folder/clone/exercises/03_layers.rs"
rm "$folder/clone/exercises/03_layers.rs.before"
examine "$folder/clone"
