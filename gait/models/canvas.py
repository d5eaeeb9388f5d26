"""Drawing for the pictures of what a net looks at: skeletons, glow, text, PNG and GIF, all through OpenCV.

Pictures are drawn at twice their size and shrunk, so that lines are smooth; colours are BGR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.pose_features import places_and_confidence
from gait.pose_graph import PoseGraph
from stream.errors import MessageError, ResourceError

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # x, y, width, height in picture pixels

OVERSIZE: Final = 2
NIGHT: Final[Colour] = (30, 23, 20)
PANEL: Final[Colour] = (46, 36, 32)
FLESH: Final[Colour] = (84, 68, 60)
BONE: Final[Colour] = (130, 116, 108)
FAINT: Final[Colour] = (150, 138, 130)
BRIGHT: Final[Colour] = (240, 236, 232)
# The ends of the colour map are too dark on a dark ground and too pale beside white text.
_DARKEST, _PALEST = 60, 235
# Dithering would cover the even ground with noise and make the file five times as large.
_NO_DITHER: Final = 3
# How much of its box a figure fills.
FILLED: Final = 0.86
_STEPS: Final = np.arange(256, dtype=np.uint8).reshape(1, -1)
_HEAT: Final[NDArray[np.uint8]] = np.asarray(cv2.applyColorMap(_STEPS, cv2.COLORMAP_INFERNO), np.uint8)[0]


def heat_colour(value: float) -> Colour:
    """From violet (0) over orange to pale yellow (1)."""
    step = _DARKEST + min(max(value, 0.0), 1.0) * (_PALEST - _DARKEST)
    blue, green, red = (int(part) for part in _HEAT[round(step)])
    return blue, green, red


class Canvas:
    """A picture being drawn; all coordinates are those of the finished picture."""

    def __init__(self, width: int, height: int, ground: Colour = NIGHT) -> None:
        self.pixels: Image = np.full((height * OVERSIZE, width * OVERSIZE, 3), ground, np.uint8)

    def finished(self) -> Image:
        """The picture, (height, width, 3)."""
        height, width = self.pixels.shape[:2]
        size = (width // OVERSIZE, height // OVERSIZE)
        return np.asarray(cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

    def panel(self, box: Box, colour: Colour = PANEL) -> None:
        """A filled rectangle."""
        x, y, width, height = (part * OVERSIZE for part in box)
        self.pixels[y : y + height, x : x + width] = colour

    def shade(self, mask: NDArray[np.uint8], box: Box) -> None:
        """A silhouette, 255 where the body is, laid softly over a box that lies inside the picture."""
        x, y, width, height = (part * OVERSIZE for part in box)
        area = self.pixels[y : y + height, x : x + width]
        size = (area.shape[1], area.shape[0])
        share = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_CUBIC), np.float64)[..., None] / 255
        area[:] = (area + share * (np.asarray(FLESH, np.float64) - area)).astype(np.uint8)

    def line(self, start: Sequence[float], end: Sequence[float], colour: Colour, thickness: float) -> None:
        """A smooth line with round ends."""
        width = max(1, round(thickness * OVERSIZE))
        cv2.line(self.pixels, _at(start), _at(end), colour, width, cv2.LINE_AA)

    def disc(self, centre: Sequence[float], radius: float, colour: Colour) -> None:
        """A filled circle."""
        cv2.circle(self.pixels, _at(centre), max(1, round(radius * OVERSIZE)), colour, -1, cv2.LINE_AA)

    def glow(self, centre: Sequence[float], radius: float, colour: Colour, strength: float) -> None:
        """Light added around a point, fading to nothing at ``radius``."""
        reach = max(1, round(radius * OVERSIZE))
        x, y = _at(centre)
        height, width = self.pixels.shape[:2]
        left, right = max(x - reach, 0), min(x + reach + 1, width)
        top, bottom = max(y - reach, 0), min(y + reach + 1, height)
        if left >= right or top >= bottom:
            return
        rows, columns = np.ogrid[top - y : bottom - y, left - x : right - x]
        fade = np.clip(1 - np.sqrt(rows**2 + columns**2) / reach, 0, 1) ** 2 * strength
        area = self.pixels[top:bottom, left:right]
        lit = area + fade[..., None] * np.asarray(colour)
        self.pixels[top:bottom, left:right] = np.clip(lit, 0, 255).astype(np.uint8)

    def text(self, words: str, at: Sequence[float], size: float, colour: Colour = BRIGHT) -> None:
        """A line of text whose lower left corner is ``at``; ``size`` is the height of a capital in pixels."""
        scale = size * OVERSIZE / 21  # the font's capitals are 21 pixels tall at scale 1
        thickness = max(1, round(size * OVERSIZE / 12))
        cv2.putText(
            self.pixels, words, _at(at), cv2.FONT_HERSHEY_DUPLEX, scale, colour, thickness, cv2.LINE_AA
        )


def _at(point: Sequence[float]) -> tuple[int, int]:
    limit = 1 << 20  # far outside any picture, and safe as a C int
    x, y = (int(np.clip(part * OVERSIZE, -limit, limit)) for part in point)
    return x, y


@dataclass(frozen=True)
class View:
    """A walker to be drawn: points (T, V, 2), y down, and which of them were seen (T, V).

    ``low`` and ``high``: the corners of what is shown, the same for all frames; ``silhouettes`` (T, H, W)
    uint8 or None lie behind the bones.
    """

    points: NDArray[np.float64]
    seen: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    silhouettes: NDArray[np.uint8] | None = None

    @classmethod
    def of(cls, joints: NDArray[np.floating], graph: PoseGraph, *, confidence: bool) -> View:
        """Joints (T, V, C), the last channel a confidence or not, root-centred and upright in every frame.

        Missing joints are not seen and lie at the body's root.
        """
        places, confidences = places_and_confidence(joints, graph, missing_last=confidence)
        seen, flat = confidences > 0, places[..., :2]
        root = flat[:, list(graph.root)].mean(1, keepdims=True)
        flat = np.where(seen[..., None], flat - root, 0.0)
        torso = flat[:, list(graph.torso), 1].mean()
        if torso > 0:  # the sensor's y points up, a picture's down
            flat[..., 1] = -flat[..., 1]
        shown = flat[seen] if seen.any() else np.array([[0.0, 0.0], [1.0, 1.0]])
        return cls(flat, seen, shown.min(0), shown.max(0))

    @classmethod
    def over(cls, silhouettes: NDArray[np.uint8], joints: NDArray[np.floating], graph: PoseGraph) -> View:
        """Joints (T, V, 3) in the pixels of the silhouettes (T, H, W) behind them."""
        if silhouettes.ndim != 3 or len(silhouettes) != len(joints):
            raise MessageError(
                f"silhouettes of shape {silhouettes.shape} for {len(joints)} frames of joints",
                where="pictures",
                wanted=f"({len(joints)}, height, width)",
            )
        places, confidences = places_and_confidence(joints, graph, missing_last=True)
        high = np.array(silhouettes.shape[:0:-1], dtype=np.float64) - 0.5
        return cls(places[..., :2], confidences > 0, np.array([-0.5, -0.5]), high, silhouettes)

    def placed(self, frame: int, box: Box) -> NDArray[np.float64]:
        """One frame's joints in picture pixels, (V, 2)."""
        middle, scale = self._fit(box)
        placed: NDArray[np.float64] = middle + (self.points[frame] - (self.low + self.high) / 2) * scale
        return placed

    def ground(self, box: Box) -> Box:
        """Where in the box the silhouettes lie."""
        middle, scale = self._fit(box)
        width, height = (self.high - self.low) * scale
        return round(middle[0] - width / 2), round(middle[1] - height / 2), round(width), round(height)

    def _fit(self, box: Box) -> tuple[NDArray[np.float64], float]:
        x, y, width, height = box
        spread = np.maximum(self.high - self.low, 1e-9)
        return np.array([x + width / 2, y + height / 2]), FILLED * min(width / spread[0], height / spread[1])


