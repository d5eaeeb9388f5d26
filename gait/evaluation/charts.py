"""Curves and matrices as numbers for a page's SVG: nothing is fetched, nothing is scripted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gait.evaluation.result import Group, Line, Matrix

WIDTH: Final = 300
HEIGHT: Final = 240
LEFT: Final = 44
BOTTOM: Final = 38
TOP: Final = 8
RIGHT: Final = 20
LEAST: Final = 1e-5
# Told apart on light and dark paper and by most colour-blind readers; groups beyond repeat with dashes.
COLOURS: Final = ("#3b7dd8", "#d9722e", "#2f9e62", "#b04fb8", "#c9a227", "#6b7785")


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, in picture units."""

    at: float
    text: str


@dataclass(frozen=True)
class Drawn:
    """A line of the chart: SVG points."""

    name: str
    points: str
    colour: str
    dashed: bool


@dataclass(frozen=True)
class Chart:
    """A chart; all places in picture units."""

    title: str
    x_name: str
    y_name: str
    lines: tuple[Drawn, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Axis:
    """From a value to a share of the axis, with the values worth a mark."""

    share: Callable[[float], float]
    marks: tuple[float, ...]


def charts(groups: Sequence[Group]) -> tuple[Chart, ...]:
    """CMC, ROC and DET of all groups."""
    ranks = max((int(group.curves.cmc.x[-1]) for group in groups if group.curves.cmc.x), default=20)
    shown = min(20, ranks)
    return (
        _chart("Identification (CMC)", "rank", "found", groups, lambda g: _until(g.curves.cmc, shown),
               Axis(lambda v: (v - 1) / max(1, shown - 1), (1, *range(5, shown + 1, 5))), _linear()),
        _chart("Verification (ROC)", "false accepts", "true accepts", groups, lambda g: g.curves.roc,
               _logarithmic([x for g in groups for x in g.curves.roc.x]), _linear()),
        _chart("Open set (DET)", "false alarms (FPIR)", "misses (FNIR)", groups, lambda g: g.curves.det,
               _logarithmic([x for g in groups for x in g.curves.det.x]),
               _logarithmic([y for g in groups for y in g.curves.det.y])),
    )  # fmt: skip


def shade(value: float | None, low: float) -> str:
    """The background of a matrix cell: the fuller the higher, between ``low`` and 1."""
    if value is None:
        return "transparent"
    share = 0.0 if low >= 1 else max(0.0, (value - low) / (1 - low))
    return f"rgba(59, 125, 216, {0.08 + 0.72 * share:.2f})"


def least(matrices: Sequence[Matrix]) -> float:
    """Where the matrices' common colour scale begins."""
    values = [value for matrix in matrices for row in matrix.values for value in row if value is not None]
    return math.floor(min(values, default=0.0) * 10) / 10


def _until(line: Line, last: int) -> Line:
    return Line(line.x[:last], line.y[:last])


def _linear() -> Axis:
    return Axis(lambda value: value, (0.0, 0.25, 0.5, 0.75, 1.0))


def _logarithmic(values: Sequence[float]) -> Axis:
    """From the decade of the least positive value to 1."""
    smallest = max(LEAST, min((value for value in values if value > 0), default=0.01))
    decades = max(1, math.ceil(-math.log10(smallest) - 1e-9))

    def share(value: float) -> float:
        return 1 + math.log10(max(value, 10.0**-decades)) / decades

    return Axis(share, tuple(10.0**-power for power in range(decades, -1, -1)))


def _chart(
    title: str,
    x_name: str,
    y_name: str,
    groups: Sequence[Group],
    of: Callable[[Group], Line],
    x_axis: Axis,
    y_axis: Axis,
) -> Chart:
    across, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(value: float) -> float:
        return round(LEFT + across * x_axis.share(value), 1)

    def y(value: float) -> float:
        return round(TOP + high * (1 - y_axis.share(value)), 1)

    lines = tuple(
        Drawn(
            group.name,
            " ".join(f"{x(a)},{y(b)}" for a, b in zip(of(group).x, of(group).y, strict=True)),
            COLOURS[index % len(COLOURS)],
            index >= len(COLOURS),
        )
        for index, group in enumerate(groups)
    )
    return Chart(
        title,
        x_name,
        y_name,
        lines,
        tuple(Tick(x(mark), _text(mark)) for mark in x_axis.marks),
        tuple(Tick(y(mark), _text(mark)) for mark in y_axis.marks),
    )


def _text(mark: float) -> str:
    """Ranks as they are, rates as per cent."""
    return f"{mark:.0f}" if mark > 1 or isinstance(mark, int) else f"{mark * 100:g} %"
