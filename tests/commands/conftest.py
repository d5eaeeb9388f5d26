"""A pipeline small enough to run in a test: one or two walkers, a small picture, a few seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gait.walkers.clip import write_clip
from gait.walkers.scenes import street_scene

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of one walker, 640x360."""
    clip = tmp_path_factory.mktemp("clips") / "walk.mp4"
    write_clip(street_scene(5, 1, 4.0, size=(640, 360)), clip)
    return clip


@pytest.fixture
def gaitway(tmp_path: Path) -> Run:
    """Run ``run_pipeline.py`` as a user does, in an empty folder; a run's endpoints lie in that folder."""
    quiet = ("--set", f"events.endpoint=ipc://{tmp_path}/events.sock", "--set", "events.repair=")

    def call(
        *words: str | Path, timeout_s: float = 90, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        ours = ("run", *quiet, *words[1:]) if words[:1] == ("run",) else words
        return subprocess.run(
            [sys.executable, str(ROOT / "run_pipeline.py"), *map(str, ours)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return call
