"""Every parser that meets bytes from outside is fed what is nearly right: no crash, no hang, no growth.

Each target (``fuzz_stream.py``, ``fuzz_files.py``) is fed mutations of good input (``fuzz_mutate.py``) in a
process of its own; it may refuse by one clear line and in no other way. ``--inputs 1000000`` at length,
``--target NAME`` for one alone, ``--seed`` for others than last time. Crashes are shown with their input.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.fuzz_worker import HANG_S, TARGETS, Crash, Found
from benchmarks.report import BenchResult, Figure
from commands.cli import ROOT, progress, say, whole
from stream.ringfile import shared_memory_folder

_WAIT_S: Final = 6 * 3600.0
SLOW: Final = {
    "gallery_file": 20,
    "gallery_request": 4,
    "onnx_graph": 4,
    "settings": 8,
    "tflite": 60,
    "recording": 2,
}
"""Targets of which an input costs much more than others: so many times fewer of them."""


def configure(parser: argparse.ArgumentParser) -> None:
    """How many, of what."""
    parser.add_argument("--inputs", type=whole(1), default=50_000, help="over all targets (default 50000)")
    parser.add_argument("--target", choices=sorted(TARGETS), metavar="NAME", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--seed", type=whole(0), default=1, help="other inputs (default 1)")


def run(arguments: argparse.Namespace) -> BenchResult:
    """Feed them all."""
    names = [arguments.target] if arguments.target else list(TARGETS)
    shares = {name: 1 / SLOW.get(name, 1) for name in names}
    found: dict[str, Found] = {}
    with progress("targets", len(names)) as bar:
        for name in names:
            count = max(1, round(arguments.inputs * shares[name] / sum(shares.values())))
            found[name] = _fuzz(name, count, arguments.seed)
            bar.set(len(found))
    crashes = {name: one.crashes for name, one in found.items() if one.crashes}
    for name, told in crashes.items():
        for crash in told:
            say(f"{name}: {crash.what} at {crash.where}; input {crash.input[:400]}")
    figures: dict[str, Figure] = {
        "inputs": sum(one.inputs for one in found.values()),
        "refused": sum(one.refused for one in found.values()),
        "seconds": round(sum(one.seconds for one in found.values()), 1),
        "targets": len(found),
        "slowest": max(found, key=lambda name: found[name].slowest_s),
        "grew_most": max(found, key=lambda name: found[name].blocks_grown),
        "crashed": " ".join(crashes) or "none",
    }
    values = {
        "crashes": float(sum(len(told) for told in crashes.values())),
        "slowest_s": max(one.slowest_s for one in found.values()),
        "blocks_grown": float(max(one.blocks_grown for one in found.values())),
        "mb_grown": max(one.mb_grown for one in found.values()),
    }
    return BenchResult.of("fuzz", figures, values)


def _fuzz(name: str, count: int, seed: int) -> Found:
    """One target; a process that dies is a crash too."""
    with tempfile.TemporaryDirectory(prefix="gaitway-fuzz-", dir=shared_memory_folder()) as folder:
        command = [sys.executable, "-m", "benchmarks.fuzz_worker", name, str(count), str(seed), folder]
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            timeout=_WAIT_S,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        if done.returncode == 0:
            return msgspec.json.decode(done.stdout, type=Found)
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [
            f"status {done.returncode}"
        ]
        last = Path(folder, "input")
        data = last.read_bytes() if last.exists() else bytes(4)
        size = int.from_bytes(data[:4], "little")
        crash = Crash(f"the process died: {words[0]}", f"status {done.returncode}", data[4 : 4 + size].hex())
        return Found(inputs=count, slowest_s=HANG_S, crashes=[crash])
