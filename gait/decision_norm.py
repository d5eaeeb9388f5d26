"""Scores told against a cohort of strangers: how unusual a likeness is for this probe and this template.

Adaptive symmetric normalisation (Matejka et al. 2017, "Analysis of score normalization in multilingual
speaker recognition", section 2): a score is told in standard deviations above what the probe's, and what the
template's, nearest strangers of the cohort reach, and both are averaged. A person who looks like many then
needs a higher score than one who looks like few.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.errors import FOREIGN_ARRAYS, ConfigError

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
BUILT_IN: Final = Path(__file__).parent / "cohorts"
NEAREST: Final = 100
"""Strangers that a score is told against, or half the cohort where that is fewer."""
MIN_COHORT: Final = 20
MIN_SPREAD: Final = 1e-3
"""A cohort that is all alike from here would make any score infinitely unusual."""


@dataclass(frozen=True)
class Usual:
    """What vectors (n, D) reach with their nearest strangers: mean and standard deviation (n,)."""

    mean: Floats
    spread: Floats


@dataclass(frozen=True)
class Cohort:
    """Unit vectors (C, D) of strangers, one each, made by ``model``."""

    model: str
    vectors: Vectors

    def __post_init__(self) -> None:
        good = self.vectors.ndim == 2 and len(self.vectors) >= MIN_COHORT
        if not good or not np.allclose(np.linalg.norm(self.vectors, axis=1), 1.0, atol=1e-2):
            what = f"a cohort of shape {self.vectors.shape}"
            raise ConfigError(what, wanted=f"unit vectors of at least {MIN_COHORT} strangers")

    def usual(self, vectors: Vectors) -> Usual:
        """What ``vectors`` (n, D) reach with the strangers nearest to them."""
        if not len(vectors):
            return Usual(np.zeros(0), np.ones(0))
        nearest = min(NEAREST, len(self.vectors) // 2)
        scores = (vectors @ self.vectors.T).astype(np.float64)
        top = np.partition(scores, -nearest, axis=1)[:, -nearest:]
        return Usual(top.mean(axis=1), np.maximum(top.std(axis=1), MIN_SPREAD))


def normalised(scores: NDArray[np.floating], probes: Usual, templates: Usual) -> Floats:
    """Scores (Q, T) told against what is usual for each probe (Q,) and each template (T,)."""
    by_probe = (scores - probes.mean[:, None]) / probes.spread[:, None]
    by_template = (scores - templates.mean[None]) / templates.spread[None]
    both: Floats = (by_probe + by_template) / 2
    return both


def save_cohort(cohort: Cohort, path: Path) -> None:
    """Write a cohort; half precision is finer than any embedder is steady."""
    np.savez_compressed(path, model=np.array(cohort.model), vectors=cohort.vectors.astype(np.float16))


def load_cohort(path: Path, model: str) -> Cohort:
    """The cohort in a file; raises ConfigError where there is none or it is of another model."""
    where = f"cohort {path}"
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            made_by, vectors = str(file["model"]), file["vectors"].astype(np.float32)
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror or error})", where=where) from error
    except FOREIGN_ARRAYS as error:
        raise ConfigError(f"is none ({error})", where=where, wanted="model and vectors") from error
    if made_by != model:
        raise ConfigError(f"is of model {made_by[:12]}", where=where, wanted=f"model {model[:12]}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if vectors.ndim == 2 else 1.0
    return Cohort(made_by, vectors / np.maximum(lengths, 1e-9))


def built_in_cohort(model_name: str, model: str) -> Cohort | None:
    """The committed cohort of a model that ships with Gaitway; None where there is none."""
    path = BUILT_IN / f"{model_name}.npz"
    return load_cohort(path, model) if path.is_file() else None
