"""What a run hands over: the net, and a report that says how it came about and how it was chosen."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any

import msgspec
import torch

from stream.errors import FOREIGN

MIB = 1024 * 1024


class TrainingReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The run, for people and for `train --json`.

    ``chosen`` says in words which model is handed over and by what it was chosen; ``score`` is rank-1 among
    the held-out people where there were any. No test person was looked at.
    """

    weights: str
    digest: str
    family: str
    size: str
    parameters: int
    chosen: str
    step: int
    steps: int
    ended_early: bool
    score: float | None
    loss: float
    training_people: int
    training_sequences: int
    validation_people: list[str]
    precision: str
    device: str
    processes: int
    peak_memory_mib: float
    seconds: float
    left_out: list[str]
    config: dict[str, Any]


def peak_memory_mib(device: torch.device) -> float:
    """The most that was held at once: of the GPU's memory there, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / MIB if sys.platform == "darwin" else most / 1024


def write_report(report: TrainingReport, path: Path) -> None:
    """All of it or none."""
    draft = path.with_name(path.name + ".part")
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_report(path: Path) -> TrainingReport | None:
    """What an earlier run wrote, or None where it had not finished."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=TrainingReport)
    except (OSError, *FOREIGN):
        return None
