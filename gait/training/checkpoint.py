"""Checkpoints of a run: whole or absent, whenever the process dies.

    checkpoints/step-00001000/state.safetensors    every tensor
    checkpoints/step-00001000/state.json           everything else, and the tensors' digest

A checkpoint is written beside its place, forced to the disk and renamed. One that goes is renamed first.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from stream.errors import FOREIGN, WeightsError

TENSORS: Final = "state.safetensors"
FACTS: Final = "state.json"
_NAME: Final = re.compile(r"step-(\d{8,})")
_WRITING: Final = "writing-"
_LEAVING: Final = "leaving-"


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of a run's state that is no tensor, after ``step`` steps.

    ``config`` and ``data`` (a digest) say of which run; ``seed`` and ``step`` are the sampler's position.
    ``optimizer``: its groups; ``scaler``: of fp16; ``python``, ``numpy``: those generators' states;
    ``best``, ``best_step``, ``waited``: of the validations; ``score``: the last one's, null before the first.
    """

    step: int
    seed: int
    config: dict[str, Any]
    data: str
    processes: int
    optimizer: list[dict[str, Any]]
    scaler: dict[str, int | float]
    python: list[Any]
    numpy: dict[str, Any]
    best: float | None = None
    best_step: int = -1
    waited: int = 0
    score: float | None = None
    sha256: str = ""
    format: Literal["gaitway-training"] = "gaitway-training"
    version: Literal[1] = 1


class Checkpoints:
    """The checkpoints in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def steps(self) -> tuple[int, ...]:
        """After which steps there is one, in order."""
        if not self.folder.is_dir():
            return ()
        found = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return tuple(sorted(int(match[1]) for match in found if match))

    def path(self, step: int) -> Path:
        """Where the one after ``step`` is kept."""
        return self.folder / f"step-{step:08d}"

    def write(self, facts: Facts, tensors: Mapping[str, Tensor]) -> None:
        """Keep one more, or none of it; raises WeightsError where the disk refuses."""
        final = self.path(facts.step)
        draft = self.folder / f"{_WRITING}{final.name}"
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
                draft / TENSORS,
            )
            whole = msgspec.structs.replace(facts, sha256=_digest(draft / TENSORS))
            (draft / FACTS).write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1))
            for path in (draft / TENSORS, draft / FACTS, draft):
                _to_disk(path)
            self._drop(final)
            draft.rename(final)
            _to_disk(self.folder)
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"cannot write the checkpoint ({error})", where=str(final)) from error

    def read(self, step: int) -> tuple[Facts, dict[str, Tensor]]:
        """The one after ``step``; raises WeightsError where it is damaged or not ours."""
        folder = self.path(step)
        try:
            facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=Facts)
            if _digest(folder / TENSORS) != facts.sha256:
                raise WeightsError(
                    "the checkpoint's tensors are not those it was written with",
                    where=str(folder / TENSORS),
                    fix="Remove this checkpoint and resume from the one before",
                )
            return facts, load_file(folder / TENSORS)
        except (OSError, SafetensorError, *FOREIGN) as error:
            raise WeightsError(
                f"cannot read the checkpoint ({error})",
                where=str(folder),
                fix="Remove this checkpoint and resume from the one before",
            ) from error

    def keep(self, wanted: set[int], every: int) -> None:
        """Drop all but these and each ``every``-th step's (0: none), and what a killed process left."""
        for step in self.steps():
            if step not in wanted and not (every and step % every == 0):
                self._drop(self.path(step))
        for path in self.folder.glob(f"{_LEAVING}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _drop(self, path: Path) -> None:
        if path.exists():
            leaving = path.with_name(f"{_LEAVING}{path.name}")
            shutil.rmtree(leaving, ignore_errors=True)
            path.rename(leaving)
            shutil.rmtree(leaving, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
