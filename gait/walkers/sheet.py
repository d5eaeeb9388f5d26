"""A contact sheet: some of a scene's frames with their truth drawn in, to look at."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.walkers.motion import BONES
from gait.walkers.scene import Scene
from gait.walkers.truth import Rendered, TruthPerson

Image = NDArray[np.uint8]
Bgr = tuple[int, int, int]
SHEET_PX = 1920
"""Width of a sheet."""
GAP_PX = 6
TINT = 0.2


def contact_sheet(scene: Scene, frames: int = 6, columns: int = 2) -> Image:
    """``frames`` evenly spaced ones as BGR uint8, each with boxes, names, masks and joints."""
    numbers = np.linspace(0, scene.frame_count - 1, frames + 2).round().astype(int)[1:-1]
    names = list(dict.fromkeys(walker.person.name for walker in scene.walkers))
    width = (SHEET_PX - GAP_PX) // columns - GAP_PX
    height = round(width * scene.camera.height_px / scene.camera.width)
    rows = -(-frames // columns)
    sheet = np.full((rows * (height + GAP_PX) + GAP_PX, SHEET_PX, 3), 255, np.uint8)
    for place, number in enumerate(numbers):
        picture = annotated(scene.frame(int(number)), names)
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        row, column = divmod(place, columns)
        top, left = GAP_PX + row * (height + GAP_PX), GAP_PX + column * (width + GAP_PX)
        sheet[top : top + height, left : left + width] = small
    return sheet


def annotated(rendered: Rendered, names: list[str]) -> Image:
    """A frame with its truth drawn in; everyone keeps one colour, by the place of their name in ``names``."""
    image = rendered.image.copy()
    for person in reversed(rendered.truth):
        _draw(image, person, _colour(names.index(person.identity), len(names)))
    cv2.putText(
        image, f"{rendered.time_s:.2f} s", (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 2, cv2.LINE_AA
    )
    return image


def _colour(number: int, count: int) -> Bgr:
    red, green, blue = colorsys.hsv_to_rgb(number / max(1, count), 0.85, 0.95)
    return round(255 * blue), round(255 * green), round(255 * red)


def _draw(image: Image, person: TruthPerson, colour: Bgr) -> None:
    mask = person.crop.on(*image.shape[:2])
    image[mask] = np.round((1 - TINT) * image[mask] + TINT * np.array(colour)).astype(np.uint8)
    points = np.round(person.joints_2d).astype(int).tolist()
    for a, b in BONES:
        cv2.line(image, points[a], points[b], colour, 1, cv2.LINE_AA)
    left, top, right, bottom = (round(value) for value in person.box)
    cv2.rectangle(image, (left, top), (right, bottom), colour, 1)
    _write(image, f"{person.identity} {person.visible:.0%}", (left, max(12, top - 4)), colour)


def _write(image: Image, text: str, at: tuple[int, int], colour: Bgr) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
