#!/usr/bin/env bash
# Every exercise through jupytext and nbgrader.
exec "$(dirname "$0")/with_python.sh" jupytext_check.py "$@"
