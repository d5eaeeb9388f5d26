"""The human parsing net whose checkpoints "self-correction human parsing" published.

A ResNet with a pyramid of contexts, a decoder and an edge branch (CE2P, Ruan et al. 2019, section 3; Li et
al. 2020, section 3.1). Tensors are named as in those checkpoints, so that they load as they are. Their
in-place batch norms scale by the weight's magnitude and are followed by a leaky ReLU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES: Final = 20
SLOPE: Final = 0.01
EXPANSION: Final = 4
PYRAMID: Final = (1, 2, 3, 6)


class Norm(nn.BatchNorm2d):
    """Batch norm by the weight's magnitude."""

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W); as it infers, never as it trains."""
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight.abs() + self.eps
        return functional.batch_norm(
            maps, self.running_mean, self.running_var, scale, self.bias, training=False, eps=self.eps
        )


class InPlaceNorm(Norm):
    """The same, and the leaky ReLU that follows it."""

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W)."""
        return functional.leaky_relu(super().forward(maps), SLOPE)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 beside a shortcut."""

    def __init__(self, inner: int, width: int, stride: int, dilation: int, *, shortcut: bool) -> None:
        super().__init__()
        outer = width * EXPANSION
        self.conv1 = nn.Conv2d(inner, width, 1, bias=False)
        self.bn1 = Norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = Norm(width)
        self.conv3 = nn.Conv2d(width, outer, 1, bias=False)
        self.bn3 = Norm(outer)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), Norm(outer)) if shortcut else None
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inner, H, W) -> (N, 4 width, H / stride, W / stride)."""
        out = functional.relu(self.bn1(self.conv1(maps)))
        out = functional.relu(self.bn2(self.conv2(out)))
        beside = maps if self.downsample is None else self.downsample(maps)
        return functional.relu(self.bn3(self.conv3(out)) + beside)


class Pyramid(nn.Module):
    """Means over ever finer grids beside the map itself."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(size), nn.Conv2d(inner, outer, 1, bias=False), InPlaceNorm(outer)
            )
            for size in PYRAMID
        )
        wide = inner + len(PYRAMID) * outer
        self.bottleneck = nn.Sequential(nn.Conv2d(wide, outer, 3, padding=1, bias=False), InPlaceNorm(outer))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inner, H, W) -> (N, outer, H, W)."""
        means = [_to(stage(maps), maps) for stage in self.stages]
        out: Tensor = self.bottleneck(torch.cat([*means, maps], dim=1))
        return out


class Edges(nn.Module):
    """What the first three stages know of borders."""

    def __init__(self, inner: tuple[int, int, int], middle: int) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (_norm_1x1(width, middle) for width in inner)
        self.conv4 = nn.Conv2d(middle, 2, 3, padding=1)
        self.conv5 = nn.Conv2d(6, 2, 1)

    def forward(self, first: Tensor, second: Tensor, third: Tensor) -> Tensor:
        """(N, 3 middle, H, W) features; the edges themselves only train."""
        maps = (self.conv1(first), self.conv2(second), self.conv3(third))
        return torch.cat([_to(one, first) for one in maps], dim=1)


class Decoder(nn.Module):
    """Context and detail together."""

    def __init__(self, context: int, detail: int, middle: int, few: int, classes: int) -> None:
        super().__init__()
        self.conv1 = _norm_1x1(context, middle)
        self.conv2 = _norm_1x1(detail, few)
        self.conv3 = nn.Sequential(*_norm_1x1(middle + few, middle), *_norm_1x1(middle, middle))
        self.conv4 = nn.Conv2d(middle, classes, 1)

    def forward(self, context: Tensor, detail: Tensor) -> Tensor:
        """(N, middle, H, W) features."""
        out: Tensor = self.conv3(torch.cat([_to(self.conv1(context), detail), self.conv2(detail)], dim=1))
        return out


class HumanParser(nn.Module):
    """``layers`` blocks of the ResNet's stages, ``width`` channels of its first; 101 layers as published."""

    def __init__(
        self, layers: tuple[int, int, int, int] = (3, 4, 23, 3), width: int = 64, classes: int = CLASSES
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 2, 1, bias=False), Norm(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), Norm(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 2 * width, 3, 1, 1, bias=False), Norm(2 * width)
        inner, strides = 2 * width, (1, 2, 2, 1)
        for number, (count, stride) in enumerate(zip(layers, strides, strict=True)):
            own, dilation = width << number, 2 if number == 3 else 1
            blocks = [Bottleneck(inner, own, stride, dilation, shortcut=True)]
            inner = own * EXPANSION
            blocks += [Bottleneck(inner, own, 1, dilation, shortcut=False) for _ in range(count - 1)]
            setattr(self, f"layer{number + 1}", nn.Sequential(*blocks))
        first, second, third, last = ((width << n) * EXPANSION for n in range(4))
        self.context_encoding = Pyramid(last, 8 * width)
        self.edge = Edges((first, second, third), 4 * width)
        self.decoder = Decoder(8 * width, first, 4 * width, 3 * width // 4, classes)
        self.fushion = nn.Sequential(  # spelt so in the checkpoints
            nn.Conv2d(16 * width, 4 * width, 1, bias=False),
            InPlaceNorm(4 * width),
            nn.Dropout2d(0.1),
            nn.Conv2d(4 * width, classes, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised BGR -> (N, classes, H / 4, W / 4)."""
        maps = functional.relu(self.bn1(self.conv1(images)))
        maps = functional.relu(self.bn2(self.conv2(maps)))
        maps = functional.max_pool2d(functional.relu(self.bn3(self.conv3(maps))), 3, 2, 1)
        stages = []
        for number in range(1, 5):
            maps = getattr(self, f"layer{number}")(maps)
            stages.append(maps)
        parsed = self.decoder(self.context_encoding(stages[3]), stages[0])
        edges = self.edge(*stages[:3])
        out: Tensor = self.fushion(torch.cat([parsed, edges], dim=1))
        return out


def parser_of(tensors: Mapping[str, Tensor]) -> HumanParser:
    """The net that a checkpoint's tensors are of, filled; raises KeyError, RuntimeError for others."""
    known = {name.removeprefix("module."): value for name, value in tensors.items()}
    layers = tuple(
        1 + max(int(name.split(".")[1]) for name in known if name.startswith(f"layer{number}."))
        for number in range(1, 5)
    )
    net = HumanParser(
        (layers[0], layers[1], layers[2], layers[3]),
        known["conv1.weight"].shape[0],
        known["fushion.3.weight"].shape[0],
    )
    own = net.state_dict()
    # Old in-place norms do not count their batches.
    counters = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    net.load_state_dict({**counters, **known})
    return net.eval()


def _norm_1x1(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 1, bias=False), InPlaceNorm(outer))


def _to(maps: Tensor, like: Tensor) -> Tensor:
    size = (like.shape[2], like.shape[3])
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
