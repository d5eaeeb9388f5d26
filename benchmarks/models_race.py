"""The contestants of ``bench models`` and their turns: the half that needs torch."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from benchmarks.report import Figure
from commands.cli import progress
from engines.export import FRAMES, REAL, Exported, export_onnx
from engines.runtimes.openvino_core import core
from gait.models import registry
from gait.models.describe import describe
from gait.models.family import GaitNet

Work = Callable[[], object]
Arrays = Mapping[str, NDArray[np.float32]]

MATRIX: Final = 1536  # large enough for the full rate, small enough for a second's measuring
SHORTEST_S: Final = 0.2  # work faster than this is repeated within one turn
PUBLISHED: Final = "published"
# What the convolutional families call the size that their papers report.
PUBLISHED_CONV: Final = "1441"


def race(families: Sequence[str], size: str, threads: int, turns: int) -> dict[str, Figure]:
    """The families named, or all of them, in every runtime; raises ConfigError for an unknown name."""
    nets = [registry.family(family).name for family in families or registry.names()]
    figures: dict[str, Figure] = {
        "threads": threads,
        "precision": "f32",
        "torch": torch.__version__,
        "onnxruntime": ort.__version__,
    }
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with progress("measuring the gait families", len(nets)) as step:
            for family in nets:
                own_size = size_of(family, size)
                figures |= measure(registry.build(family, own_size).eval(), own_size, threads, turns)
                step.advance()
    finally:
        torch.set_num_threads(before)
    return figures


def size_of(family: str, size: str) -> str:
    """The family's own name for the size."""
    if size == PUBLISHED and PUBLISHED not in registry.family(family).sizes:
        return PUBLISHED_CONV
    return size


def measure(net: GaitNet, size: str, threads: int, turns: int) -> dict[str, Figure]:
    """One family's figures, their names beginning with the family's."""
    described = describe(net)
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        exported = export_onnx(net, Path(folder) / "net", frames=described.frames)
        seconds = medians(contestants(net, exported, described.frames, threads), turns)
    rate = matrix_gflop() / seconds["matrix"]
    floor_s = described.gflops / rate
    figures: dict[str, Figure] = {
        "size": size,
        "frames": described.frames,
        "parameters": described.deployed_parameters,
        "gflops": described.gflops,
        "matrix_gflops_per_s": rate,
        "floor_sequences_per_s": 1 / floor_s,
    }
    for runtime in ("torch", "onnxruntime", "openvino"):
        figures[f"{runtime}_sequences_per_s"] = 1 / seconds[runtime]
        figures[f"{runtime}_share_of_floor"] = floor_s / seconds[runtime]
    if "openvino_trunk" in seconds:
        figures["openvino_streamed_frames_per_s"] = 1 / seconds["openvino_trunk"]
    return {f"{net.family}.{name}": figure for name, figure in figures.items()}


def contestants(net: GaitNet, exported: Exported, frames: int, threads: int) -> dict[str, Work]:
    """What takes turns: large matrices, and one sequence in each runtime."""
    example = net.example(1, frames)
    flat = {FRAMES: net.flat_input(example).numpy()}
    works = {
        "matrix": multiply_matrices(),
        "torch": in_torch(net, example),
        "onnxruntime": in_onnxruntime(exported.window, flat, threads),
        "openvino": in_openvino(exported.window, flat, threads),
    }
    pair = net.streaming()
    if pair is not None and exported.trunk is not None:
        states = zip(pair.state_names(), (state.numpy() for state in pair.fresh(1)), strict=True)
        frame = {FRAMES: example[:, 0].numpy(), REAL: np.ones((1, 1), np.float32), **dict(states)}
        works["openvino_trunk"] = in_openvino(exported.trunk, frame, threads)
    return works


def multiply_matrices() -> Work:
    """The machine's rate, by the library that torch itself multiplies with."""
    left, right = torch.rand(MATRIX, MATRIX), torch.rand(MATRIX, MATRIX)
    into = torch.empty(MATRIX, MATRIX)
    return lambda: torch.matmul(left, right, out=into)


def matrix_gflop() -> float:
    """What one such product takes, a multiply-add counted as two."""
    return 2 * MATRIX**3 / 1e9


def in_torch(net: GaitNet, example: torch.Tensor) -> Work:
    """Eager, as trained."""

    def work() -> torch.Tensor:
        with torch.inference_mode():
            return net.vector(net(example))

    return work


def in_onnxruntime(path: Path, arrays: Arrays, threads: int) -> Work:
    """The exported graph on the processor."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, dict(arrays))


def in_openvino(path: Path, arrays: Arrays, threads: int) -> Work:
    """The exported graph on the processor, its shapes fixed."""
    model = core().read_model(path)
    model.reshape({name: list(array.shape) for name, array in arrays.items()})
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    request = core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer(dict(arrays), share_inputs=True)


def medians(works: Mapping[str, Work], turns: int) -> dict[str, float]:
    """Seconds each work takes, the median over turns; the first, untimed round warms up and sets repeats."""
    repeats = {}
    for name, work in works.items():
        work()
        repeats[name] = max(1, round(SHORTEST_S / max(timed(work, 1), 1e-6)))
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(max(turns, 1)):
        for name, work in works.items():
            seconds[name].append(timed(work, repeats[name]))
    return {name: float(np.median(found)) for name, found in seconds.items()}


def timed(work: Work, repeats: int) -> float:
    """Mean seconds of one call."""
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - started) / repeats
