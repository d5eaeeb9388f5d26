"""Convolutional gait nets in slow numpy, from their description alone and a checkpoint's tensors by name.

One output pixel at a time, float64, no torch: what the fast nets are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
State = Mapping[str, Values]
EPS = 1e-5


def relu(x: Values) -> Values:
    return np.maximum(x, 0)


def conv(x: Values, weight: Values, stride: int = 1) -> Values:
    """(C, H, W) with (O, C, k, k), zero padding k // 2, one output pixel at a time."""
    k = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    out = np.zeros((len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = padded[:, i * stride : i * stride + k, j * stride : j * stride + k]
            out[:, i, j] = (weight * patch).sum(axis=(1, 2, 3))
    return out


def norm(x: Values, state: State, name: str) -> Values:
    """Batch norm in evaluation over the first axis, from its published formula."""
    mean, var, gain, bias = (
        state[f"{name}.{part}"].reshape(-1, *[1] * (x.ndim - 1))
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + EPS) * gain + bias


def each_frame(x: Values, work: Callable[[Values], Values]) -> Values:
    """(C, T, H, W), frame by frame."""
    return np.stack([work(x[:, t]) for t in range(x.shape[1])], axis=1)


def stem(x: Values, state: State, name: str) -> Values:
    """3x3, batch norm, ReLU on (C, H, W)."""
    return relu(norm(conv(x, state[f"{name}.forward_block.0.weight"]), state, f"{name}.forward_block.1"))


def block_2d(x: Values, state: State, name: str, stride: int = 1) -> Values:
    """(C, H, W): two convolutions around a shortcut."""
    hidden = relu(norm(conv(x, state[f"{name}.conv1.weight"], stride), state, f"{name}.bn1"))
    hidden = norm(conv(hidden, state[f"{name}.conv2.weight"]), state, f"{name}.bn2")
    if f"{name}.downsample.0.weight" in state:
        x = norm(conv(x, state[f"{name}.downsample.0.weight"], stride), state, f"{name}.downsample.1")
    return relu(hidden + x)


def block_p3d(x: Values, state: State, name: str, stride: int = 1) -> Values:
    """(C, T, H, W): 2D, residual over time with zero padding at both ends, 2D, shortcut."""
    first, second = f"{name}.conv1.forward_block", f"{name}.conv2.forward_block"
    y = each_frame(x, lambda f: relu(norm(conv(f, state[f"{first}.0.weight"], stride), state, f"{first}.1")))
    over_time = state[f"{name}.shortcut3d.weight"][..., 0, 0]
    padded = np.pad(y, ((0, 0), (1, 1), (0, 0), (0, 0)))
    mixed = np.stack(
        [np.einsum("ock,ckhw->ohw", over_time, padded[:, t : t + 3]) for t in range(y.shape[1])], axis=1
    )
    y = relu(y + norm(mixed, state, f"{name}.sbn"))
    y = each_frame(y, lambda f: norm(conv(f, state[f"{second}.0.weight"]), state, f"{second}.1"))
    if f"{name}.downsample.0.weight" in state:
        weight = state[f"{name}.downsample.0.weight"][:, :, 0]
        x = each_frame(x, lambda f: norm(conv(f, weight, stride), state, f"{name}.downsample.1"))
    return relu(y + x)


def fuse(one: Values, other: Values, state: State, name: str) -> Values:
    """Two (C, H, W): scores alternate between the modalities, softmax over each pair, weighted sum."""
    layers = f"{name}.conv.forward_block"
    x = relu(norm(conv(np.concatenate([one, other]), state[f"{layers}.0.weight"]), state, f"{layers}.1"))
    x = relu(norm(conv(x, state[f"{layers}.3.weight"]), state, f"{layers}.4"))
    scores = conv(x, state[f"{layers}.6.weight"]).reshape(len(one), 2, *one.shape[1:])
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return one * share[:, 0] + other * share[:, 1]


@dataclass(frozen=True)
class SlowFeatures:
    """(C, 16) before the neck, (C, 16) after it, and logits (classes, 16)."""

    embed_1: Values
    embed_2: Values
    logits: Values


def head(maps: Values, state: State) -> SlowFeatures:
    """(C, T, H, W): the maximum over time, 16 strips, a matrix each, the neck."""
    pooled = maps.max(axis=1)
    rows = pooled.shape[1] // 16
    strips = [pooled[:, i * rows : (i + 1) * rows].reshape(len(pooled), -1) for i in range(16)]
    embed_1 = np.stack(
        [(cells.mean(1) + cells.max(1)) @ state["FCs.fc_bin"][i] for i, cells in enumerate(strips)], axis=1
    )
    normed = norm(embed_1.reshape(-1), state, "BNNecks.bn1d").reshape(embed_1.shape)
    unit = normed / np.linalg.norm(normed, axis=0, keepdims=True)
    classes = state["BNNecks.fc_bin"]
    classes = classes / np.linalg.norm(classes, axis=1, keepdims=True)
    return SlowFeatures(embed_1, unit, np.stack([unit[:, i] @ classes[i] for i in range(16)], axis=1))


def deepgait(frames: Values, state: State) -> SlowFeatures:
    """DeepGaitV2-P3D and SkeletonGait: (T, C, H, W) through one stream."""
    first = each_frame(frames.swapaxes(0, 1), lambda f: _stage_2d(stem(f, state, "layer0"), state, "layer1"))
    return head(_stages(first, state), state)


def skeletongait_pp(frames: Values, state: State) -> SlowFeatures:
    """SkeletonGait++ and SilSkeletonGait: the silhouette's stream and the maps', fused, then one trunk."""

    def front(frame: Values) -> Values:
        one = _stage_2d(stem(frame[:1], state, "sil_layer0"), state, "sil_layer1")
        other = _stage_2d(stem(frame[1:], state, "map_layer0"), state, "map_layer1")
        return fuse(one, other, state, "fusion")

    return head(_stages(each_frame(frames.swapaxes(0, 1), front), state), state)


def _stage_2d(x: Values, state: State, name: str) -> Values:
    k = 0
    while f"{name}.forward_block.{k}.conv1.weight" in state:
        x = block_2d(x, state, f"{name}.forward_block.{k}")
        k += 1
    return x


def _stages(x: Values, state: State) -> Values:
    """Stages 2 to 4; the first block of stages 2 and 3 halves the picture."""
    for stage in (2, 3, 4):
        k = 0
        while f"layer{stage}.{k}.sbn.weight" in state:
            x = block_p3d(x, state, f"layer{stage}.{k}", stride=2 if stage < 4 and k == 0 else 1)
            k += 1
    return x
