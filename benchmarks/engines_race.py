"""The contestants of ``bench engines``: the half that needs torch."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.models_race import matrix_gflop, multiply_matrices
from benchmarks.report import Figure
from commands.cli import progress
from engines.export import FRAMES, VECTOR, export_onnx
from engines.parity import relative_error
from engines.runtimes.net import Net, NetOptions
from engines.runtimes.onnxruntime_runtime import OnnxRuntimeNet
from engines.runtimes.openvino_runtime import OpenVinoNet
from gait.models import registry
from gait.models.checkpoints import load
from gait.models.describe import describe
from gait.models.family import GaitNet

Vectors = NDArray[np.float32]
Work = Callable[[], Vectors]

WINDOW: Final = 30
GPU_TYPES: Final = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def race(
    arguments: argparse.Namespace, batches: Sequence[int], threads: int
) -> tuple[dict[str, Figure], dict[str, float]]:
    """Figures for every contestant and batch, and what the goals ask for."""
    torch.manual_seed(0)
    if arguments.weights is not None:
        net: GaitNet = load(arguments.weights).eval()
    else:
        net = registry.build(arguments.family, arguments.size).eval()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    figures: dict[str, Figure] = {
        "family": net.family,
        "size": "as weights" if arguments.weights else arguments.size,
        "gflops_per_sequence": describe(net, WINDOW).gflops,
        "threads": threads,
    }
    ratios: list[float] = []
    try:
        with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
            window = export_onnx(net, Path(folder) / "net", frames=WINDOW).window
            for batch in batches:
                found, ratio = _one_batch(net, window, batch, threads, arguments.turns)
                figures |= found
                ratios.append(ratio)
    finally:
        torch.set_num_threads(before)
    return figures, {"openvino_over_torch": min(ratios)}


def _one_batch(
    net: GaitNet, window: Path, batch: int, threads: int, turns: int
) -> tuple[dict[str, Figure], float]:
    """One batch's figures, and OpenVINO's rate over torch's, both in f32."""
    example = net.example(batch, WINDOW)
    works = contestants(net, window, example, threads)
    seconds, answers = timed(works, turns)
    rate = matrix_gflop() / seconds["matrix"]
    work = describe(net, WINDOW).gflops * batch
    figures: dict[str, Figure] = {}
    for name in works:
        key = f"batch_{batch}.{name}"
        figures[f"{key}.sequences_per_s"] = batch / seconds[name]
        figures[f"{key}.share_of_matrix_rate"] = work / seconds[name] / rate
        figures[f"{key}.relative_error"] = relative_error(answers[name], answers["torch_f32"])
    best = min(works, key=lambda name: seconds[name])
    figures[f"batch_{batch}.best"] = best
    figures[f"batch_{batch}.best_over_torch_f32"] = seconds["torch_f32"] / seconds[best]
    return figures, seconds["torch_f32"] / seconds["openvino_f32"]


def contestants(net: GaitNet, window: Path, example: torch.Tensor, threads: int) -> dict[str, Work]:
    """Every way to run the net here."""
    flat = {FRAMES: net.flat_input(example).numpy()}
    options = NetOptions(threads=threads, batch=0)
    works = {
        "torch_f32": _eager(net, example),
        "openvino_f32": _compiled(OpenVinoNet(window, options), flat),
        "openvino_bf16": _compiled(OpenVinoNet(window, NetOptions("bf16", threads, batch=0)), flat),
        "onnxruntime_f32": _compiled(OnnxRuntimeNet(window, options), flat),
    }
    if torch.cuda.is_available():
        works |= on_gpu(net, example)
    return works


def _eager(net: GaitNet, example: torch.Tensor) -> Work:
    def work() -> Vectors:
        with torch.inference_mode():
            return np.asarray(net.vector(net(example)).numpy())

    return work


def _compiled(net: Net, arrays: Mapping[str, Vectors]) -> Work:
    return lambda: np.asarray(net.run(arrays)[VECTOR])


def on_gpu(net: GaitNet, example: torch.Tensor) -> dict[str, Work]:
    """torch on the GPU: eager, compiled and as CUDA graphs, in each precision."""
    works: dict[str, Work] = {}
    for name, kind in GPU_TYPES.items():
        flat = net.flat(WINDOW).eval().to("cuda", kind)
        frames = net.flat_input(example).to("cuda", kind)
        for speed, mode in (("eager", None), ("compiled", "default"), ("graphs", "reduce-overhead")):
            module = flat if mode is None else torch.compile(flat, mode=mode)
            works[f"cuda_{speed}_{name}"] = _cuda(module, frames)
    return works


def _cuda(module: Callable[[torch.Tensor], torch.Tensor], frames: torch.Tensor) -> Work:
    def work() -> Vectors:
        with torch.inference_mode():
            answer = module(frames)
        torch.cuda.synchronize()
        return np.asarray(answer.float().cpu().numpy())

    return work


def timed(works: Mapping[str, Work], turns: int) -> tuple[dict[str, float], dict[str, Vectors]]:
    """Median seconds of one run of each, in turns, large matrices among them; and what each answered."""
    multiply = multiply_matrices()
    multiply()
    answers = {name: work() for name, work in works.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ("matrix", *works)}
    with progress("racing", turns) as bar:
        for _ in range(turns):
            for name, work in {"matrix": multiply, **works}.items():
                began = time.perf_counter()
                work()
                seconds[name].append(time.perf_counter() - began)
            bar.advance()
    return {name: float(np.median(found)) for name, found in seconds.items()}, answers
