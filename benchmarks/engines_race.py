"""The contestants of ``bench engines``: the half that needs torch."""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.models_race import MATRIX, matrix_gflop
from benchmarks.report import Figure, cpu_flags
from calibration.precision import JUDGED_FROM, person_walk
from commands.cli import progress
from engines.export import FRAMES, VECTOR, export_onnx, read_metadata
from engines.parity import relative_error
from engines.runtimes.choose import choose, load_net
from engines.runtimes.net import Net, NetOptions
from engines.runtimes.onnxruntime_runtime import OnnxRuntimeNet
from engines.runtimes.openvino_runtime import OpenVinoNet
from engines.runtimes.torch_runtime import exact_floats
from gait.inputs import prepare
from gait.models import registry
from gait.models.checkpoints import load
from gait.models.describe import describe
from gait.models.family import GaitNet

Vectors = NDArray[np.float32]
Work = Callable[[], Vectors]
Place = Callable[[Tensor], Work]

WINDOW: Final = 30
TYPES: Final = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
SPEEDS: Final = {"eager": None, "compiled": "default", "graphs": "reduce-overhead"}
"""Ways to run torch on a GPU, and what they are to ``torch.compile``."""
REFERENCE: Final = "torch_f32"
ALONE_FROM: Final = 16
"""Sequences at once from which on only one contestant is loaded at a time: five would take 16 GB."""


@dataclass(frozen=True)
class Contestant:
    """A way to run the net: ``load`` gives what puts frames (N, T, *frame_shape) in place for one run.

    ``matrix``: the device and precision whose rate of matrix products bounds it.
    """

    load: Callable[[], Place]
    matrix: tuple[str, str]


def race(
    arguments: argparse.Namespace, batches: Sequence[int], threads: int
) -> tuple[dict[str, Figure], dict[str, float]]:
    """Figures for every contestant and batch, and what the goals ask for."""
    net = net_of(arguments)
    figures: dict[str, Figure] = {
        "family": net.family,
        "size": "as weights" if arguments.weights else arguments.size,
        "gflops_per_sequence": describe(net, WINDOW).gflops,
        "threads": threads,
    }
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder, _threads(threads):
        window = export_onnx(net, Path(folder) / "net", frames=WINDOW).window
        walkers = judges(window, arguments.people) if arguments.people else None
        for batch in batches:
            works = contestants(net, window, batch, threads)
            found, over = one_batch(net, works, batch, arguments.turns)
            figures |= found
            ratios |= over
            if walkers is not None and batch == batches[0]:
                figures |= judged(works, walkers, batch)
    figures |= ratios
    return figures, {"openvino_over_torch": min(ratios.values())}


def net_of(arguments: argparse.Namespace) -> GaitNet:
    """The net that the arguments name; a family's weights are random, and the same every time."""
    if arguments.weights is not None:
        return load(arguments.weights).eval()
    torch.manual_seed(0)
    return registry.build(arguments.family, arguments.size).eval()


def one_batch(
    net: GaitNet, works: Mapping[str, Contestant], batch: int, turns: int
) -> tuple[dict[str, Figure], dict[str, float]]:
    """One batch's figures, and OpenVINO's rate over torch's in each precision."""
    example = net.example(batch, WINDOW)
    seconds, rates, answers = timed(works, example, turns)
    work = describe(net, WINDOW).gflops * batch
    figures: dict[str, Figure] = {}
    for name, one in works.items():
        key = f"batch_{batch}.{name}"
        figures[f"{key}.sequences_per_s"] = batch / seconds[name]
        figures[f"{key}.share_of_matrix_rate"] = work / seconds[name] / rates[one.matrix]
        figures[f"{key}.relative_error"] = relative_error(answers[name], answers[REFERENCE])
    best = min(works, key=lambda name: seconds[name])
    figures[f"batch_{batch}.best"] = best
    figures[f"batch_{batch}.best_over_{REFERENCE}"] = seconds[REFERENCE] / seconds[best]
    ratios = {
        f"batch_{batch}.openvino_over_torch_{precision}": seconds[f"torch_{precision}"]
        / seconds[f"openvino_{precision}"]
        for precision in TYPES
        if f"torch_{precision}" in works and f"openvino_{precision}" in works
    }
    return figures, ratios


def contestants(net: GaitNet, window: Path, batch: int, threads: int) -> dict[str, Contestant]:
    """Every way to run the net here."""
    rows = len(net.flat_input(net.example(batch, WINDOW)))
    exact, narrow = (NetOptions(kind, threads, batch=rows) for kind in ("f32", "bf16"))
    works = {
        REFERENCE: _eager(net, "f32"),
        "openvino_f32": _compiled(net, lambda: OpenVinoNet(window, exact), ("cpu", "f32")),
        "onnxruntime_f32": _compiled(net, lambda: OnnxRuntimeNet(window, exact), ("cpu", "f32")),
    }
    if cpu_flags() & {"avx512_bf16", "amx_bf16", "bf16"}:
        works["torch_bf16"] = _eager(net, "bf16")
        works["openvino_bf16"] = _compiled(net, lambda: OpenVinoNet(window, narrow), ("cpu", "bf16"))
    if torch.cuda.is_available():
        works |= on_gpu(net, window, rows)
    return works


