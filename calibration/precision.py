"""Narrower numbers for a streaming pair, each with what it costs in accuracy on people nobody trained on.

``f16`` and ``int8`` are files of their own, which say their precision in the graph itself: half-precision
weights, or quantise/dequantise pairs around convolutions, symmetric and per channel, as TensorRT and OpenVINO
read them. ``bf16`` is the same file, run so by a processor that has it. The head stays in f32: it is a
hundredth of the work and normalises. A precision is fit where rank-1 falls by at most ``MOST_LOSS`` points.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from calibration.half import to_half
from engines.net_metadata import FRAMES, METADATA_KEY, NEXT, REAL, parse_metadata
from engines.runtimes.choose import load_net
from engines.runtimes.net import Arrays, NetOptions
from engines.streaming_embedder import StreamingConfig, StreamingEmbedder
from gait.inputs import Walk, prepare
from gait.skeleton import GAITWAY16
from gait.walkers.conditions import sample_conditions
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import aligned, pass_by
from gait.walkers.views import sample_view
from stream.errors import ConfigError, WeightsError
from stream.messages import Array, Sample, TrackletId

Name = Literal["f32", "bf16", "f16", "int8"]
Progress = Callable[[int, int], None]

NARROWER: Final[tuple[Name, ...]] = ("bf16", "f16", "int8")
MOST_LOSS: Final = 0.3
"""Points of rank-1 that a precision may cost."""
JUDGED_FROM: Final = 700_000
"""Seeds of the people who judge; training draws from far below."""
CALIBRATED_FROM: Final = 800_000
"""Seeds of the people whose tracks set the ranges: others than those who judge."""
FRAMES_EACH: Final = 40
CALIBRATION_FRAMES: Final = 24
SENSITIVE: Final = 3.0
"""A convolution whose own quantisation errs by more than this many times the median stays in f32."""
STEP_NS: Final = 40_000_000


class Judged(msgspec.Struct, frozen=True):
    """What one precision does: ``similarity`` is the mean cosine of its vectors with those of f32."""

    precision: Name
    rank1: float
    loss_points: float
    similarity: float
    ms_per_frame: float
    megabytes: float
    kept_f32: tuple[str, ...] = ()

    @property
    def fit(self) -> bool:
        """Whether it may be used."""
        return self.loss_points <= MOST_LOSS


@dataclass(frozen=True)
class Variant:
    """A precision's files and how they are run."""

    precision: Name
    stem: Path
    hint: Literal["f32", "bf16"] = "f32"
    kept_f32: tuple[str, ...] = ()


def judge(
    stem: Path, people: int, wanted: Sequence[Name] = NARROWER, progress: Progress | None = None
) -> list[Judged]:
    """f32 and each of ``wanted`` on ``people`` people, two visits each; writes the narrower files."""
    if people < 2:
        raise ConfigError(f"{people} people", wanted="2 or more: the right one must be told from others")
    walks = [[person_walk(JUDGED_FROM + who, visit) for visit in (0, 1)] for who in range(people)]
    total, found = 1 + len(wanted), []
    exact, base = _judge(Variant("f32", stem), walks, None, None)
    found.append(base)
    _tell(progress, 1, total)
    for name in wanted:
        variant = make(stem, name)
        found.append(_judge(variant, walks, exact, base)[1])
        _tell(progress, len(found), total)
    return found


def make(stem: Path, name: Name) -> Variant:
    """The files of a precision: ``<stem>.<name>.trunk.onnx`` and ``.head.onnx``; bf16 needs none."""
    if name in ("f32", "bf16"):
        return Variant(name, stem, "bf16" if name == "bf16" else "f32")
    target = Path(f"{stem}.{name}")
    source, trunk = Path(f"{stem}.trunk.onnx"), Path(f"{target}.trunk.onnx")
    if not source.is_file():
        raise WeightsError("no such net", where=str(source), fix="Export it: run_pipeline.py export")
    kept: tuple[str, ...] = ()
    if name == "f16":
        model = to_half(onnx.load(str(source)))
    else:
        model, kept = _quantised(source)
    _say_precision(model, {"f16": "float16", "int8": "int8"}[name])
    onnx.save(model, str(trunk))
    shutil.copyfile(f"{stem}.head.onnx", f"{target}.head.onnx")
    return Variant(name, target, "f32", kept)


def person_walk(person: int, visit: int, frames: int = FRAMES_EACH) -> Walk:
    """A rendered walker as the pipeline would see them: other clothes and another view at every visit."""
    who = sample_person(person, population=STREET).under(sample_conditions(person, visit))
    return aligned(pass_by(who, sample_view(person, visit), frames=frames, visit=visit), GAITWAY16)


