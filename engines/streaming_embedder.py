"""An exported streaming pair as the pipeline's embedder: the trunk once per sample, the head once per answer.

An answer is what the net says of the unbroken segment, with the maximum over time taken over the window's
valid frames: one forward, zeros only before the segment's start and after its end. A map comes out
``look_ahead`` frames after its sample; so an answer in mid-segment covers what has come out by then, and
``settle``, at the segment's end, brings out the rest. Maps are merged in blocks of a few samples, so that a
memory is bounded and an answer costs some maxima and one run of the head; a window is made of whole blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.net_metadata import FRAMES, MAP, METADATA_KEY, NEXT, REAL, NetMetadata, parse_metadata
from engines.runtimes.choose import load_net
from engines.runtimes.net import Net, NetInfo, NetOptions
from engines.runtimes.openvino_core import core
from gait.embedder import Answer, ModelInfo
from gait.inputs import Walk, prepare
from gait.skeleton import GAITWAY16, body_scale
from stream.errors import WeightsError
from stream.messages import Sample

Values = NDArray[np.float32]
States = dict[str, Values]

# A person's scale is the median torso of a segment's first frames: a fifth of a second.
SCALE_SAMPLES: Final = 5


class StreamingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the pair runs and how far back an answer can look.

    ``memory_samples``: of the last samples, in blocks of ``block_samples``; answers begin and end with a
    block. ``batch``: people in one run of the trunk, blanks filling it up, so that nobody's numbers depend on
    how many are in view.
    """

    # Ten seconds of the 25 Hz grid: 5 MB for the tiny nets, 19 MB for the published ones.
    memory_samples: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 256
    # A fifth of a second: finer than any hop, and a fifth of the memory of single maps.
    block_samples: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    # On a CPU four together are no quicker per person than one by one; a GPU wants 16 and more.
    batch: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    runtime: Literal["auto", "openvino", "onnxruntime", "torch", "tensorrt"] = "auto"
    precision: Literal["f32", "bf16"] = "f32"
    # One: a frame of a tiny net takes 3 ms, and perception wants the other cores.
    threads: Annotated[int, msgspec.Meta(ge=0, le=256)] = 1


@dataclass(frozen=True)
class _Kept:
    """A sample that went in: when, how much it counts (0 for an invalid one)."""

    captured_ns: int
    weight: float


@dataclass
class _Block:
    """The maximum over the maps of a few samples that follow each other."""

    samples: list[_Kept] = field(default_factory=list)
    values: Values | None = None

    def add(self, kept: _Kept, mapped: Values) -> None:
        """One more sample; an invalid one is counted and enters no maximum."""
        self.samples.append(kept)
        if kept.weight > 0:
            self.values = (
                mapped.copy() if self.values is None else np.maximum(self.values, mapped, out=self.values)
            )

    def within(self, start_ns: int, end_ns: int) -> bool:
        """Whether all of it was captured in [start_ns, end_ns]."""
        return start_ns <= self.samples[0].captured_ns and self.samples[-1].captured_ns <= end_ns


@dataclass
class StreamingMemory:
    """One tracklet: the trunk's states, samples whose maps are yet to come, and blocks of those that came."""

    states: States
    waiting: deque[_Kept] = field(default_factory=deque)
    blocks: deque[_Block] = field(default_factory=deque)
    torsos_m: list[float] = field(default_factory=list)


