"""The processes of a pipeline as the system sees them, and what they left behind; Linux only."""

from __future__ import annotations

import contextlib
from pathlib import Path

STAGE_WORD = "stage"


def children(pid: int) -> list[int]:
    """The process's children."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def words_of(pid: int) -> list[str]:
    """The process's command line."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return []
    return text.split("\0")


def name_of(pid: int) -> str:
    """Which stage the process is, or nothing."""
    words = words_of(pid)
    return words[words.index(STAGE_WORD) + 1] if STAGE_WORD in words[:-1] else ""


def running_stages(pid: int) -> dict[str, int]:
    """The stages that a pipeline's supervisor has started, by name."""
    return {name: child for child in children(pid) if (name := name_of(child))}


def resident_bytes(pid: int) -> int:
    """The process's memory that is its own: resident, less what it shares (frames)."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * 4096


def handles(pid: int) -> int:
    """How many descriptors the process has open."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def leftovers(pipeline: str, folder: Path, memory: Path) -> list[str]:
    """Rings, sockets, checkpoints and processes of a pipeline that has ended."""
    slug = pipeline.replace("-", "_")
    rings = [path.name for path in memory.glob(f"gaitway-{slug}-*")]
    files = [path for path in folder.rglob("*") if path.is_socket() or path.suffix == ".checkpoint"]
    lines = {int(entry.name): words_of(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")}
    alive = [f"process {pid}" for pid, words in lines.items() if any(pipeline in word for word in words)]
    return rings + [str(path) for path in files] + alive
