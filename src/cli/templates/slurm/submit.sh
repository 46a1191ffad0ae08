#!/bin/sh
# Grades the class in the folder `submitted` as an array of Slurm jobs, and merges their results into `results`:
#   sh submit.sh [TASKS]
# This folder has `submitted` and `course.toml` too. It must be on a file system that all nodes have, and `tinytorch-tutor` and
# `rustc` in the PATH.
set -eu
tasks=${1:-8}
job=$(sbatch --parsable --array="1-$tasks" --export=ALL,TASKS="$tasks" grade.sbatch)
# `afterany`: what a task could not grade is listed by the merge.
sbatch --dependency="afterany:${job%%;*}" merge.sbatch
