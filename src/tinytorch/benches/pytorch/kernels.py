"""The operations and training steps of kernels.rs, by name."""

import torch
from steps import serve_cases, training_step
from torch import nn
from torch.nn import functional


def without_history(operation):
    def step():
        with torch.no_grad():
            operation()

    return step


def product(size):
    a, b = torch.randn(size, size), torch.randn(size, size)
    return without_history(lambda: a @ b)


def network(model, shape):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(shape), torch.randint(0, 10, (shape[0],))
    return training_step(model, optimizer, nn.CrossEntropyLoss(), x, y)


images, conv = torch.randn(8, 16, 32, 32), nn.Conv2d(16, 32, 3, padding=1)
scores, numbers = torch.randn(512, 512), torch.randn(1 << 20)
rows, norm = torch.randn(512, 256), nn.LayerNorm(256)
mlp = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
cnn = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(64, 10),
)
serve_cases({
    "matmul-128": product(128),
    "matmul-256": product(256),
    "matmul-512": product(512),
    "matmul-1024": product(1024),
    "conv2d": without_history(lambda: conv(images)),
    "softmax": without_history(lambda: functional.softmax(scores, dim=1)),
    "exp": without_history(lambda: numbers.exp()),
    "layer-norm": without_history(lambda: norm(rows)),
    "mlp-step": network(mlp, (64, 784)),
    "cnn-step": network(cnn, (64, 1, 8, 8)),
})
