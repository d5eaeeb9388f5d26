"""The half of bench ``embedding`` that needs torch: the contestants, and the judge of exactness."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.report import Figure
from commands.cli import progress
from engines.export import FRAMES, NEXT, REAL, Exported, export_onnx
from engines.runtimes.net import NetOptions
from engines.runtimes.openvino_runtime import OpenVinoNet
from engines.streaming_embedder import SCALE_SAMPLES, StreamingConfig, StreamingEmbedder, StreamingMemory
from gait.inputs import Walk, prepare
from gait.models import registry
from gait.models.family import GaitNet
from gait.models.input_spec import spec_of
from gait.sample import sample_walk
from gait.skeleton import GAITWAY16, body_scale
from stream.errors import ConfigError
from stream.messages import Array, Sample, TrackletId

WINDOW: Final = 30
HOP: Final = 5
STEP_NS: Final = 40_000_000
SETTLED: Final = 60
"""Frames before the clock starts: a memory as full as it is in use."""
TIMED: Final = 50
BLOCK: Final = 5
SMALL: Final = {"channels": (8, 8, 16, 16), "blocks": (1, 1, 1, 1), "embedding": 8}
"""Channels of the net whose tracks are compared: exactness lies in the structure, and torch runs them all."""


def race(family: str, size: str, turns: int, seed: int) -> dict[str, Figure]:
    """Milliseconds of processor time: a streamed person-frame, the trunk alone, the window run again."""
    check_family(family)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    net = registry.build(family, size).eval()
    walk = sample_walk(seed, SETTLED + TIMED)
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        exported = export_onnx(net, Path(folder) / "net", frames=WINDOW)
        contestants = {
            "ms_per_person_frame": _streaming(Path(folder) / "net", walk),
            "ms_trunk_alone": _trunk(net, exported, walk),
            "ms_window_rerun": _window(net, exported, walk),
        }
        found: dict[str, list[float]] = {name: [] for name in contestants}
        with progress("timing", turns) as bar:
            for _ in range(turns):
                for name, work in contestants.items():
                    found[name].append(1e3 * work())
                bar.advance()
    medians: dict[str, Figure] = {name: float(np.median(values)) for name, values in found.items()}
    return {"family": family, "size": size, "window": WINDOW, "hop": HOP, **medians}


def _streaming(stem: Path, walk: Walk) -> Callable[[], float]:
    """Seconds a person-frame, everything included: an answer over the last window at every hop."""
    embedder = StreamingEmbedder(stem, StreamingConfig(runtime="openvino", block_samples=BLOCK))
    samples = samples_of(walk)

    def work() -> float:
        memory = embedder.open()
        for sample in samples[:SETTLED]:
            embedder.extend([memory], [sample])
        began = time.process_time()
        for t, sample in enumerate(samples[SETTLED:]):
            embedder.extend([memory], [sample])
            if t % HOP == HOP - 1:
                embedder.embed(memory, sample.captured_ns - WINDOW * STEP_NS, sample.captured_ns)
        return (time.process_time() - began) / TIMED

    return work


def _trunk(net: GaitNet, exported: Exported, walk: Walk) -> Callable[[], float]:
    """Seconds of the trunk alone on one frame: frames drawn beforehand, states going round."""
    assert exported.trunk is not None
    trunk, spec = OpenVinoNet(exported.trunk, NetOptions(threads=1)), spec_of(net)
    frames = [prepare(spec, one_frame(walk, t)) for t in range(SETTLED, SETTLED + TIMED)]
    names = [name for name in trunk.inputs if name not in (FRAMES, REAL)]
    fresh = {name: np.zeros(trunk.inputs[name].shape, np.float32) for name in names}
    real = np.ones((1, 1), np.float32)

    def work() -> float:
        states = dict(fresh)
        began = time.process_time()
        for frame in frames:
            out = trunk.run({FRAMES: frame, REAL: real, **states})
            states = {name: out[NEXT + name] for name in names}
        return (time.process_time() - began) / TIMED

    return work


def _window(net: GaitNet, exported: Exported, walk: Walk) -> Callable[[], float]:
    """Seconds a person-frame when a window runs again at every hop: each frame drawn once, then the net."""
    window = load_window(exported.window)
    spec, hops = spec_of(net), TIMED // HOP // 2

    def work() -> float:
        began = time.process_time()
        for hop in range(hops):
            first = hop * HOP
            frames = [prepare(spec, one_frame(walk, t))[0] for t in range(first, first + HOP)]
            held = np.resize(np.stack(frames), (1, WINDOW, *net.frame_shape))
            window.run({FRAMES: net.flat_input(torch.from_numpy(held)).numpy()})
        return (time.process_time() - began) / (hops * HOP)

    return work


def load_window(path: Path) -> OpenVinoNet:
    """The window's graph; its rows are whole sequences, so it is not tried on a single one."""
    return OpenVinoNet(path, NetOptions(threads=1, batch=0))


def samples_of(walk: Walk, invalid: frozenset[int] = frozenset(), number: int = 0) -> list[Sample]:
    """A walk as the track stage hands it out."""
    assert walk.joints_3d is not None
    return [
        Sample(
            tracklet=TrackletId("bench", "0", number),
            captured_ns=t * STEP_NS,
            silhouette=Array.of(walk.silhouettes[t]),
            joints_2d=Array.of(walk.joints_2d[t].astype(np.float32)),
            joints_3d=Array.of(walk.joints_3d[t]),
            valid=t not in invalid,
            weight=1.0,
        )
        for t in range(len(walk.silhouettes))
    ]