def draw_walker(
    canvas: Canvas, view: View, frame: int, box: Box, graph: PoseGraph, values: NDArray[np.floating]
) -> None:
    """One frame of a view in a box: the silhouette where there is one, then the skeleton."""
    if view.silhouettes is not None:
        canvas.shade(view.silhouettes[frame], view.ground(box))
    draw_skeleton(canvas, view.placed(frame, box), view.seen[frame], graph, values, box[3])


def draw_skeleton(
    canvas: Canvas,
    points: NDArray[np.float64],
    seen: NDArray[np.bool_],
    graph: PoseGraph,
    values: NDArray[np.floating],
    size: float,
) -> None:
    """Bones in grey, joints coloured and sized by ``values`` in [0, 1]; ``size`` is the figure's height."""
    for a, b in graph.layout.edges:
        if seen[a] and seen[b]:
            canvas.line(points[a], points[b], BONE, size / 110)
    for joint in np.argsort(values, kind="stable"):
        if not seen[joint]:
            continue
        value, colour = float(values[joint]), heat_colour(float(values[joint]))
        canvas.glow(points[joint], size * (0.02 + 0.07 * value), colour, 0.75 * value)
        canvas.disc(points[joint], size * (0.008 + 0.012 * value), colour)


def write_png(path: Path, image: Image) -> None:
    """Raises ResourceError where the file cannot be written."""
    ok, encoded = cv2.imencode(".png", image)
    if not ok:
        raise ResourceError("the picture cannot be encoded as PNG", where=str(path))
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise ResourceError(f"cannot write the picture ({error.strerror})", where=str(path)) from error


def write_gif(path: Path, frames: Sequence[Image], frame_ms: int) -> None:
    """An endless animation; raises ResourceError where it cannot be written."""
    if not hasattr(cv2, "imwriteanimation"):
        raise ResourceError(
            f"OpenCV {cv2.__version__} cannot write GIF", where=str(path), fix="Install OpenCV 4.12 or later"
        )
    animation = cv2.Animation()
    animation.frames = [np.ascontiguousarray(frame) for frame in frames]
    animation.durations = [frame_ms] * len(frames)
    try:
        written = cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_GIF_DITHER, _NO_DITHER])
    except cv2.error as error:
        raise ResourceError("the animation cannot be written", where=str(path)) from error
    if not written:
        raise ResourceError("the animation cannot be written", where=str(path))
