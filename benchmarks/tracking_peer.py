"""The peer: the package ``trackers`` 2.6.1, its ByteTrack and its evaluator, in an environment of its own.

Its import name is our folder's, so it never runs in our process: a virtual environment in the cache folder is
made when it is first needed, and sequences go to and fro as MOTChallenge files.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from engines.weights import cache_folder
from stream.errors import ResourceError
from stream.messages import People
from trackers.mot import MotRow, write_mot

PACKAGE: Final = "trackers==2.6.1"
WORKER: Final = Path(__file__).with_name("tracking_peer_worker.py").resolve()
DETECTIONS, TIMES, TRUTH, OURS, PEERS = (
    "detections.txt",
    "times.txt",
    "truth.txt",
    "ours.txt",
    "bytetrack.txt",
)


class Scores(msgspec.Struct, frozen=True):
    """What the package's evaluator says, in percent, averaged over sequences; switches are summed."""

    hota: float = msgspec.field(name="HOTA")
    idf1: float = msgspec.field(name="IDF1")
    mota: float = msgspec.field(name="MOTA")
    switches: float = msgspec.field(name="IDSW")


def peer_python() -> Path:
    """The interpreter of the peer's environment, made on demand; raises ResourceError where it cannot be."""
    folder = cache_folder() / "peers" / PACKAGE.replace("==", "-")
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    ready = folder / "ready"
    if not ready.is_file():
        _command([sys.executable, "-m", "venv", "--clear", str(folder)])
        _command([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE])
        ready.touch()
    return python


def write_sequence(folder: Path, people: Sequence[People], truth: Sequence[MotRow]) -> None:
    """A sequence as the peer reads it: detections with scores, capture times, truth of class 1."""
    folder.mkdir(parents=True, exist_ok=True)
    found = (
        MotRow(number, -1, person.box, person.score)
        for number, frame in enumerate(people, 1)
        for person in frame.people
    )
    write_mot(folder / DETECTIONS, found)
    write_mot(folder / TRUTH, truth)
    times = "".join(f"{frame.frame.captured_ns}\n" for frame in people)
    (folder / TIMES).write_text(times, encoding="ascii")


def track_with_peer(folders: Sequence[Path]) -> None:
    """Run ByteTrack with time stamps over the sequences."""
    _command([str(peer_python()), "-I", str(WORKER), "track", *map(str, folders)])


def scores(result: str, folders: Sequence[Path]) -> Scores:
    """Score the file ``result`` of each sequence."""
    answer = _command([str(peer_python()), "-I", str(WORKER), "score", result, *map(str, folders)])
    return msgspec.json.decode(answer, type=Scores)


def _command(arguments: list[str]) -> bytes:
    done = subprocess.run(arguments, capture_output=True, check=False, cwd=Path.home())
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise ResourceError(
            f"the peer's environment failed: {last[0][:200]}",
            where=" ".join(arguments[:3]),
            wanted=f"the package {PACKAGE}",
            fix="Check that the package index can be reached and the cache folder has 500 MB",
        )
    return done.stdout
