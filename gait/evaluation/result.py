"""What an evaluation found, as values that print as JSON."""

from __future__ import annotations

import msgspec

from gait.evaluation.bootstrap import Estimate

RANKS = (1, 5, 10, 20)
FARS = (0.1, 0.01, 0.001)
FPIRS = (0.001, 0.01, 0.1)


class Verification(msgspec.Struct, frozen=True):
    """Pairs of walks: of one person or not. ``tar`` by the FAR it is taken at."""

    genuine: int
    impostor: int
    accuracy: Estimate
    eer: Estimate
    auc: Estimate
    tar: dict[str, Estimate]


class OpenSetResult(msgspec.Struct, frozen=True):
    """Searches of a gallery that may lack the person. ``dir`` and ``fnir`` at rank 1, by FPIR.

    ``left_out``: every probe has a mate, so each was searched again with its identity taken out.
    """

    mated: int
    unmated: int
    left_out: bool
    dir: dict[str, Estimate]
    fnir: dict[str, Estimate]


class Matrix(msgspec.Struct, frozen=True):
    """Rank-1 per cell; null for a cell that is not tried."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


class Line(msgspec.Struct, frozen=True):
    """A curve to draw."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class Curves(msgspec.Struct, frozen=True):
    """CMC (rank, share), ROC (FAR, TAR) and DET (FPIR, FNIR)."""

    cmc: Line
    roc: Line
    det: Line


class Group(msgspec.Struct, frozen=True):
    """One condition of a protocol: ``rank`` by k, the mean over its trials; ``searches`` in all of them."""

    name: str
    people: int
    searches: int
    without_mate: int
    trials: int
    rank: dict[str, Estimate]
    mean_average_precision: Estimate
    mean_inverse_penalty: Estimate
    verification: Verification
    open_set: OpenSetResult
    matrix: Matrix | None
    curves: Curves


class Evaluation(msgspec.Struct, frozen=True):
    """A protocol run to its end. Shares are between 0 and 1."""

    protocol: str
    embedder: str
    metric: str
    control: str
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()
