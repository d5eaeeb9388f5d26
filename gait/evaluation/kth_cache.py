"""What perception saw of a clip, kept beside the other caches, so that nets are compared in seconds."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from gait.evaluation.kth import Clip, Pass
from gait.inputs import Walk
from stream.errors import ResourceError

VERSION: Final = 1


class PassCache:
    """Passes by clip and by what perceived them: ``perceived_by`` changes with nets and settings."""

    def __init__(self, folder: Path, perceived_by: str) -> None:
        self.folder, self.perceived_by = folder, perceived_by

    def passes(self, clip: Clip, perceive: Callable[[Clip], Sequence[Pass]]) -> list[Pass]:
        """From the cache where it is there and whole, else perceived and stored."""
        path = self._path(clip)
        try:
            return _read(path, clip)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            found = list(perceive(clip))
        _write(path, found)
        return found

    def _path(self, clip: Clip) -> Path:
        digest = hashlib.sha256(f"{VERSION} {self.perceived_by} ".encode())
        try:
            digest.update(clip.path.read_bytes())
        except OSError as error:
            raise ResourceError(f"cannot be read ({error.strerror})", where=str(clip.path)) from error
        return self.folder / f"{clip.path.stem}-{digest.hexdigest()[:16]}.npz"


def _write(path: Path, passes: Sequence[Pass]) -> None:
    """Whole or not at all."""
    arrays = {"frames": np.array([(one.number, one.first, one.last) for one in passes])}
    for one in passes:
        if one.walk is not None:
            arrays[f"silhouettes_{one.number}"] = one.walk.silhouettes
            arrays[f"joints_2d_{one.number}"] = one.walk.joints_2d
            if one.walk.joints_3d is not None:
                arrays[f"joints_3d_{one.number}"] = one.walk.joints_3d
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy's stubs miss **arrays
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ResourceError(
            f"cannot keep what was perceived ({error.strerror})",
            where=str(path),
            fix="Name another folder with GAITWAY_CACHE",
        ) from error


def _read(path: Path, clip: Clip) -> list[Pass]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        found = []
        for number, first, last in arrays["frames"].tolist():
            walk = None
            if f"silhouettes_{number}" in arrays:
                space = f"joints_3d_{number}"
                walk = Walk(
                    arrays[f"silhouettes_{number}"],
                    arrays[f"joints_2d_{number}"],
                    arrays.get(space, None),
                )
            found.append(Pass(clip.person, clip.scene, number, first, last, walk))
        return found
