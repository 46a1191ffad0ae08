"""Answers each line of standard input, a step and a number of them, with the median of their seconds. TORCH_THREADS is the
number of threads: 1 if it is not set."""

import os
import statistics
import sys
import time

import torch

# OpenMP's threads watch for more work before they sleep: seconds until the core is free for whoever is measured next.
REST = 0.1

torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "1")))
torch.manual_seed(0)


def median(step, steps):
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def serve(step, warm_up=50):
    serve_cases({"step": step}, warm_up)


def serve_cases(cases, warm_up=1):
    """Each line of standard input is the name of a step and a number of steps."""
    for line in sys.stdin:
        name, steps = line.split()
        median(cases[name], warm_up)
        warm_up = 1
        seconds = median(cases[name], int(steps))
        time.sleep(REST)
        print(seconds, flush=True)


def training_step(model, optimizer, loss_of, x, y):
    def step():
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    return step
