"""Multi-head attention (Vaswani et al. 2017, section 3.2.2) and the pre-norm encoder block around it.

One attention serves three needs: training runs it through ``scaled_dot_product_attention``, which picks the
fused kernel of the device; a graph to be exported spells it out as two matrix products; a picture needs the
weights themselves. At the end, the same between two branches of maps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from gait.models.tensors import fixed


class Attention(nn.Module):
    """Queries from one sequence, keys and values from another (or the same)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of {heads} heads")
        self.heads = heads
        self.spelled_out = False
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, asking: Tensor, asked: Tensor) -> Tensor:
        """(N, L, width) and (N, S, width) -> (N, L, width)."""
        query, key, value = (
            self._split(self.query(asking)),
            self._split(self.key(asked)),
            self._split(self.value(asked)),
        )
        if self.spelled_out:
            mixed = torch.matmul(_weights(query, key), value)
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        together = mixed.transpose(1, 2).reshape(-1, fixed(asking.shape[1]), self.query.out_features)
        joined: Tensor = self.out(together)
        return joined

    def weights(self, asking: Tensor, asked: Tensor) -> Tensor:
        """Who looks at what, (N, heads, L, S); each row sums to 1."""
        return _weights(self._split(self.query(asking)), self._split(self.key(asked)))

    def _split(self, x: Tensor) -> Tensor:
        length, width = fixed(x.shape[1]), self.query.out_features
        return x.reshape(-1, length, self.heads, width // self.heads).transpose(1, 2)


def _weights(query: Tensor, key: Tensor) -> Tensor:
    scale = 1.0 / math.sqrt(fixed(query.shape[-1]))
    return torch.softmax(torch.matmul(query * scale, key.transpose(-2, -1)), dim=-1)


def spell_out(net: nn.Module, spelled_out: bool = True) -> None:
    """Write every attention in the net as plain matrix products (or return to the fused kernel)."""
    for module in net.modules():
        if isinstance(module, Attention):
            module.spelled_out = spelled_out


class EncoderBlock(nn.Module):
    """x + attention(LN(x)), then x + MLP(LN(x)) with one hidden layer of GELU."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.before_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, width) -> (N, L, width)."""
        normed = self.before_attention(x)
        x = x + self.dropout(self.attention(normed, normed))
        y: Tensor = x + self.dropout(self.mlp(self.before_mlp(x)))
        return y

    def weights(self, x: Tensor) -> Tensor:
        """The block's attention for this input, (N, heads, L, L)."""
        normed = self.before_attention(x)
        return self.attention.weights(normed, normed)


class CrossAttention(nn.Module):
    """Two branches of maps: each asks the other about every place of a frame.

    Pre-norm, residual; the gates start at zero, so a new net is the one without it. ``pooled_keys``: keys and
    values are averaged over squares of this side first.
    """

    def __init__(self, channels: int, height: int, width: int, heads: int, pooled_keys: int) -> None:
        super().__init__()
        self.channels, self.height, self.width, self.pooled_keys = channels, height, width, pooled_keys
        self.silhouette_norm = nn.LayerNorm(channels)
        self.map_norm = nn.LayerNorm(channels)
        self.to_silhouette = Attention(channels, heads)
        self.to_map = Attention(channels, heads)
        self.silhouette_gate = nn.Parameter(torch.zeros(1))
        self.map_gate = nn.Parameter(torch.zeros(1))

    def forward(self, silhouettes: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Two maps (M, C, H, W) -> both, each with what it learnt from the other."""
        of_silhouettes = self._tokens(silhouettes, self.silhouette_norm)
        of_maps = self._tokens(maps, self.map_norm)
        learnt_here = self.to_silhouette(of_silhouettes, self._pooled(of_maps))
        learnt_there = self.to_map(of_maps, self._pooled(of_silhouettes))
        return (
            silhouettes + self.silhouette_gate * self._image(learnt_here),
            maps + self.map_gate * self._image(learnt_there),
        )

    def _tokens(self, images: Tensor, norm: nn.LayerNorm) -> Tensor:
        tokens: Tensor = norm(images.reshape(-1, self.channels, self.height * self.width).transpose(1, 2))
        return tokens

    def _image(self, tokens: Tensor) -> Tensor:
        return tokens.transpose(1, 2).reshape(-1, self.channels, self.height, self.width)

    def _pooled(self, tokens: Tensor) -> Tensor:
        if self.pooled_keys == 1:
            return tokens
        small = functional.avg_pool2d(self._image(tokens), self.pooled_keys)
        cells = (self.height // self.pooled_keys) * (self.width // self.pooled_keys)
        return small.reshape(-1, self.channels, cells).transpose(1, 2)