class StreamingEmbedder:
    """An ``Embedder`` over ``<stem>.trunk.onnx`` and ``<stem>.head.onnx``."""

    def __init__(self, stem: str | Path, config: StreamingConfig | None = None) -> None:
        self._config = config or StreamingConfig()
        trunk, head = Path(f"{stem}.trunk.onnx"), Path(f"{stem}.head.onnx")
        self._net, shapes = _read(trunk)
        other, _ = _read(head)
        if (self._net.form, other.form) != ("trunk", "head") or self._net.digest != other.digest:
            raise WeightsError(
                "trunk and head are not of one net", where=str(stem), fix="Export the net again"
            )
        if self._net.input.kind == "silhouette+maps+motion":
            raise WeightsError(
                "this net is fed motion, which needs the frame to come",
                where=str(stem),
                wanted="a net without motion channels",
                fix="Train it with delta_joint: false, or run its window graph",
            )
        self._trunk = _loaded(trunk, self._config, self._config.batch)
        self._head = _loaded(head, self._config, 1)
        self._fresh = {name: np.zeros(shapes[name], np.float32) for name in self._net.states}
        self._blank = np.zeros(self._net.frame_shape, np.float32)
        self._most_blocks = -(-self._config.memory_samples // self._config.block_samples)
        # embed_1 and embed_2 of one net are not comparable.
        digest = f"{self._net.digest[:24]}-{self._net.embedding}"
        self._model = ModelInfo(Path(stem).name, digest, self._net.strips * self._net.strip_numbers)

    @property
    def nets(self) -> tuple[NetInfo, NetInfo]:
        """What runs the trunk and the head."""
        return self._trunk.describe(), self._head.describe()

    @property
    def model(self) -> ModelInfo:
        """The family, the digest of its weights, and the vector's length."""
        return self._model

    def open(self) -> StreamingMemory:
        """Fresh memory for a new tracklet."""
        return StreamingMemory(dict(self._fresh), blocks=deque(maxlen=self._most_blocks))

    def extend(self, memories: Sequence[StreamingMemory], samples: Sequence[Sample]) -> None:
        """One frame of each sample's track through the trunk, in batches over all tracks.

        A memory that occurs several times goes through in as many turns.
        """
        for turn in _turns(memories):
            chosen = [(memories[place], samples[place]) for place in turn]
            frames = [prepare(self._net.input, self._walk(memory, sample))[0] for memory, sample in chosen]
            for memory, sample in chosen:
                weight = sample.weight if sample.valid else 0.0
                memory.waiting.append(_Kept(sample.captured_ns, weight))
            for (memory, _), mapped in zip(chosen, self._step([m for m, _ in chosen], frames), strict=True):
                if len(memory.waiting) > self._net.look_ahead:
                    self._keep(memory, mapped)

    def settle(self, memory: StreamingMemory) -> None:
        """The segment ended: bring out the maps that still wait for frames to come."""
        lag = self._net.look_ahead - len(memory.waiting)
        for turn in range(self._net.look_ahead if memory.waiting else 0):
            (mapped,) = self._step([memory], [self._blank], real=False)
            if turn >= lag:
                self._keep(memory, mapped)

    def cut(self, memory: StreamingMemory) -> None:
        """The segment ended: the next sample begins another one, with another scale."""
        memory.states = dict(self._fresh)
        memory.waiting.clear()
        memory.blocks.clear()
        memory.torsos_m.clear()

    def embed(self, memory: StreamingMemory, start_ns: int, end_ns: int) -> Answer | None:
        """The vector of the blocks captured in [start_ns, end_ns]; None where no sample of them is valid."""
        window = [block for block in memory.blocks if block.within(start_ns, end_ns)]
        maps = [block.values for block in window if block.values is not None]
        if not maps:
            return None
        best = maps[0].copy()
        for values in maps[1:]:
            np.maximum(best, values, out=best)
        (vector,) = self._head.run({MAP: best[None]}).values()
        length = float(np.linalg.norm(vector[0]))
        if not length > 0:
            return None
        kept = [one for block in window for one in block.samples]
        weights = [one.weight for one in kept if one.weight > 0]
        return Answer(
            (vector[0] / np.float32(length)).astype(np.float32),
            len(weights),
            float(np.mean(weights)),
            start_ns=kept[0].captured_ns,
            end_ns=kept[-1].captured_ns,
        )

    def _keep(self, memory: StreamingMemory, mapped: Values) -> None:
        """The oldest waiting sample's map goes into the newest block, or begins another."""
        if not memory.blocks or len(memory.blocks[-1].samples) >= self._config.block_samples:
            memory.blocks.append(_Block())
        memory.blocks[-1].add(memory.waiting.popleft(), mapped)

    def _step(
        self, memories: Sequence[StreamingMemory], frames: Sequence[Values], *, real: bool = True
    ) -> list[Values]:
        """The trunk over one frame of each memory, whose states go on; the maps that come out."""
        size, maps = self._config.batch, []
        for low in range(0, len(memories), size):
            group, pictures = memories[low : low + size], frames[low : low + size]
            out = self._trunk.run(self._batch(group, pictures, real=real))
            for row, memory in enumerate(group):
                states = {name: out[NEXT + name][row] for name in self._net.states}
                if size > 1:
                    # A view would keep the whole batch alive as long as its longest-lived track.
                    states = {name: state.copy() for name, state in states.items()}
                memory.states = states
                maps.append(out[MAP][row])
        return maps

    def _batch(
        self, memories: Sequence[StreamingMemory], frames: Sequence[Values], *, real: bool
    ) -> Mapping[str, Values]:
        """The trunk's inputs, filled up with blanks to the fixed number of rows."""
        arrays = {REAL: np.full((self._config.batch, 1), real, np.float32)}
        if self._config.batch == 1:
            arrays |= {name: state[None] for name, state in memories[0].states.items()}
            return {**arrays, FRAMES: frames[0][None]}
        empty = self._config.batch - len(memories)
        for name in self._net.states:
            arrays[name] = np.stack([*(m.states[name] for m in memories), *[self._fresh[name]] * empty])
        arrays[FRAMES] = np.stack([*frames, *[self._blank] * empty])
        return arrays

    def _walk(self, memory: StreamingMemory, sample: Sample) -> Walk:
        """One frame, its depth in torsos of the segment's first frames."""
        joints = None
        if sample.joints_3d is not None:
            joints = sample.joints_3d.numpy()[None].astype(np.float32)
            if len(memory.torsos_m) < SCALE_SAMPLES:
                memory.torsos_m.append(body_scale(joints, GAITWAY16, confidence=False))
        scale_m = median(memory.torsos_m) if memory.torsos_m else None
        return Walk(sample.silhouette.numpy()[None], sample.joints_2d.numpy()[None], joints, scale_m=scale_m)


def _turns(memories: Sequence[StreamingMemory]) -> list[list[int]]:
    """Places of ``memories`` in turns that hold each memory at most once, in the order given."""
    seen: dict[int, int] = {}
    turns: list[list[int]] = []
    for place, memory in enumerate(memories):
        turn = seen.get(id(memory), 0)
        seen[id(memory)] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(place)
    return turns


def _loaded(path: Path, config: StreamingConfig, batch: int) -> Net:
    options = NetOptions(precision=config.precision, threads=config.threads, batch=batch)
    return load_net(path, config.runtime, options)


def _read(path: Path) -> tuple[NetMetadata, dict[str, tuple[int, ...]]]:
    """What a graph says of itself, and its inputs' shapes without the batch."""
    if not path.is_file():
        raise WeightsError("no such net", where=str(path), fix="Export it: run_pipeline.py export")
    try:
        model = core().read_model(path)
    except RuntimeError as error:
        raise WeightsError("OpenVINO cannot read this net", where=str(path), wanted="an ONNX file") from error
    framework = ["framework", METADATA_KEY]
    said = {METADATA_KEY: str(model.get_rt_info(framework).value)} if model.has_rt_info(framework) else {}
    shapes = {
        port.get_any_name(): tuple(side.get_length() for side in list(port.get_partial_shape())[1:])
        for port in model.inputs
    }
    return parse_metadata(said, str(path)), shapes
