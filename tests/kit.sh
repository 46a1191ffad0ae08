#!/usr/bin/env bash
# A kit is all that a machine without network needs: packed with the Rust toolchain, installed and used with an empty home,
# no compiler on the PATH and nothing in the cache, so that every crate is compiled from the kit.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --quiet
tutor=$PWD/target/debug/tinytorch-tutor
if [ "$(id -u)" = 0 ]; then flags=-n; else flags=-rn; fi
unshare $flags true 2>/dev/null || { echo "skipped: \`unshare\` cannot make a network namespace here"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'title = "A class"\n[[module]]\nname = "00_setup"\n' >"$folder/course.toml"

cd "$folder"
"$tutor" bundle kit --course course.toml --toolchain --cache "$folder/packing"
# The same kit again, byte for byte.
"$tutor" bundle again --course course.toml --toolchain --cache "$folder/packing" >/dev/null
cmp kit/*.tar.gz again/*.tar.gz
(cd kit && sha256sum -c ./*.sha256)
tar -xzf kit/*.tar.gz
rm -r kit again packing
mkdir home
offline() { unshare $flags env -i HOME="$folder/home" PATH=/usr/bin:/bin "$@"; }
offline sh tinytorch-kit/install.sh "a class"
cd "a class/lab"
offline ../bin/tinytorch-tutor check 00 --solution
