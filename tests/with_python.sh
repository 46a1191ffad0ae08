#!/usr/bin/env bash
# Runs a check of this folder, `with_python.sh NAME_check.py ARGUMENTS`, with $PYTHON, or python3. If Python or a package is
# missing, it says so and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."
check=$1
shift
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
  echo "skipped: there is no $python to run $check with"
  exit 0
fi
code=0
"$python" "tests/$check" "$@" || code=$?
[ "$code" -eq 77 ] && exit 0
exit "$code"
