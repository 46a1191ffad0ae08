"""One training step of a 64-32-10 network, batch 32, for mlp_step.rs."""

import torch
from steps import serve, training_step

model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(32, 64), torch.randint(0, 10, (32,))
serve(training_step(model, optimizer, torch.nn.CrossEntropyLoss(), x, y))