def one_frame(walk: Walk, t: int) -> Walk:
    """Frame ``t`` of a walk."""
    assert walk.joints_3d is not None
    return Walk(walk.silhouettes[t : t + 1], walk.joints_2d[t : t + 1], walk.joints_3d[t : t + 1])


@dataclass
class _Track:
    """A random track: where its segments begin, which samples were refused, its memory and its answers."""

    walk: Walk
    cuts: tuple[int, ...]
    invalid: frozenset[int]
    hop: int
    memory: StreamingMemory


def compare(family: str, tracks: int, seed: int) -> dict[str, Figure]:
    """The largest difference of any number of any answer from one forward over its unbroken segment."""
    torch.manual_seed(seed)
    net = worn(registry.build(family, "tiny", **SMALL))
    judge = _Judge(net)
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        export_onnx(net, Path(folder) / "net", frames=WINDOW)
        config = StreamingConfig(runtime="openvino", block_samples=1)
        embedder = StreamingEmbedder(Path(folder) / "net", config)
        with progress("comparing tracks", tracks) as bar:
            for number in range(tracks):
                judge.judge(embedder, _random_track(rng, embedder, number))
                bar.advance()
    return {"tracks": tracks, "answers": judge.answers, "largest_error": judge.largest}


def _random_track(rng: np.random.Generator, embedder: StreamingEmbedder, number: int) -> _Track:
    """8 to 24 frames, up to two cuts, a fifth of the samples refused, a hop of 1 to 9."""
    length = int(rng.integers(8, 25))
    cuts = tuple(sorted({int(c) for c in rng.integers(2, length, rng.integers(0, 3))}))
    invalid = frozenset(int(t) for t in np.flatnonzero(rng.random(length) < 0.2))
    walk = sample_walk(number % 50, length, phase=float(rng.random()))
    return _Track(walk, cuts, invalid, int(rng.integers(1, 10)), embedder.open())


class _Judge:
    """Feeds tracks and compares every answer with torch."""

    def __init__(self, net: GaitNet) -> None:
        self._net, self._spec = net, spec_of(net)
        self.largest, self.answers = 0.0, 0

    def judge(self, embedder: StreamingEmbedder, track: _Track) -> None:
        """Every answer of one track, segment by segment."""
        samples = samples_of(track.walk, track.invalid)
        bounds = [0, *track.cuts, len(samples)]
        for first, last in pairwise(bounds):
            asked: list[tuple[int, int, NDArray[np.float32]]] = []
            for t in range(first, last):
                embedder.extend([track.memory], [samples[t]])
                if (t - first) % track.hop == track.hop - 1 or t == last - 1:
                    if t == last - 1:
                        embedder.settle(track.memory)
                    start_ns = max(first, t - WINDOW // 2) * STEP_NS
                    answer = embedder.embed(track.memory, start_ns, t * STEP_NS)
                    if answer is not None:
                        assert answer.start_ns is not None
                        assert answer.end_ns is not None
                        asked.append((answer.start_ns // STEP_NS, answer.end_ns // STEP_NS, answer.vector))
            self._compare(track, first, last, asked)
            embedder.cut(track.memory)

    def _compare(
        self, track: _Track, first: int, last: int, asked: list[tuple[int, int, NDArray[np.float32]]]
    ) -> None:
        """One forward over the segment for each answer, the maximum over its own frames."""
        if not asked:
            return
        scales = causal_scales(track.walk, first, last)
        frames = np.concatenate(
            [
                prepare(self._spec, scaled(one_frame(track.walk, t), scales[t - first]))
                for t in range(first, last)
            ]
        )
        marks = torch.zeros(len(asked), last - first, dtype=torch.bool)
        for row, (start, end, _) in enumerate(asked):
            for t in range(start, end + 1):
                marks[row, t - first] = t not in track.invalid
        with torch.no_grad():
            whole = torch.from_numpy(frames)[None].expand(len(asked), *[-1] * frames.ndim)
            wanted = self._net.vector(self._net(whole, marks)).numpy()
        for row, (_, _, vector) in enumerate(asked):
            self.largest = max(self.largest, float(np.abs(vector - wanted[row]).max()))
            self.answers += 1


def scaled(walk: Walk, scale_m: float | None) -> Walk:
    """A walk with its torso's length given."""
    return Walk(walk.silhouettes, walk.joints_2d, walk.joints_3d, scale_m=scale_m)


def causal_scales(walk: Walk, first: int, last: int) -> list[float]:
    """The torso's length as known at each frame of a segment: the median of its first five."""
    assert walk.joints_3d is not None
    torsos = [
        body_scale(walk.joints_3d[t : t + 1], GAITWAY16, confidence=False)
        for t in range(first, min(last, first + SCALE_SAMPLES))
    ]
    return [float(np.median(torsos[: t - first + 1])) for t in range(first, last)]


def worn(net: GaitNet) -> GaitNet:
    """A net whose batch norms are away from where they start, as a trained one's are."""
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d | torch.nn.BatchNorm1d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0.0, 0.3)
                module.running_var.uniform_(0.5, 2.0)
                module.weight.uniform_(0.5, 1.5)
    return net.eval()


def check_family(family: str) -> None:
    """Raises ConfigError for a family that is not max-pooled over time."""
    if registry.build(family, "tiny").streaming() is None:
        raise ConfigError(f"{family} does not stream", wanted="a max-pooled family, as silskeletongait")
