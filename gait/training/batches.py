"""P x K batches, each a function of the seed and its step alone.

Nothing is carried from one step to the next: the sampler's position is the step, a resumed run draws what an
unbroken one would have drawn, and it makes no difference how many processes prepare batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gait.data.errors import naming
from gait.data.records import Key
from gait.data.store import Entry, Frames
from gait.inputs import InputSpec, Walk, prepare
from gait.training.augment import augment
from gait.training.clothing.shares import source_of
from gait.training.config import TrainingConfig
from gait.training.people import Source, Split
from gait.training.sampling import clip
from stream.errors import GaitwayError, MessageError

T = TypeVar("T")

# Batches that each worker prepares ahead.
AHEAD = 2


class Batch(NamedTuple):
    """``frames`` (N, T, *frame_shape) float32 and the people's numbers ``labels`` (N,)."""

    frames: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Refused:
    """A worker's error on its way to the process that trains; exceptions lose their words on the way."""

    kind: type[GaitwayError]
    what: str
    where: str
    wanted: str
    fix: str

    def error(self) -> GaitwayError:
        """The same error here."""
        return self.kind(self.what, where=self.where, wanted=self.wanted, fix=self.fix)


@dataclass(frozen=True)
class Drawn:
    """One clip of a batch: which sequence, whose, and its place in the batch."""

    entry: Entry
    label: int
    place: int


class Sampler:
    """Draws ``people`` people and ``clips`` sequences of each; nobody twice before all have come.

    A sequence and those made of it by ``augment`` count as one, of which any is taken: a quarter of the walks
    in ten other sets of clothes is then a quarter of what is seen, and not seven tenths.
    """

    def __init__(self, split: Split, people: int, clips: int, seed: int) -> None:
        self.seed, self.people, self.clips = seed, people, clips
        walks: dict[str, dict[Key, list[Entry]]] = defaultdict(lambda: defaultdict(list))
        for entry in split.train:
            walks[entry.person][source_of(entry) or entry.key].append(entry)
        self._walks = [tuple(map(tuple, walks[person].values())) for person in split.people]

    def draw(self, step: int) -> tuple[Drawn, ...]:
        """The batch of step ``step``, person by person."""
        rng = np.random.default_rng([self.seed, step])
        drawn: list[Drawn] = []
        for label in _rounds(range(len(self._walks)), self.people, rng):
            for alike in _rounds(self._walks[label], self.clips, rng):
                entry = alike[0] if len(alike) == 1 else alike[int(rng.integers(len(alike)))]
                drawn.append(Drawn(entry, label, len(drawn)))
        return tuple(drawn)


def _rounds(of: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """``count`` of them at random, none again before all have been taken."""
    order: list[int] = []
    while len(order) < count:
        order.extend(rng.permutation(len(of))[: count - len(order)].tolist())
    return [of[k] for k in order]


class Batches(Dataset[Batch | Refused]):
    """Indexed by step; ``share`` of ``shares`` processes takes every ``shares``-th clip of a batch."""

    def __init__(
        self,
        source: Source,
        split: Split,
        spec: InputSpec,
        config: TrainingConfig,
        share: int = 0,
        shares: int = 1,
    ) -> None:
        self.source, self.spec, self.config = source, spec, config
        self.share, self.shares = share, shares
        seed = config.trainer.seed
        self.sampler = Sampler(split, config.sampler.people, config.sampler.clips, seed)

    def __getitem__(self, step: int) -> Batch | Refused:
        try:
            return self.batch(step)
        except GaitwayError as error:
            return Refused(type(error), error.what, error.where, error.wanted, error.fix)

    def batch(self, step: int) -> Batch:
        """The batch of one step; raises MessageError, naming the sequence, for values that are no numbers."""
        mine = self.sampler.draw(step)[self.share :: self.shares]
        frames = [self.clip(drawn, step) for drawn in mine]
        labels = [drawn.label for drawn in mine]
        return Batch(torch.from_numpy(np.stack(frames)), torch.tensor(labels, dtype=torch.int64))

    def clip(self, drawn: Drawn, step: int) -> NDArray[np.float32]:
        """One clip (T, *frame_shape), changed by its own luck."""
        rng = np.random.default_rng([self.config.trainer.seed, step, drawn.place])
        indices = clip(self.config.sampler.clip, drawn.entry.frames, rng)
        with naming(drawn.entry):
            walk = augment(read_walk(self.source, drawn.entry, indices), self.config.augment, rng)
            return finite(prepare(self.spec, walk), drawn.entry)

    def stream(self, first: int, stop: int, workers: int, *, pinned: bool = False) -> Iterator[Batch]:
        """The batches of steps ``first`` to ``stop`` in order; raises what a worker raised."""
        loader: DataLoader[Batch | Refused] = DataLoader(
            self,
            batch_size=None,
            sampler=range(first, stop),
            num_workers=workers,
            prefetch_factor=AHEAD if workers else None,
            pin_memory=pinned,
            # Its own, so that opening a stream draws nothing from the run's random state.
            generator=torch.Generator(),
        )
        for batch in loader:
            if isinstance(batch, Refused):
                raise batch.error()
            yield batch


def read_walk(source: Source, entry: Entry, indices: Frames) -> Walk:
    """Those frames of a sequence; raises MessageError, naming it, where a joint is no number."""
    walk = source.read(entry, indices)
    for name in ("joints_2d", "joints_3d"):
        joints = getattr(walk, name)
        if joints is not None and not np.isfinite(joints).all():
            raise MessageError(f"{name} hold NaN or infinity", where=str(entry), wanted="finite numbers")
    return walk


def finite(frames: NDArray[np.float32], entry: Entry) -> NDArray[np.float32]:
    """The frames as they are; raises MessageError where one is no number, naming the sequence."""
    if not np.isfinite(frames).all():
        raise MessageError(
            "the prepared frames hold NaN or infinity", where=str(entry), wanted="finite numbers"
        )
    return frames
