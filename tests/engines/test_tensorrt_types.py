"""Every TensorRT call of ours is one that its published stubs know, with arguments of the types that they name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("engines/runtimes/tensorrt_build.py", "engines/runtimes/tensorrt_runtime.py")


def repaired(stubs: Path, target: Path) -> Path:
    """A copy of the stubs without the lines that are no Python: parameters called `in`, a default before none."""
    shutil.copytree(stubs, target)
    path = target / "tensorrt_bindings" / "tensorrt.pyi"
    text = re.sub(r"(def \w+\([^\n]*?)\bin: ", r"\1inputs: ", path.read_text(encoding="utf-8"))
    text = text.replace(
        "power: Weights = None, channel_axis: int)", "power: Weights = None, channel_axis: int = 0)"
    )
    path.write_text(text, encoding="utf-8")
    return target


@pytest.mark.slow
def test_mypy_finds_nothing_against_tensorrts_stubs(tmp_path: Path) -> None:
    folder = os.environ.get("GAITWAY_TENSORRT_STUBS")
    if not folder:
        pytest.skip("GAITWAY_TENSORRT_STUBS names no folder with tensorrt-stubs")
    stubs = repaired(Path(folder), tmp_path / "stubs")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path / "cache"),
        *FILES,
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(stubs)},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stdout.splitlines() if line.startswith("engines/")]
    assert ours == []
    assert "tensorrt_bindings" in done.stdout  # the stubs were read: they have faults of their own
