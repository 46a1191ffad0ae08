#!/bin/sh
# Installs this kit of tinytorch-tutor to a new folder: sh install.sh [DIR]. Needs no network.
set -eu

fail() {
  echo "error: $1" >&2
  shift
  for hint in "$@"; do echo "  $hint" >&2; done
  exit 1
}

target=${1:-$HOME/tinytorch}
case $target in
  /*) ;;
  *) target=$(pwd)/$target ;;
esac
cd "$(dirname "$0")"

if command -v sha256sum >/dev/null 2>&1; then check="sha256sum -c"; else check="shasum -a 256 -c"; fi
if ! report=$(LC_ALL=C $check SHA256SUMS 2>/dev/null); then
  echo "$report" | sed -n 's/^\(.*\): FAILED.*/  damaged or missing: \1/p' >&2
  fail "this kit is damaged; nothing was installed" "Unpack the archive again, or copy it again: its own checksum is in the file beside it."
fi

[ ! -e "$target" ] || fail "\"$target\" exists; nothing was installed" "Name another folder: sh install.sh DIR" \
  "A lab that is there stays as it is."
bin/tinytorch-tutor --version >/dev/null 2>&1 ||
  fail "the program of this kit, made for @MACHINE@, does not run on this machine: $(uname -s -m)" \
    "The kit must be made on a machine of the same kind, with a system that is no newer."

# The folder appears under its name when it is complete.
mkdir -p "$(dirname "$target")"
part=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$part"' EXIT
for name in .cargo bin crates lab licenses toolchain README.txt SHA256SUMS; do
  [ ! -e "$name" ] || cp -R "$name" "$part/"
done
chmod 755 "$part"
mv "$part" "$target"

echo "Installed in $target."
[ -x "$target/toolchain/bin/rustc" ] || command -v rustc >/dev/null 2>&1 || {
  echo "Missing: a Rust compiler, 1.90 or newer. Without one, lessons can be read, and nothing can be checked."
  echo "  A kit that is made with \`bundle --toolchain\` has one."
}
command -v cc >/dev/null 2>&1 || {
  echo "Missing: a linker, the program \`cc\`. Without one, lessons can be read, and nothing can be checked."
  echo "  Debian, Ubuntu: the packages gcc and libc6-dev. Fedora: gcc. macOS: xcode-select --install"
}
# Only the learner can agree to share figures about their progress.
[ ! -t 0 ] || "$target/bin/tinytorch-tutor" --lab "$target/lab" share ask || true
echo "Open it:"
echo "  cd \"$target/lab\" && ../bin/tinytorch-tutor"