def _judge(
    variant: Variant, walks: Sequence[Sequence[Walk]], exact: NDArray[np.float32] | None, base: Judged | None
) -> tuple[NDArray[np.float32], Judged]:
    """The vectors (people, visits, numbers) of a precision, and how it did beside f32."""
    embedder = StreamingEmbedder(
        variant.stem, StreamingConfig(runtime="openvino", precision=variant.hint, block_samples=1)
    )
    began = time.process_time()
    vectors = np.stack([[embed(embedder, walk) for walk in visits] for visits in walks])
    frames = sum(len(walk.silhouettes) for visits in walks for walk in visits)
    each_ms = 1e3 * (time.process_time() - began) / frames
    rank1 = 100.0 * float(np.mean((vectors[:, 1] @ vectors[:, 0].T).argmax(axis=1) == np.arange(len(walks))))
    similarity = 1.0 if exact is None else float(np.mean(np.sum(vectors * exact, axis=-1)))
    loss = 0.0 if base is None else base.rank1 - rank1
    size = Path(f"{variant.stem}.trunk.onnx").stat().st_size / 1e6
    return vectors, Judged(variant.precision, rank1, loss, similarity, each_ms, size, variant.kept_f32)


def embed(embedder: StreamingEmbedder, walk: Walk) -> NDArray[np.float32]:
    """One vector of a whole walk, as the pipeline computes it."""
    memory = embedder.open()
    for sample in samples_of(walk):
        embedder.extend([memory], [sample])
    embedder.settle(memory)
    answer = embedder.embed(memory, 0, len(walk.silhouettes) * STEP_NS)
    if answer is None:
        raise WeightsError("the net gave no embedding of a sound walk", where=embedder.model.name)
    return answer.vector


def samples_of(walk: Walk) -> Iterator[Sample]:
    """A walk as the track stage hands it out."""
    for t in range(len(walk.silhouettes)):
        joints = None if walk.joints_3d is None else Array.of(walk.joints_3d[t])
        yield Sample(
            TrackletId("calibration", "0", 0),
            t * STEP_NS,
            Array.of(walk.silhouettes[t]),
            Array.of(walk.joints_2d[t].astype(np.float32)),
            joints,
            True,
            1.0,
        )


class _Frames(CalibrationDataReader):  # type: ignore[misc] # the package ships no types
    """Representative inputs, one at a time, as the quantiser asks for them."""

    def __init__(self, frames: Sequence[Arrays]) -> None:
        self._left = iter(frames)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next, or None after the last."""
        frame = next(self._left, None)
        return None if frame is None else dict(frame)


def _quantised(trunk: Path) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The trunk in int8 and the convolutions that stayed in f32 because they suffer most from it."""
    frames = representative(trunk)
    model = onnx.load(str(trunk))
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    wanted = _maps(trunk, frames)
    errors: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        target = Path(folder) / "one.onnx"
        for name in convolutions:
            _quantise(trunk, target, frames[:4], [other for other in convolutions if other != name])
            errors[name] = float(np.abs(_maps(target, frames) - wanted).mean())
        middle = float(np.median(list(errors.values())))
        kept = tuple(name for name in convolutions if errors[name] > SENSITIVE * middle)
        _quantise(trunk, target, frames, list(kept))
        return onnx.load(str(target)), kept


def _quantise(source: Path, target: Path, frames: Sequence[Arrays], left_out: Sequence[str]) -> None:
    with _quiet():
        _quantise_static(source, target, frames, left_out)


def _quantise_static(source: Path, target: Path, frames: Sequence[Arrays], left_out: Sequence[str]) -> None:
    quantize_static(
        str(source),
        str(target),
        _Frames(frames),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=list(left_out),
        # Zero points of 0 are all that TensorRT takes.
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises, at every call, a preparation that our graphs have had."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def fastest_fit(judged: Sequence[Judged]) -> Judged:
    """The quickest of those that may be used; f32 always may."""
    return min((one for one in judged if one.fit), key=lambda one: one.ms_per_frame)


def representative(trunk: Path) -> list[Arrays]:
    """The trunk's inputs, states included, along a few people's tracks."""
    net = load_net(trunk, "openvino", NetOptions(threads=1))
    spec = parse_metadata({METADATA_KEY: _metadata(onnx.load(str(trunk)))}, str(trunk)).input
    frames: list[Arrays] = []
    people = 4
    for who in range(people):
        walk = person_walk(CALIBRATED_FROM + who, 0, 3 * CALIBRATION_FRAMES // people)
        drawn = prepare(spec, walk)
        states = {n: np.zeros(s.shape, np.float32) for n, s in net.inputs.items() if n not in (FRAMES, REAL)}
        for t in range(len(drawn)):
            arrays = {FRAMES: drawn[t : t + 1], REAL: np.ones((1, 1), np.float32), **states}
            out = net.run(arrays)
            states = {name: out[NEXT + name] for name in states}
            if t % 3 == 2:
                frames.append(arrays)
    return frames


def _maps(trunk: Path, frames: Sequence[Arrays]) -> NDArray[np.float32]:
    net = load_net(trunk, "openvino", NetOptions(threads=1))
    return np.concatenate([net.run(frame)["map"] for frame in frames])


def _metadata(model: onnx.ModelProto) -> str:
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            return str(entry.value)
    raise WeightsError("the graph does not say what it is", wanted="a trunk of `export`")


def _say_precision(model: onnx.ModelProto, precision: str) -> None:
    """Change what the graph says of its precision, and nothing else."""
    said: Mapping[str, Any] = msgspec.json.decode(_metadata(model)) | {"precision": precision}
    properties = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, properties | {METADATA_KEY: msgspec.json.encode(said).decode()})


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
