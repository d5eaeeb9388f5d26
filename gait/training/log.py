"""The run's log: one JSON line for each step that is told, and for each validation. A resumed run cuts it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from stream.errors import FOREIGN, MessageError


class StepLine(msgspec.Struct, frozen=True, tag_field="kind", tag="step"):
    """One training step; the last three fields are of this machine and this moment."""

    step: int
    loss: float
    parts: dict[str, float]
    rate: float
    clips_per_s: float
    seconds_left: float
    peak_memory_mib: float

    @property
    def passing(self) -> bool:
        """Shown until the next one comes."""
        return True

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds_left), 60)
        hours, minutes = divmod(minutes, 60)
        return (
            f"step {self.step}  loss {self.loss:.4f}  rate {self.rate:.3g}  {self.clips_per_s:.1f} clips/s  "
            f"{hours}:{minutes:02d}:{seconds:02d} left  peak {self.peak_memory_mib:.0f} MiB"
        )


class ValidationLine(msgspec.Struct, frozen=True, tag_field="kind", tag="validation"):
    """One validation after ``step`` steps: rank-1 among the held-out people."""

    step: int
    rank_1: float
    best: bool

    @property
    def passing(self) -> bool:
        """Shown until the next one comes."""
        return False

    def __str__(self) -> str:
        best = ", the best so far" if self.best else ""
        return f"step {self.step}: rank-1 among held-out people {self.rank_1:.3f}{best}"


Line = StepLine | ValidationLine


class Log:
    """Lines appended to a file; forced to the disk when a checkpoint is about to count on them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, step: int) -> None:
        """Keep what was told up to ``step``; a line cut in two by a kill goes too."""
        kept = [line for line in read_log(self.path) if line.step <= step] if step else []
        draft = self.path.with_name(self.path.name + ".part")
        with draft.open("wb") as file:
            file.writelines(msgspec.json.encode(line) + b"\n" for line in kept)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)

    def add(self, line: Line) -> None:
        """One more line."""
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")

    def to_disk(self) -> None:
        """What was added so far outlives the machine."""
        with self.path.open("ab") as file:
            os.fsync(file.fileno())


def read_log(path: Path) -> list[Line]:
    """Every whole line; a last one without its end is left out. Raises MessageError for another file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    decoder = msgspec.json.Decoder(Line)
    try:
        return [decoder.decode(line) for line in whole.splitlines()]
    except FOREIGN as error:
        raise MessageError(f"not a training log ({error})", where=str(path)) from error


def steps_of(lines: Iterable[Line]) -> list[StepLine]:
    """The training steps among them."""
    return [line for line in lines if isinstance(line, StepLine)]


def validations_of(lines: Iterable[Line]) -> list[ValidationLine]:
    """The validations among them."""
    return [line for line in lines if isinstance(line, ValidationLine)]
