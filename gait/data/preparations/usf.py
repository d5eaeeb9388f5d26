"""USF HumanID v1.7 silhouette half-cycles as published with MPCA (Lu et al., 2008): MATLAB tensors.

``Gal.mat``: fea3Dg (32, 22, 10, n) and gndg; ``PrbX.mat``: fea3D and gnd. A sample is ten frames, 32 x 22,
of one person; label 0 says that the probe's person is not in the gallery.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.io
from numpy.typing import NDArray

from gait.data.errors import DataError
from gait.data.opengait import as_silhouettes
from gait.data.records import Entry, Partition, Role
from gait.data.source import Found, Listing, Loaded, listing, make_walk, require_folder

FILE: Final = re.compile(r"(?:Gal|Prb(?P<probe>[A-Z]))\.mat")
FRAMES: Final = 10
NOT_ENROLLED: Final = "unknown"
# What SciPy raises over a file that is no MATLAB file, or half of one.
_DAMAGED: Final = (
    scipy.io.matlab.MatReadError,
    OSError,
    ValueError,
    TypeError,
    NotImplementedError,
    KeyError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True)
class Tensors:
    """A file's samples: ``frames`` (n, 10, 32, 22), 1 where the body is; ``labels`` (n,)."""

    frames: NDArray[Any]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class UsfHumanId:
    """Gal.mat and any of PrbA.mat to PrbG.mat; the condition is gallery or the probe's letter."""

    root: Path
    parallel: bool = False  # two files, read once

    def find(self) -> Listing:
        """One entry a sample."""
        found: list[Found] = []
        for path in sorted(require_folder(self.root).iterdir()):
            told = FILE.fullmatch(path.name)
            if told is None:
                continue
            condition = told["probe"] or "gallery"
            for number, label in enumerate(read_tensors(path).labels):
                person = f"{label:03}" if label else NOT_ENROLLED
                role: Role = "probe" if told["probe"] else "gallery"
                found.append(Found(Entry(person, condition, "", 0, f"{number:04}", role), (path,)))
        return listing(found, [], self.root, "Gal.mat, PrbA.mat and so on")

    def load(self, found: Found) -> Loaded:
        """Ten silhouettes of 32 x 22."""
        path = found.files[0]
        return Loaded(make_walk(as_silhouettes(read_tensors(path).frames[int(found.entry.name)], path)))

    def partition(self, people: frozenset[str]) -> Partition:
        """Everybody is in the test; training takes their gallery samples alone (role gallery)."""
        return Partition(test=tuple(sorted(people)))


@lru_cache(maxsize=8)
def read_tensors(path: Path) -> Tensors:
    """The tensor and its labels, of whatever names end in them; raises DataError naming the file."""
    wanted = "fea3D (32, 22, 10, n) and gnd (n), a MATLAB file of version 5"
    try:
        content = scipy.io.loadmat(str(path))
    except _DAMAGED as error:
        raise DataError(f"cannot be read ({error})", where=str(path), wanted=wanted) from error
    features = [v for k, v in content.items() if k.startswith("fea3D")]
    labels = [v for k, v in content.items() if k.startswith("gnd")]
    if len(features) != 1 or len(labels) != 1:
        raise DataError("holds other variables", where=str(path), wanted=wanted)
    tensor, known = np.asarray(features[0]), np.asarray(labels[0]).ravel().astype(np.int64)
    if tensor.ndim != 4 or tensor.shape[2] != FRAMES or tensor.shape[3] != len(known):
        raise DataError(f"a tensor {tensor.shape} with {len(known)} labels", where=str(path), wanted=wanted)
    frames = np.ascontiguousarray(tensor.transpose(3, 2, 0, 1))
    return Tensors(1 - frames if _is_inverted(frames) else frames, known)


def _is_inverted(frames: NDArray[Any]) -> bool:
    """Whether the ground is 1 and the body 0, as in the published files: the outer columns are ground."""
    return bool(np.mean(frames[..., [0, -1]] == 1) > 0.5)