def on_gpu(net: GaitNet, window: Path, rows: int) -> dict[str, Contestant]:
    """torch on the GPU, eager, compiled and as CUDA graphs, in each precision; TensorRT where it is there."""
    exact_floats()
    works = {
        f"cuda_{speed}_{precision}": in_torch(net, "cuda", precision, mode)
        for precision in TYPES
        for speed, mode in SPEEDS.items()
    }
    if choose().runtime == "tensorrt":
        options = NetOptions(batch=rows)
        works["tensorrt_f32"] = _compiled(net, lambda: load_net(window, "tensorrt", options), ("cuda", "f32"))
    return works


def in_torch(net: GaitNet, device: str, precision: str, mode: str | None) -> Contestant:
    """The window's graph in torch on a device; compiled where ``mode`` says how."""

    def load() -> Place:
        flat = net.flat(WINDOW).eval().to(device, TYPES[precision])
        module: nn.Module | Callable[..., Tensor] = flat if mode is None else torch.compile(flat, mode=mode)

        def place(frames: Tensor) -> Work:
            given = net.flat_input(frames).to(device, TYPES[precision])

            def work() -> Vectors:
                with torch.inference_mode():
                    answer = module(given)
                return np.asarray(answer.float().cpu().numpy())  # waits for the device

            return work

        return place

    return Contestant(load, (device, precision))


def _eager(net: GaitNet, precision: str) -> Contestant:
    """The net as it is trained, not its flat graph, on the processor."""

    def load() -> Place:
        own = net if precision == "f32" else copy.deepcopy(net).to(TYPES[precision])

        def place(frames: Tensor) -> Work:
            given = frames.to(TYPES[precision])

            def work() -> Vectors:
                with torch.inference_mode():
                    return np.asarray(own.vector(own(given)).float().numpy())

            return work

        return place

    return Contestant(load, ("cpu", precision))


def _compiled(net: GaitNet, loading: Callable[[], Net], matrix: tuple[str, str]) -> Contestant:
    def load() -> Place:
        loaded = loading()

        def place(frames: Tensor) -> Work:
            flat = {FRAMES: net.flat_input(frames).numpy()}
            return lambda: np.asarray(loaded.run(flat)[VECTOR])

        return place

    return Contestant(load, matrix)


def timed(
    works: Mapping[str, Contestant], example: Tensor, turns: int
) -> tuple[dict[str, float], dict[tuple[str, str], float], dict[str, Vectors]]:
    """Median seconds of one run of each, in turns; matrix products a second in GFLOP; what each answered."""
    together = len(example) < ALONE_FROM
    loaded = {name: one.load()(example) for name, one in works.items()} if together else {}
    products = {matrix: multiply(*matrix) for matrix in {one.matrix for one in works.values()}}
    seconds: dict[str, list[float]] = {name: [] for name in works}
    matrix_s: dict[tuple[str, str], list[float]] = {matrix: [] for matrix in products}
    answers: dict[str, Vectors] = {}
    with progress("racing", turns * len(works)) as bar:
        for turn in range(turns):
            for name, one in works.items():
                run = loaded.get(name) or one.load()(example)
                if turn == 0 or not together:
                    products[one.matrix]()
                    answers[name] = run()
                matrix_s[one.matrix].append(_seconds(products[one.matrix]))
                seconds[name].append(_seconds(run))
                bar.advance()
    rates = {matrix: matrix_gflop() / float(np.median(found)) for matrix, found in matrix_s.items()}
    return {name: float(np.median(found)) for name, found in seconds.items()}, rates, answers


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def multiply(device: str, precision: str) -> Callable[[], object]:
    """A product of two large matrices by the library that torch multiplies with there."""
    left, right = (torch.rand(MATRIX, MATRIX).to(device, TYPES[precision]) for _ in range(2))
    into = torch.empty_like(left)

    def work() -> None:
        torch.matmul(left, right, out=into)
        if device == "cuda":
            torch.cuda.synchronize()

    return work


def judges(window: Path, people: int) -> Tensor:
    """(people, 2, T, *frame_shape): two visits of rendered people whom nobody trained on."""
    spec = read_metadata(window).input
    walks = [
        [prepare(spec, person_walk(JUDGED_FROM + who, visit, WINDOW)) for visit in (0, 1)]
        for who in range(people)
    ]
    return torch.from_numpy(np.array(walks, np.float32))


def judged(works: Mapping[str, Contestant], walkers: Tensor, batch: int) -> dict[str, Figure]:
    """Each contestant's rank-1 between the visits, and its vectors' mean cosine with the reference's."""
    people, visits = walkers.shape[:2]
    windows = walkers.flatten(0, 1)
    spare = -len(windows) % batch  # graphs of a fixed batch are fed whole ones
    whole = torch.cat([windows, windows[:1].expand(spare, *windows.shape[1:])])
    parts = [whole[first : first + batch] for first in range(0, len(whole), batch)]
    vectors: dict[str, Vectors] = {}
    for name, one in works.items():
        place = one.load()
        vectors[name] = np.concatenate([place(part)() for part in parts])[: len(windows)]
    figures: dict[str, Figure] = {"judged_by_people": people}
    for name, found in vectors.items():
        first, again = found.reshape(people, visits, -1).swapaxes(0, 1)[:2]
        figures[f"{name}.rank1"] = float(np.mean((again @ first.T).argmax(axis=1) == np.arange(people)))
        figures[f"{name}.cosine"] = cosine(found, vectors[REFERENCE])
    return figures


def cosine(ours: Vectors, others: Vectors) -> float:
    """The mean cosine of vectors (N, numbers) with others, row by row."""
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(others, axis=1)
    return float(np.mean(np.sum(ours * others, axis=1) / np.maximum(lengths, 1e-12)))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
