"""Hours in one go: four cameras, one switched off and on all the time; does anything grow?

The cameras show walkers rendered beforehand (``soak_cameras.py``): every ``--switch`` seconds another one is
paused and later resumed, so that runs, tracks, rings and connections come and go.
Measured from a third of the time on (the warm-up): resident memory of every process, less what they share,
and open descriptors; the slope is a least-squares line over all samples. ``--seconds 3600`` at length.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.processes import handles, leftovers, resident_bytes, running_stages
from benchmarks.report import BenchResult, Figure
from benchmarks.soak_cameras import cameras, rendered
from commands.cli import ROOT, progress
from stream.control import ask
from stream.errors import GaitwayError, StageDiedError
from stream.messages import ControlRequest
from stream.ringfile import shared_memory_folder

CAMERAS: Final = ("c1", "c2", "c3", "c4")
_START_S: Final = 300.0
_SAMPLE_S: Final = 1.0
_MB: Final = 1e6


def configure(parser: argparse.ArgumentParser) -> None:
    """How long."""
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60; 3600 at length)")
    parser.add_argument(
        "--switch", type=float, default=10.0, help="seconds between two switches (default 10)"
    )


@dataclass(frozen=True)
class Sample:
    """One look at all processes of the pipeline."""

    at_s: float
    by_process: dict[str, int]
    handles: int

    @property
    def resident(self) -> int:
        """Of all processes, in bytes."""
        return sum(self.by_process.values())


def run(arguments: argparse.Namespace) -> BenchResult:
    """Run, switch, sample, fit."""
    clips = [rendered(seed) for seed in range(len(CAMERAS))]
    with tempfile.TemporaryDirectory(prefix="gaitway-") as name, cameras(clips) as addresses:
        folder = Path(name)
        pipeline = f"soak-{os.getpid()}"
        process = _start(folder, pipeline, addresses)
        try:
            samples, switches = _watch(process, folder, pipeline, arguments)
            process.send_signal(signal.SIGINT)
            status = process.wait(120)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        left = leftovers(pipeline, folder, shared_memory_folder())
    warm = [sample for sample in samples if sample.at_s >= samples[-1].at_s / 3]
    slope = _slope_per_hour(warm, [sample.resident / _MB for sample in warm])
    figures: dict[str, Figure] = {
        "seconds": round(samples[-1].at_s, 1),
        "samples": len(samples),
        "switches": switches,
        "resident_mb_first": warm[0].resident / _MB,
        "resident_mb_last": warm[-1].resident / _MB,
        "handles_first": warm[0].handles,
        "handles_last": warm[-1].handles,
        **{f"grown_mb_{name}": grown for name, grown in _grown(warm).items()},
        "exit_status": status,
        "left_behind": " ".join(left) or "nothing",
    }
    values = {
        "resident_mb_per_hour": slope,
        "handles_grown": float(min(s.handles for s in warm[-10:]) - min(s.handles for s in warm[:10])),
        "left_behind": float(len(left)),
    }
    return BenchResult.of("soak", figures, values)


def _start(folder: Path, pipeline: str, addresses: list[str]) -> subprocess.Popen[bytes]:
    pairs = zip(CAMERAS, addresses, strict=True)
    sources = [word for name, address in pairs for word in ("--source", f"{name}={address}")]
    settings = [
        f"events.endpoint=ipc://{folder}/events",
        f"events.repair=ipc://{folder}/repair",
        f"gallery.path={folder}/gallery.sqlite",
        f"stream.runtime_folder={folder}",
    ]
    return subprocess.Popen(
        [
            *(sys.executable, str(ROOT / "run_pipeline.py"), "run", *sources),
            *("--out", str(folder / "out"), "--id", pipeline),
            *(word for setting in settings for word in ("--set", setting)),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _watch(
    process: subprocess.Popen[bytes], folder: Path, pipeline: str, arguments: argparse.Namespace
) -> tuple[list[Sample], int]:
    endpoint = f"ipc://{folder}/gaitway-{os.getuid()}/{pipeline}/supervisor.sock"
    _await_frames(endpoint, process)
    samples: list[Sample] = []
    began_s, switched_s, switches, paused = time.monotonic(), time.monotonic(), 0, ""
    with progress("soaking", round(arguments.seconds)) as bar:
        while (now_s := time.monotonic()) - began_s < arguments.seconds:
            if process.poll() is not None:
                raise StageDiedError(f"the pipeline ended with status {process.returncode}")
            if now_s - switched_s >= arguments.switch:
                switched_s, switches = now_s, switches + 1
                if paused:
                    ask(endpoint, ControlRequest("resume", {"camera": paused}))
                paused = CAMERAS[switches % len(CAMERAS)]
                ask(endpoint, ControlRequest("pause", {"camera": paused}))
            pids = {"supervisor": process.pid, **running_stages(process.pid)}
            resident = {name: resident_bytes(pid) for name, pid in pids.items()}
            samples.append(Sample(now_s - began_s, resident, sum(map(handles, pids.values()))))
            bar.set(round(now_s - began_s))
            time.sleep(_SAMPLE_S)
    return samples, switches


def _await_frames(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until every camera's frames have come through."""
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s and process.poll() is None:
        with contextlib.suppress(GaitwayError):
            cameras = ask(endpoint, ControlRequest("list")).result["cameras"]
            if all(camera["processed"] > 0 for camera in cameras):
                return
        time.sleep(0.5)
    raise StageDiedError("the pipeline showed no frames")


def _grown(samples: list[Sample]) -> dict[str, float]:
    """By process: from the median of the first tenth of the samples to that of the last, in MB."""
    part = max(1, len(samples) // 10)
    return {
        name: round(
            float(
                np.median([sample.by_process.get(name, 0) for sample in samples[-part:]])
                - np.median([sample.by_process.get(name, 0) for sample in samples[:part]])
            )
            / _MB,
            2,
        )
        for name in samples[0].by_process
    }


def _slope_per_hour(samples: list[Sample], values: list[float]) -> float:
    return float(np.polyfit([sample.at_s for sample in samples], values, 1)[0]) * 3600
