"""Times one training step of a 64-32-10 network, batch 32, in PyTorch on the CPU.

Prints the median in seconds, with one thread or with PyTorch's default number, whichever is faster: mlp_step.rs
compares with it.
"""

import statistics
import time

import torch


def median_step(threads, warm_up=300, steps=3000):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_of = torch.nn.CrossEntropyLoss()
    x, y = torch.randn(32, 64), torch.randint(0, 10, (32,))
    seconds = []
    for step in range(warm_up + steps):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()
        if step >= warm_up:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


print(min(median_step(threads) for threads in sorted({1, torch.get_num_threads()})))
