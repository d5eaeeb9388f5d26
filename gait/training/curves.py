"""The run's curves as one picture: loss, its parts, the rate and the validations over the steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.training.log import Line, steps_of, validations_of
from stream.errors import ResourceError

Picture = NDArray[np.uint8]

WIDTH: Final = 900
HEIGHT: Final = 240
_MARGIN: Final = (70, 20, 34, 26)  # left, right, top, bottom: room for numbers and the title
_INK: Final = (60, 60, 60)
_FAINT: Final = (225, 225, 225)
_CURVE: Final = (176, 96, 24)  # blue green red, a blue that prints well
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Curve:
    """One panel; ``points`` (step, value) in order, values that are no numbers left out."""

    title: str
    points: tuple[tuple[int, float], ...]


def curves_of(lines: list[Line]) -> tuple[Curve, ...]:
    """The panels that a log fills."""
    steps = steps_of(lines)
    names = sorted({name for line in steps for name in line.parts})
    panels = [Curve("loss", tuple((line.step, line.loss) for line in steps))]
    panels += [
        Curve(n, tuple((line.step, line.parts[n]) for line in steps if n in line.parts)) for n in names
    ]
    panels.append(Curve("learning rate", tuple((line.step, line.rate) for line in steps)))
    rank = tuple((line.step, line.rank_1) for line in validations_of(lines))
    panels.append(Curve("rank-1 of held-out people", rank))
    return tuple(panel for panel in panels if panel.points)


def draw(curves: tuple[Curve, ...]) -> Picture:
    """The panels above each other, (H, W, 3) as cv2 has colours."""
    panels = [_panel(curve) for curve in curves] or [np.full((HEIGHT, WIDTH, 3), 255, np.uint8)]
    return np.concatenate(panels)


def write_picture(lines: list[Line], path: Path) -> None:
    """``path``, a PNG; raises ResourceError where it cannot be written."""
    encoded = cv2.imencode(".png", draw(curves_of(lines)))[1]
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise ResourceError(f"cannot write the curves ({error.strerror})", where=str(path)) from error


def _panel(curve: Curve) -> Picture:
    image: Picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    left, right, top, bottom = _MARGIN
    points = [(step, value) for step, value in curve.points if math.isfinite(value)]
    cv2.putText(image, curve.title, (left, 22), _FONT, 0.55, _INK, 1, cv2.LINE_AA)
    if not points:
        return image
    steps, values = np.array(points, np.float64).T
    low, high = float(values.min()), float(values.max())
    spread = high - low or abs(high) or 1.0
    low, high = low - 0.05 * spread, high + 0.05 * spread
    if values.min() >= 0:
        # A loss or a rate is never negative: neither is its axis.
        low = max(low, 0.0)
    x = left + (steps - steps[0]) / max(steps[-1] - steps[0], 1) * (WIDTH - left - right)
    y = top + (high - values) / (high - low) * (HEIGHT - top - bottom)
    for share in (0.0, 0.5, 1.0):
        row = round(top + share * (HEIGHT - top - bottom))
        cv2.line(image, (left, row), (WIDTH - right, row), _FAINT, 1)
        cv2.putText(
            image, f"{high - share * (high - low):.4g}", (4, row + 4), _FONT, 0.4, _INK, 1, cv2.LINE_AA
        )
    for step, column in ((steps[0], left), (steps[-1], WIDTH - right - 50)):
        cv2.putText(image, f"{int(step)}", (column, HEIGHT - 8), _FONT, 0.4, _INK, 1, cv2.LINE_AA)
    places = np.rint(np.stack([x, y], -1)).astype(np.int32)
    cv2.polylines(image, [places[:, None]], False, _CURVE, 1, cv2.LINE_AA)
    if len(places) == 1:
        cv2.circle(image, places[0].tolist(), 3, _CURVE, -1, cv2.LINE_AA)
    return image
