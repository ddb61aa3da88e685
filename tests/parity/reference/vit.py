"""The vision transformers of LVFace and CVLface under their attribute names."""

import torch
from torch import nn

from tipim_jax.networks import get


def build(name):
    options = dict(get(name).options)
    return _VisionTransformer(**options, embedding_size=get(name).embedding_size)


class _VisionTransformer(nn.Module):
    def __init__(self, patch, width, depth, heads, expansion, embedding_size):
        super().__init__()
        self.patch_embed = _PatchEmbed(patch, width)
        count = (112 // patch) ** 2
        self.pos_embed = nn.Parameter(torch.zeros(1, count, width))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList(_Block(width, heads, expansion) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.feature = nn.Sequential(
            nn.Linear(width * count, width, bias=False),
            nn.BatchNorm1d(width, eps=2e-5),
            nn.Linear(width, embedding_size, bias=False),
            nn.BatchNorm1d(embedding_size, eps=2e-5),
        )

    def forward(self, x):
        batch = x.shape[0]
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        x = self.norm(x.to(torch.promote_types(x.dtype, torch.float32)))
        return self.feature(torch.reshape(x, (batch, self.pos_embed.numel())))


class _PatchEmbed(nn.Module):
    def __init__(self, patch, width):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, width, heads, expansion):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = _Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = _Mlp(width, expansion)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class _Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        shape = (batch, tokens, 3, self.heads, width // self.heads)
        qkv = self.qkv(x).reshape(shape).permute(2, 0, 3, 1, 4)
        # LVFace's code leaves half precision here; of the exported graph, casts stay.
        exact = torch.promote_types(qkv.dtype, torch.float32)
        q, k, v = qkv[0].to(exact), qkv[1].to(exact), qkv[2].to(exact)
        weights = ((q @ k.transpose(-2, -1)) * self.scale).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, width))


class _Mlp(nn.Module):
    def __init__(self, width, expansion):
        super().__init__()
        self.fc1 = nn.Linear(width, expansion * width)
        self.act = nn.ReLU6()
        self.fc2 = nn.Linear(expansion * width, width)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))
