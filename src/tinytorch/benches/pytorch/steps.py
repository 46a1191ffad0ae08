"""Answers each line of standard input, a step and a number of them, with the median of their seconds. TORCH_THREADS is the
number of threads: 1 if it is not set."""

import os
import statistics
import sys
import time

import torch

# Seconds for which steps run before they are timed, as in mod.rs.
WARM_UP = 0.05

torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "1")))
torch.manual_seed(0)


def median(step, steps):
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def warm_up(step):
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_UP:
        step()


def serve(step):
    serve_cases({"step": step})


def serve_cases(cases):
    """Each line of standard input is the name of a step and a number of steps."""
    for line in sys.stdin:
        name, steps = line.split()
        warm_up(cases[name])
        print(median(cases[name], int(steps)), flush=True)


def training_step(model, optimizer, loss_of, x, y):
    def step():
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    return step
