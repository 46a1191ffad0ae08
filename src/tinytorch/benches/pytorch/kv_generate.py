"""Generation with a KV cache, for kv_generate.rs: 2 layers, 64 dimensions, 4 heads, a context of 256, 512 tokens in the
vocabulary; 200 tokens behind a prompt of 8. The cache is reserved once, and written in place."""

import torch
from steps import serve
from torch import nn
from torch.nn.functional import gelu, scaled_dot_product_attention

VOCABULARY, CONTEXT, DIM, HEADS, LAYERS, PROMPT, NEW = 512, 256, 64, 4, 2, 8, 200


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(DIM), nn.LayerNorm(DIM)])
        self.projections = nn.Linear(DIM, 3 * DIM)
        self.output = nn.Linear(DIM, DIM)
        self.expand, self.contract = nn.Linear(DIM, 4 * DIM), nn.Linear(4 * DIM, DIM)
        self.keys, self.values = torch.zeros(2, 1, HEADS, CONTEXT, DIM // HEADS)

    def forward(self, x, start):
        new = x.shape[1]
        end = start + new
        parts = self.projections(self.norms[0](x)).split(DIM, dim=2)
        query, key, value = [part.view(1, new, HEADS, DIM // HEADS).transpose(1, 2) for part in parts]
        self.keys[:, :, start:end] = key
        self.values[:, :, start:end] = value
        # The prompt is the first piece, so its mask is the plain causal one; a single token sees everything.
        mixed = scaled_dot_product_attention(
            query, self.keys[:, :, :end], self.values[:, :, :end], is_causal=new > 1
        )
        x = x + self.output(mixed.transpose(1, 2).reshape(1, new, DIM))
        return x + self.contract(gelu(self.expand(self.norms[1](x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, DIM), nn.Embedding(CONTEXT, DIM)
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(DIM)

    def forward(self, ids, start):
        x = self.tokens(ids) + self.positions.weight[start : start + ids.shape[1]]
        for block in self.blocks:
            x = block(x, start)
        return self.norm(x[:, -1]) @ self.tokens.weight.T


model = Gpt().eval()
prompt = torch.arange(1, PROMPT + 1).view(1, PROMPT)


@torch.inference_mode()
def step():
    ids, start, generated = prompt, 0, []
    for _ in range(NEW):
        logits = model(ids, start)
        start += ids.shape[1]
        ids = logits.argmax(dim=1, keepdim=True)
        generated.append(ids)
    return torch.cat(generated, dim=1).tolist()


serve(step)
