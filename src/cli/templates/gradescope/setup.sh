#!/bin/sh
# Gradescope runs this once, as root, when it builds the autograder. The archive that you upload has these files:
#   setup.sh  run_autograder    from `tinytorch-tutor template gradescope`
#   course.toml                 with the one module of this assignment; and the folder `hidden`, if the course has one
#   tinytorch-tutor             the program, built for Linux
set -eu
root=${AUTOGRADER:-/autograder}

# A linker, and Rust where every user can read it: the compiler runs as a user without rights.
if ! command -v cc >/dev/null; then
  apt-get update
  apt-get install -y gcc libc6-dev
fi
if ! command -v rustc >/dev/null; then
  apt-get update
  apt-get install -y curl ca-certificates
  export RUSTUP_HOME=/opt/rust CARGO_HOME=/opt/rust
  curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal
  ln -s /opt/rust/toolchains/*/bin/* /usr/local/bin/
fi

# Compiles what the tests depend on, so that no student waits for it.
chmod +x "$root/source/tinytorch-tutor" "$root/source/run_autograder"
modules=$(sed -n 's/^name *= *"\([^"]*\)".*/\1/p' "$root/source/course.toml")
# shellcheck disable=SC2086 # one word for each module
"$root/source/tinytorch-tutor" check $modules --solution --separate-tests --cache "$root/cache"
