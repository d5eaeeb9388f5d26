"""Which variants look made: a small discriminator ranks them, and the worst are made a second time.

It learns to tell crops as they were from crops as they became. Each half of the variants is judged by a net
that was taught with the other half, so that nobody judges what they have seen.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from gait.data.errors import DataError
from gait.training.clothing.chain.chain import Chain, write_json
from gait.training.clothing.chain.inpaint import done_mark, paint, painted_in
from gait.training.clothing.looked import Looked, read_picture, slug
from gait.training.clothing.rederived import Variant
from gait.walkers.seeds import stream

SIZE: Final = (96, 48)
"""Height and width of what is judged."""
FRAMES: Final = 6
STEPS: Final = 120
BATCH: Final = 32


class Judged(msgspec.Struct, frozen=True):
    """How alike a variant's rounds are to pictures nobody changed, 0 to 1, and which one is kept."""

    scores: tuple[float, ...]
    kept: int


@dataclass(frozen=True)
class Shown:
    """Some of a variant's crops and of the crops they were made from, (N, 3, H, W) in [0, 1]."""

    variant: Variant
    made: NDArray[np.float32]
    real: NDArray[np.float32]


def run(chain: Chain) -> None:
    """Rank the first round, make the worst again, keep the better of each two."""
    chain.begin("filter", again=chain.settings.again, wanted=chain.wanted)
    done = [variant for variant in chain.variants if done_mark(chain, variant, 0).exists()]
    if not done:
        raise DataError("nothing was inpainted", where=str(chain.folder), fix="Run --stage inpaint before")
    todo = [variant for variant in done if not chain.place("filter", f"{slug(variant.entry)}.json").exists()]
    if not todo:
        return
    first = _judged(chain, done, 0)
    count = round(chain.settings.again * len(done))
    worst = sorted(done, key=lambda variant: (first[slug(variant.entry)], slug(variant.entry)))[:count]
    paint(chain, [(variant, 1) for variant in worst])
    again = [variant for variant in worst if done_mark(chain, variant, 1).exists()]
    second = _judged(chain, again, 1, done) if again else {}
    for variant in done:
        name = slug(variant.entry)
        scores = (first[name], *([second[name]] if name in second else []))
        write_json(chain.place("filter", f"{name}.json"), Judged(scores, int(np.argmax(scores))))


def _judged(
    chain: Chain, variants: Sequence[Variant], attempt: int, taught: Sequence[Variant] | None = None
) -> dict[str, float]:
    """A score for each; ``taught`` are those, of the first round, that the nets learn from."""
    known = _shown(chain, taught or variants, 0)
    asked = known if taught is None else _shown(chain, variants, attempt)
    nets = [_taught([one for one in known if _half(one.variant) != half], half) for half in (0, 1)]
    return {slug(one.variant.entry): _score(nets[_half(one.variant)], one.made) for one in asked}


def _half(variant: Variant) -> int:
    """By the track, for all variants of one are judged alike."""
    return zlib.crc32(slug(variant.source.entry).encode()) & 1


def _shown(chain: Chain, variants: Sequence[Variant], attempt: int) -> list[Shown]:
    found = []
    for variant in variants:
        track = chain.track(slug(variant.source.entry))
        assert track is not None
        crops = track.file.crops
        places = np.linspace(0, len(crops) - 1, min(FRAMES, len(crops))).round().astype(int)
        folder = painted_in(chain, variant, attempt)
        made = [read_picture(folder / f"{crops[p].number:06d}.png", cv2.IMREAD_COLOR) for p in places]
        found.append(Shown(variant, _stack(made), _stack(_real(track, places))))
    return found


def _real(track: Looked, places: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    return [track.image(track.file.crops[place]) for place in places]


def _stack(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    size = (SIZE[1], SIZE[0])
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    return np.stack(small).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)


def _net() -> nn.Sequential:
    widths = (3, 12, 24, 48)
    layers: list[nn.Module] = []
    for inner, outer in itertools.pairwise(widths):
        layers += [nn.Conv2d(inner, outer, 3, 2, 1), nn.GroupNorm(4, outer), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 1))


def _taught(shown: Sequence[Shown], half: int) -> nn.Sequential | None:
    """A net that tells real from made; None where there is nothing to learn from."""
    if not shown:
        return None
    images = np.concatenate([*(one.real for one in shown), *(one.made for one in shown)])
    labels = np.repeat([1.0, 0.0], len(images) // 2).astype(np.float32)
    rng = stream(0, "judge", half)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(half)
        net = _net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-3)
    for _ in range(STEPS):
        chosen = rng.integers(0, len(images), BATCH)
        batch = torch.from_numpy(images[chosen])
        if rng.random() < 0.5:
            batch = batch.flip(3)
        told: Tensor = net(batch)[:, 0]
        loss = functional.binary_cross_entropy_with_logits(told, torch.from_numpy(labels[chosen]))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
    return net.eval()


@torch.no_grad()
def _score(net: nn.Sequential | None, made: NDArray[np.float32]) -> float:
    """The mean over frames of how surely they are real."""
    if net is None:
        return 0.5
    return round(float(torch.sigmoid(net(torch.from_numpy(made))[:, 0]).mean()), 6)
