#!/usr/bin/env bash
# The whole course in a lab that starts empty: every module solved with its solution and completed, every milestone
# achieved, the capstone measured, an entry of TinyMLPerf ranked, and a submission written, validated and reproduced. Each
# command must end with the exit code that is expected here. Prints how long each part took. It takes half an hour, so
# it is not part of .ci/run.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
running=
end_what_was_started() {
  [ -z "$running" ] || kill "$running" 2>/dev/null || true
  wait
  rm -rf "$folder"
}
trap end_what_was_started EXIT
trap 'exit 130' INT TERM HUP

cargo build --quiet
tutor=$PWD/target/debug/tinytorch-tutor
lab=$folder/lab
export TINYTORCH_CACHE=${TINYTORCH_CACHE:-$folder/cache}

# Runs a command in the lab, in the background, so that a signal need not wait for its end.
expect() {
  local wanted=$1 code=0
  shift
  "$tutor" --lab "$lab" "$@" >"$folder/said" 2>&1 &
  running=$!
  wait "$running" || code=$?
  running=
  if [ "$code" -ne "$wanted" ]; then
    cat "$folder/said"
    echo "tinytorch-tutor $*: exit code $code, and $wanted was expected"
    exit 1
  fi
}
# Fails unless the last command said this so many times.
said() {
  local count
  count=$(grep -cF -- "$2" "$folder/said" || true)
  [ "$count" -eq "$1" ] || { cat "$folder/said"; echo "\"$2\" is said $count times, not $1"; exit 1; }
}
begun=$SECONDS
part() {
  echo "$1: $((SECONDS - begun)) s"
  begun=$SECONDS
}

"$tutor" init --share-progress no "$lab" >/dev/null
"$tutor" init --share-progress no --solved "$folder/solved" >/dev/null
expect 1 check 00
part "a lab without any solution"

for exercise in "$folder"/solved/exercises/*.rs; do
  module=$(basename "$exercise" .rs)
  cp "$exercise" "$lab/exercises/"
  expect 0 complete "$module"
  part "$module completed"
done

for milestone in 1957 1969 1986 1998 2017 2018; do
  expect 0 milestone run "$milestone"
  said 1 ": achieved"
  part "milestone $milestone"
done
expect 0 milestone list --format json
said 6 '"achieved":true'

expect 0 analyze 20
part "capstone"

expect 0 mlperf run sprint
expect 0 mlperf export "$folder/entries.json"
expect 0 mlperf leaderboard
said 1 "mlp_sprint"
part "an entry of TinyMLPerf"

submission=$folder/submission.json
expect 0 capstone export "$submission"
expect 0 capstone validate "$submission"
sed 's/"allowed": .*/"allowed": 9.0,/' "$submission" >"$folder/forged.json"
expect 1 capstone validate "$folder/forged.json"
said 1 "checksum"
part "submission exported and validated"
expect 0 capstone reproduce "$submission"
part "submission reproduced"
echo "the whole course: $SECONDS s"
