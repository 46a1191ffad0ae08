"""One training step of a GPT, for gpt_step.rs: 2 layers, 64 dimensions, 4 heads, batch 16, length 32, 512 tokens."""

import torch
from steps import serve, training_step
from torch import nn
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention

VOCABULARY, BATCH, LENGTH, DIM, HEADS, LAYERS = 512, 16, 32, 64, 4, 2


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(DIM), nn.LayerNorm(DIM)])
        self.projections = nn.Linear(DIM, 3 * DIM)
        self.output = nn.Linear(DIM, DIM)
        self.expand, self.contract = nn.Linear(DIM, 4 * DIM), nn.Linear(4 * DIM, DIM)

    def forward(self, x):
        parts = self.projections(self.norms[0](x)).split(DIM, dim=2)
        heads = [part.view(BATCH, LENGTH, HEADS, DIM // HEADS).transpose(1, 2) for part in parts]
        mixed = scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.output(mixed.transpose(1, 2).reshape(BATCH, LENGTH, DIM))
        return x + self.contract(gelu(self.expand(self.norms[1](x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, DIM), nn.Embedding(LENGTH, DIM)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(DIM)

    def forward(self, ids):
        x = self.blocks(self.tokens(ids) + self.positions.weight)
        return self.norm(x) @ self.tokens.weight.T


def loss(logits, targets):
    return cross_entropy(logits.view(-1, VOCABULARY), targets.view(-1))


model = Gpt()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
ids, targets = torch.randint(0, VOCABULARY, (2, BATCH, LENGTH))
serve(training_step(model, optimizer, loss, ids, targets))
