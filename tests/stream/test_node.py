"""The ten-line Node subscriber of the README runs against our socket."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stream.publishing import publishing

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "stream" / "examples" / "subscriber.mjs"
CACHE = ROOT / ".cache" / "node"
PACKAGE = "zeromq@6.8.0"  # carries its binaries: nothing is built, no script is run


@pytest.fixture(scope="module")
def node_folder() -> Path:
    """A folder in which Node finds the zeromq package; fetched once, kept between runs."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed: the Node subscriber is not tried")
    if not (CACHE / "node_modules" / "zeromq" / "package.json").is_file():
        command = [
            "npm",
            "install",
            "--prefix",
            str(CACHE),
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            PACKAGE,
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
        if done.returncode:
            pytest.skip(f"npm cannot fetch {PACKAGE}: {done.stderr.strip().splitlines()[-1:]}")
    return CACHE


def test_it_is_ten_lines() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip() and not line.startswith("//")]) <= 10


def test_it_prints_what_was_published(node_folder: Path, tmp_path: Path) -> None:
    script = shutil.copy(EXAMPLE, node_folder / "subscriber.mjs")  # Node looks for packages beside the script
    with publishing(tmp_path / "log") as made:
        command = ["node", script, made.endpoint]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                made.wait()
                made.publish(1)
                made.publish(2, camera="gate")
                assert process.stdout is not None
                lines = [process.stdout.readline() for _ in range(2)]
            finally:
                process.kill()
    assert lines == ["door update Ada Ünal\n", "gate update Ada Ünal\n"]
