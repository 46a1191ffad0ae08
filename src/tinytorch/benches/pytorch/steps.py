"""Answers each line of standard input, a number of steps, with the median of their seconds. One thread."""

import statistics
import sys
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(0)


def serve(step, warm_up=50):
    def median(steps):
        seconds = []
        for _ in range(steps):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        return statistics.median(seconds)

    median(warm_up)
    for line in sys.stdin:
        print(median(int(line)), flush=True)


def training_step(model, optimizer, loss_of, x, y):
    def step():
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    return step
