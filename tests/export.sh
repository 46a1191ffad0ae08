#!/usr/bin/env bash
# Exports the engine of a solved lab: the package builds without warnings and passes its tests with plain cargo, offline.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo run --quiet -- init "$folder/lab" --solved >/dev/null
cargo run --quiet -- --lab "$folder/lab" export "$folder/mine" >/dev/null
cd "$folder/mine"
RUSTFLAGS="-D warnings" CARGO_TARGET_DIR="$folder/target" cargo test --offline --quiet
