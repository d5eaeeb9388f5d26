"""A reliability diagram and a DET curve as pictures, drawn with what is here already."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from calibration.scores import Reliability
from stream.errors import ResourceError

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]
SIDE: Final = 560
MARGIN: Final = 80
INK: Final = (60, 60, 60)
PALE: Final = (215, 215, 215)
BLUE: Final = (216, 125, 59)
TENTHS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
DET_MARKS: Final = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8)


def reliability_diagram(curve: Reliability, title: str) -> Picture:
    """Told probability across, share that was so upwards; the diagonal is perfect, discs grow with counts."""
    picture = _canvas(title, "told probability", "share that was so", [(t, f"{t:g}") for t in TENTHS])
    cv2.line(picture, _at(0, 0), _at(1, 1), PALE, 2, cv2.LINE_AA)
    full = curve.counts > 0
    points = [_at(x, y) for x, y in zip(curve.told[full], curve.happened[full], strict=True)]
    for first, second in pairwise(points):
        cv2.line(picture, first, second, BLUE, 2, cv2.LINE_AA)
    for point, count in zip(points, curve.counts[full], strict=True):
        radius = 3 + round(12 * float(np.sqrt(count / curve.counts.max())))
        cv2.circle(picture, point, radius, BLUE, -1, cv2.LINE_AA)
    return picture


def det_curve(misses: Floats, alarms: Floats, title: str) -> Picture:
    """False alarms across, misses upwards, on axes that make two normal distributions a straight line."""
    picture = _canvas(title, "false alarms", "misses", [(_deviate(m), f"{100 * m:g}%") for m in DET_MARKS])
    inside = (misses > 0) & (alarms > 0) & (misses < 1) & (alarms < 1)
    points = [_at(_deviate(x), _deviate(y)) for x, y in zip(alarms[inside], misses[inside], strict=True)]
    for first, second in pairwise(points):
        cv2.line(picture, first, second, BLUE, 2, cv2.LINE_AA)
    return picture


def write_picture(picture: Picture, path: Path) -> None:
    """Write a PNG; raises ResourceError where it cannot be."""
    written, content = cv2.imencode(".png", picture)
    try:
        path.write_bytes(content.tobytes() if written else b"")
    except OSError as error:
        raise ResourceError(f"cannot be written ({error.strerror})", where=str(path)) from error


def _canvas(title: str, across: str, upwards: str, ticks: Sequence[tuple[float, str]]) -> Picture:
    """White paper with a frame, ``ticks`` (place in [0, 1], text) on both axes, and names."""
    picture = np.full((SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, 3), 255, np.uint8)
    for place, text in ticks:
        cv2.line(picture, _at(place, 0), _at(place, 1), PALE, 1)
        cv2.line(picture, _at(0, place), _at(1, place), PALE, 1)
        x, y = _at(place, 0)
        _write(picture, text, (x - 14, y + 22))
        x, y = _at(0, place)
        _write(picture, text, (x - 50, y + 5))
    cv2.rectangle(picture, _at(0, 0), _at(1, 1), INK, 1)
    _write(picture, title, (MARGIN, MARGIN // 2), 0.6)
    _write(picture, across, (MARGIN + SIDE // 2 - 60, MARGIN + SIDE + 55))
    _write(picture, upwards, (8, MARGIN - 14))
    return picture


def _write(picture: Picture, text: str, at: tuple[int, int], size: float = 0.45) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)


def _at(x: float, y: float) -> tuple[int, int]:
    """Where a point of the unit square lies in the picture."""
    return MARGIN + round(SIDE * x), MARGIN + round(SIDE * (1 - y))


def _deviate(rate: float) -> float:
    """A rate's place on a DET axis: its normal deviate, the axis' ends at 0.05 % and 95 %."""
    low, high = norm.ppf(0.0005), norm.ppf(0.95)
    return float(np.clip((norm.ppf(rate) - low) / (high - low), 0.0, 1.0))
