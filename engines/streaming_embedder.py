"""An exported streaming pair as the pipeline's embedder: the trunk once per sample, the head once per answer.

An answer equals one forward of the net over the unbroken segment so far, with the maximum taken over the
window's valid frames. The trunk's newest maps lag ``look_ahead`` frames; an answer therefore runs the trunk
that much further on a copy of the memory, as if the segment ended there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from engines.net_metadata import FRAMES, MAP, METADATA_KEY, NEXT, REAL, NetMetadata, parse_metadata
from engines.parity import Runner, runner
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
    """What a tracklet's memory holds: the maps of its last ``memory_samples`` samples."""

    memory_samples: int = 256  # ten seconds of the 25 Hz grid; 11 MB in half precision for the tiny nets

    def __post_init__(self) -> None:
        if self.memory_samples < 1:
            raise ValueError("`memory_samples` must be above 0")


@dataclass(frozen=True)
class _Kept:
    """A sample that went in: when, how much it counts (0 for an invalid one)."""

    captured_ns: int
    weight: float


@dataclass(frozen=True)
class _Mapped:
    """The map of a sample, half precision: a maximum of rounded maps is the rounded maximum."""

    kept: _Kept
    values: NDArray[np.float16]


@dataclass
class StreamingMemory:
    """One tracklet: the trunk's states, samples whose maps have not come out, and the maps that have."""

    states: States
    waiting: deque[_Kept] = field(default_factory=deque)
    mapped: deque[_Mapped] = field(default_factory=deque)
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
        self._run_trunk: Runner = runner(trunk, "openvino")
        self._run_head: Runner = runner(head, "openvino")
        self._fresh = {name: np.zeros((1, *shapes[name]), np.float32) for name in self._net.states}
        # embed_1 and embed_2 of one net are not comparable.
        digest = f"{self._net.digest[:24]}-{self._net.embedding}"
        self._model = ModelInfo(self._net.family, digest, self._net.strips * self._net.strip_numbers)

    @property
    def model(self) -> ModelInfo:
        """The family, the digest of its weights, and the vector's length."""
        return self._model

    def open(self) -> StreamingMemory:
        """Fresh memory for a new tracklet."""
        return StreamingMemory(dict(self._fresh), mapped=deque(maxlen=self._config.memory_samples))

    def extend(self, memories: Sequence[StreamingMemory], samples: Sequence[Sample]) -> None:
        """One frame of each sample's track through the trunk.

        One by one, not as a batch: so a person's numbers do not depend on who else is in view.
        """
        for memory, sample in zip(memories, samples, strict=True):
            frame = prepare(self._net.input, self._walk(memory, sample))
            weight = sample.weight if sample.valid else 0.0
            memory.waiting.append(_Kept(sample.captured_ns, weight))
            memory.states, mapped = self._step(memory.states, frame, real=True)
            if len(memory.waiting) > self._net.look_ahead:
                memory.mapped.append(_Mapped(memory.waiting.popleft(), mapped.astype(np.float16)))

    def cut(self, memory: StreamingMemory) -> None:
        """The segment ended: the next sample begins another one, with another scale."""
        memory.states = dict(self._fresh)
        memory.waiting.clear()
        memory.mapped.clear()
        memory.torsos_m.clear()

    def embed(self, memory: StreamingMemory, start_ns: int, end_ns: int) -> Answer | None:
        """The vector of the samples captured in [start_ns, end_ns]; None where none of them is valid."""
        window = [
            mapped
            for mapped in (*memory.mapped, *self._rest(memory))
            if start_ns <= mapped.kept.captured_ns <= end_ns and mapped.kept.weight > 0
        ]
        if not window:
            return None
        best = window[0].values
        for mapped in window[1:]:
            best = np.maximum(best, mapped.values)
        (vector,) = self._run_head({MAP: best.astype(np.float32)}).values()
        length = float(np.linalg.norm(vector[0]))
        if not length > 0:
            return None
        quality = float(np.mean([mapped.kept.weight for mapped in window]))
        return Answer((vector[0] / np.float32(length)).astype(np.float32), len(window), quality)

    def _rest(self, memory: StreamingMemory) -> list[_Mapped]:
        """The maps still to come, were the segment to end here; the memory is left as it is."""
        states, rest = memory.states, []
        blank = np.zeros((1, *self._net.frame_shape), np.float32)
        lag = self._net.look_ahead - len(memory.waiting)
        for k in range(self._net.look_ahead):
            states, mapped = self._step(states, blank, real=False)
            if k >= lag:
                rest.append(_Mapped(memory.waiting[k - lag], mapped.astype(np.float16)))
        return rest

    def _step(self, states: States, frame: Values, *, real: bool) -> tuple[States, Values]:
        out = self._run_trunk({FRAMES: frame, REAL: np.full((1, 1), real, np.float32), **states})
        return {name: out[NEXT + name] for name in self._net.states}, out[MAP]

    def _walk(self, memory: StreamingMemory, sample: Sample) -> Walk:
        """One frame, its depth in torsos of the segment's first frames."""
        joints = None
        if sample.joints_3d is not None:
            joints = sample.joints_3d.numpy()[None].astype(np.float32)
            if len(memory.torsos_m) < SCALE_SAMPLES:
                memory.torsos_m.append(body_scale(joints, GAITWAY16, confidence=False))
        scale_m = float(np.median(memory.torsos_m)) if memory.torsos_m else None
        return Walk(sample.silhouette.numpy()[None], sample.joints_2d.numpy()[None], joints, scale_m=scale_m)


def _read(path: Path) -> tuple[NetMetadata, dict[str, tuple[int, ...]]]:
    """What a graph says of itself, and its inputs' shapes without the batch."""
    if not path.is_file():
        raise WeightsError("no such net", where=str(path), fix="Export it: run_pipeline.py export")
    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        raise WeightsError("OpenVINO cannot read this net", where=str(path), wanted="an ONNX file") from error
    framework = ["framework", METADATA_KEY]
    said = {METADATA_KEY: str(model.get_rt_info(framework).value)} if model.has_rt_info(framework) else {}
    shapes = {
        port.get_any_name(): tuple(side.get_length() for side in list(port.get_partial_shape())[1:])
        for port in model.inputs
    }
    return parse_metadata(said, str(path)), shapes
