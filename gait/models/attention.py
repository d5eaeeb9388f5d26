"""Multi-head attention (Vaswani et al. 2017, section 3.2.2) and the pre-norm encoder block around it.

One attention serves three needs: training runs it through ``scaled_dot_product_attention``, which picks the
fused kernel of the device; a graph to be exported spells it out as two matrix products; a picture needs the
weights themselves.
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
