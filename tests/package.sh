#!/usr/bin/env bash
# The archives of `cargo package` are complete: a tutor is installed from both, offline and outside the repository, and
# creates and checks a lab.
set -euo pipefail
cd "$(dirname "$0")/.."
# The archives are compiled in this project's target folder, which has the third-party crates already.
target=${CARGO_TARGET_DIR:-$PWD/target}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# `cargo install` compiles what is packed, so cargo need not verify it too.
cargo package --workspace --offline --allow-dirty --no-verify --quiet --target-dir "$target"
# Each archive contains these and nothing more.
common=".cargo_vcs_info.json Cargo.lock Cargo.toml Cargo.toml.orig LICENSE-APACHE LICENSE-MIT README.md src"
packed_is() {
  tar -xzf "$target/package/$1-0.1.0.crate" -C "$folder"
  diff <(ls -A "$folder/$1-0.1.0") <(tr ' ' '\n' <<<"$common $2" | sort) || { echo "$1: the archive does not contain what is expected"; exit 1; }
}
export LC_ALL=C
packed_is tinytorch "milestones mlperf"
packed_is tinytorch-tutor "CHANGELOG.md build.rs lessons"

cd "$folder"
cargo install --offline --debug --quiet --path tinytorch-tutor-0.1.0 --root "$folder/root" --target-dir "$target" \
  --config "patch.crates-io.tinytorch.path = \"$folder/tinytorch-0.1.0\""
rm -r tinytorch-0.1.0 tinytorch-tutor-0.1.0

tutor="$folder/root/bin/tinytorch-tutor"
"$tutor" --version
"$tutor" init --share-progress no "$folder/a lab"
cd "$folder/a lab"
cargo metadata --offline --format-version 1 >/dev/null
"$tutor" check 00 --solution --cache "${TINYTORCH_CACHE:-$folder/cache}"
