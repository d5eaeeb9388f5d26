"""1080p frames over one hop, every way in the same run, by turns: as fast as they go, and at 30 a second.

Ours is the real thing (``transport_ours.py``: supervisor, source and perceive; at 30 a second two stages
more; nothing to compute); beside it memcpy into shared memory, pyzmq over ipc with and without copies, over
tcp, and imagezmq over tcp, its default. A delay runs from the picture in the sender's memory to its pixels in
the receiver's hand. A token's delay is half of there and back, without pixels; beside it that of a bare
ZeroMQ socket. Framework processor time: of each of our processes at 30 frames a second, less the one copy,
which is measured beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.peers import peer_python
from benchmarks.report import BenchResult, Figure
from benchmarks.transport_ours import STAGES, WARM, Notes, ours
from commands.cli import ROOT, progress, whole
from stream.errors import StageDiedError

RATE: Final = 30.0
WAYS: Final = ("memcpy", "ours", "ipc", "ipc-copy", "tcp", "imagezmq")
IMAGEZMQ: Final = Path(__file__).with_name("transport_imagezmq.py").resolve()
PEER: Final = ("imagezmq==1.1.1", f"pyzmq=={version('pyzmq')}", f"numpy=={version('numpy')}")
TOKENS: Final = 5000
_WAIT_S: Final = 300.0
_PORT: Final = 17393
_GB: Final = 1080 * 1920 * 3 / 1e9


def configure(parser: argparse.ArgumentParser) -> None:
    """How long, and how often."""
    parser.add_argument("--seconds", type=float, default=10.0, help="at 30 a second, a way and turn (10)")
    parser.add_argument("--frames", type=whole(1), default=500, help="at full speed, a way and turn (500)")
    parser.add_argument("--turns", type=whole(1), default=3, help="how often all ways take their turn (3)")
    parser.add_argument("--without-peer", action="store_true", help="leave imagezmq out (no network needed)")


class Measured:
    """What one way has shown over all turns."""

    def __init__(self) -> None:
        self.fps: list[float] = []
        self.delays_ns: list[int] = []
        self.cpu_s: list[float] = []

    def percentile_ms(self, percent: float) -> float:
        """Of the delays at 30 a second."""
        return float(np.percentile(self.delays_ns, percent)) / 1e6


def run(arguments: argparse.Namespace) -> BenchResult:
    """Every way in turn, then the figures."""
    ways = [way for way in WAYS if way != "imagezmq" or not arguments.without_peer]
    found: defaultdict[str, Measured] = defaultdict(Measured)
    hops: defaultdict[str, list[int]] = defaultdict(list)
    cpu: defaultdict[str, list[float]] = defaultdict(list)
    paced = max(2 * WARM, round(arguments.seconds * RATE))
    with progress("ways", arguments.turns * len(ways)) as bar:
        for turn in range(arguments.turns):
            for place, way in enumerate(ways):
                if way == "ours":
                    _take_ours(found[way], ours(arguments.frames, 0, hops=1), ours(paced, RATE), cpu, hops)
                else:
                    _take(found[way], _measure(way, arguments.frames, 0), _measure(way, paced, RATE))
                bar.set(turn * len(ways) + place + 1)
            for way in ("tokens", "tokens-zmq"):
                hops[way] += _measure(way, TOKENS, 0)["delays_ns"]
    return _result(found, hops, cpu)


def _take(measured: Measured, fast: dict[str, Any], paced: dict[str, Any]) -> None:
    measured.fps.append(fast["fps"])
    measured.delays_ns += paced["delays_ns"]
    measured.cpu_s.append(paced.get("cpu_s", 0.0))


def _take_ours(
    measured: Measured,
    fast: dict[str, Notes],
    paced: dict[str, Notes],
    cpu: defaultdict[str, list[float]],
    hops: defaultdict[str, list[int]],
) -> None:
    had = sorted(fast["perceive"].had_ns.values())
    measured.fps.append((len(had) - 1) / ((had[-1] - had[0]) / 1e9))
    captured = paced["perceive"].captured_ns
    measured.delays_ns += [at - captured[number] for number, at in paced["perceive"].had_ns.items()]
    for name in STAGES:
        cpu[name].append(paced[name].cpu_s / (len(captured) - WARM))
    for name, before in zip(STAGES[1:3], STAGES, strict=False):
        sent = paced[before].sent_ns
        hops[f"at_30_into_{name}"] += [at - sent[number] for number, at in paced[name].had_ns.items()]


def _measure(way: str, frames: int, rate: float) -> dict[str, Any]:
    """One way, its two ends as processes."""
    with tempfile.TemporaryDirectory(prefix="gaitway-") as folder:
        if way == "imagezmq":
            python, endpoint = str(peer_python("imagezmq", PEER)), f"tcp://127.0.0.1:{_PORT}"
            command = [python, "-I", str(IMAGEZMQ)]
            ends = [[*command, "receive", endpoint.replace("127.0.0.1", "*")], [*command, "send", endpoint]]
        else:
            endpoint = f"tcp://127.0.0.1:{_PORT}" if way == "tcp" else f"ipc://{folder}/way"
            command = [sys.executable, "-m", "benchmarks.transport_ways"]
            ends = [[*command, what, way, endpoint] for what in ("receive", "send")]
        receiver, sender = ([*end, str(frames), str(rate)] for end in ends)
        return _both(receiver, None if way == "memcpy" else sender)


def _both(receiver: list[str], sender: list[str] | None) -> dict[str, Any]:
    with subprocess.Popen(receiver, cwd=ROOT, stdout=subprocess.PIPE) as taking:
        assert taking.stdout is not None
        sending = None
        try:
            if sender is not None and taking.stdout.readline() == b"ready\n":
                sending = subprocess.Popen(sender, cwd=ROOT)
            said, _ = taking.communicate(timeout=_WAIT_S)
            if taking.returncode or (sending is not None and sending.wait(_WAIT_S)):
                raise StageDiedError(f"a process of bench transport failed: {' '.join(receiver[1:5])}")
        finally:
            for process in (taking, sending):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()
    return dict(json.loads(said))


def _result(
    found: dict[str, Measured], hops: dict[str, list[int]], cpu: dict[str, list[float]]
) -> BenchResult:
    figures: dict[str, Figure] = {"frames_at_30": len(found["ours"].delays_ns)}
    for way, measured in found.items():
        name = way.replace("-", "_")
        fps = float(np.median(measured.fps))
        figures |= {f"{name}_fps": fps, f"{name}_gb_s": fps * _GB}
        figures |= {f"{name}_p{at}_ms": measured.percentile_ms(at) for at in (50, 99)}
    for way, delays in hops.items():
        name = way.replace("-", "_")
        figures |= {f"{name}_p{at}_us": float(np.percentile(delays, at)) / 1e3 for at in (50, 99)}
    copy_s = float(np.median(found["memcpy"].cpu_s))
    shares = {name: float(np.median(all_s)) * RATE for name, all_s in cpu.items()}
    shares["source"] -= copy_s * RATE
    figures |= {f"cpu_percent_{name}": 100 * share for name, share in shares.items()}
    figures["cpu_percent_copy"] = 100 * copy_s * RATE
    values = {
        "share_of_memcpy": _ratio(found, "fps"),
        "p99_over_ipc_no_copy": found["ours"].percentile_ms(99) / found["ipc"].percentile_ms(99),
        "token_p50_us": float(figures["tokens_p50_us"]),
        "token_p99_us": float(figures["tokens_p99_us"]),
        "cpu_percent_a_stage": 100 * max(shares.values()),
    }
    return BenchResult.of("transport", figures, values)


def _ratio(found: dict[str, Measured], of: str) -> float:
    """Ours over memcpy: the median over turns of the ratio within a turn."""
    pairs = zip(getattr(found["ours"], of), getattr(found["memcpy"], of), strict=True)
    return float(np.median([ours_fps / copy_fps for ours_fps, copy_fps in pairs]))
