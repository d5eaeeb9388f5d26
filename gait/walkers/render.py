"""People into a picture: layers by depth, soft shadows, and the truth read off the same layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.walkers.camera import NEAR_M, Camera
from gait.walkers.carry import over
from gait.walkers.flesh import dress
from gait.walkers.motion import BONES, Pose
from gait.walkers.paint import Layer, Light, Patches, draw, patches, sides_for
from gait.walkers.person import Person
from gait.walkers.truth import Crop, TruthPerson
from stream.messages import Box

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
SHADOW_STRENGTH = 0.42
SOLID = 128
"""A pixel belongs to whoever covers half of it."""
SHADOW_SCALE = 4
"""Shadows are drawn this much coarser; they are soft anyway."""


@dataclass(frozen=True)
class Drawn:
    """A person's layer with what truth needs; ``over`` is what they hold over it, no part of them."""

    person: Person
    layer: Layer
    box: Box
    depth_m: float
    joints: Floats
    over: Layer | None = None


def draw_person(person: Person, pose: Pose, camera: Camera, light: Light) -> Drawn | None:
    """The person as the camera sees it, None where it is out of the picture or behind the camera."""
    pixels, depth = camera.project(pose.joints)
    if depth.min() < NEAR_M:
        return None
    height_px = camera.focal * person.body.stature / float(depth[0])
    if not _in_view(pixels, height_px, camera):
        return None
    sides = sides_for(height_px)
    what = patches(dress(person, pose, sides), camera, light)
    if not what.colours.size:
        return None
    box = _extent(what)
    layer = draw(what, _window(box, camera), height_px)
    rows, columns, *_ = _inside(layer, (camera.height_px, camera.width))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return None
    held = over(person, pose, sides)
    shade = patches(held, camera, light) if held else None
    upper = draw(shade, _window(_extent(shade), camera), height_px) if shade and shade.colours.size else None
    return Drawn(person, layer, box, float(depth[0]), pose.joints, upper)


def _extent(what: Patches) -> Box:
    low, high = what.corners.min(axis=(0, 1)), what.corners.max(axis=(0, 1))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _in_view(pixels: Floats, margin: float, camera: Camera) -> bool:
    low, high = pixels.min(axis=0) - 0.3 * margin, pixels.max(axis=0) + 0.3 * margin
    return bool(high[0] > 0 and high[1] > 0 and low[0] < camera.width and low[1] < camera.height_px)


def _window(box: Box, camera: Camera) -> tuple[int, int, int, int]:
    """Whole pixels round the box; parts beyond the picture stay, up to a picture's size, to be counted."""
    wide, high = camera.width, camera.height_px
    left, top = max(int(np.floor(box[0])) - 2, -wide), max(int(np.floor(box[1])) - 2, -high)
    right, bottom = min(int(np.ceil(box[2])) + 2, 2 * wide), min(int(np.ceil(box[3])) + 2, 2 * high)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def cast_shadows(image: Image, poses: Sequence[tuple[Person, Pose]], camera: Camera, light: Light) -> None:
    """Darken the ground where people keep the light away; ``image`` is changed."""
    for person, pose in poses:
        _cast(image, person, pose, camera, light)


def _cast(image: Image, person: Person, pose: Pose, camera: Camera, light: Light) -> None:
    slant = -light.towards[:2] / light.towards[2]
    ground = pose.joints.copy()
    ground[:, :2] += ground[:, 2:] * slant
    ground[:, 2] = 0.0
    feet = np.stack([foot.ankle + by * foot.forward for foot in pose.feet for by in (-0.06, 0.16)])
    feet[:, 2] = 0.0
    pixels, depth = camera.project(np.concatenate([ground, feet]))
    if depth.min() < NEAR_M:
        return
    metre = camera.focal / float(depth.mean())
    pad = int(0.35 * metre) + 2 * SHADOW_SCALE
    left, top = (
        int(v) for v in np.floor(np.clip(pixels.min(axis=0) - pad, 0, (camera.width, camera.height_px)))
    )
    right, bottom = (
        int(v) for v in np.ceil(np.clip(pixels.max(axis=0) + pad, 0, (camera.width, camera.height_px)))
    )
    if right - left < SHADOW_SCALE or bottom - top < SHADOW_SCALE:
        return
    small = np.zeros(((bottom - top) // SHADOW_SCALE, (right - left) // SHADOW_SCALE), np.float32)
    points = np.round((pixels - (left, top)) / SHADOW_SCALE * 16).astype(int).tolist()
    flat = max(float(np.sin(camera.pitch + np.arctan2(camera.height, depth.mean()))), 0.05)
    girth = 0.10 * metre * person.body.girth / SHADOW_SCALE
    for a, b in BONES:
        wide = girth * (2.2 if (a, b) in {(0, 7), (7, 8)} else 1.0) * (0.35 + 0.65 * flat)
        cv2.line(small, points[a], points[b], 0.62, max(1, round(wide)), cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(small, (0, 0), max(0.5, 0.035 * metre / SHADOW_SCALE))
    contact = np.zeros_like(small)
    for a, b in ((16, 17), (18, 19)):
        cv2.line(
            contact, points[a], points[b], 1.0, max(1, round(girth * (0.3 + 0.7 * flat))), cv2.LINE_AA, 4
        )
    close = cv2.GaussianBlur(contact, (0, 0), max(0.4, 0.02 * metre / SHADOW_SCALE))
    shade = cv2.resize(np.maximum(soft, close), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    part = image[top:bottom, left:right]
    part[:] = (part * (1 - SHADOW_STRENGTH * shade[..., None])).astype(np.uint8)


def compose(image: Image, drawn: Sequence[Drawn], camera: Camera) -> tuple[TruthPerson, ...]:
    """Lay people over ``image`` from far to near (changing it) and tell what can be seen of each."""
    nearest_first = sorted(drawn, key=lambda one: (one.depth_m, one.person.name))
    for one in reversed(nearest_first):
        _lay(image, one.layer)
        if one.over:
            _lay(image, one.over)
    taken = np.zeros(image.shape[:2], np.bool_)
    return tuple(_truth(one, taken, camera) for one in nearest_first)


def _inside(layer: Layer, shape: tuple[int, ...]) -> tuple[slice, slice, slice, slice]:
    """Rows and columns of the frame, then of the layer, where the two meet."""
    height, width = layer.cover.shape
    top, left = max(0, layer.top), max(0, layer.left)
    bottom, right = max(top, min(shape[0], layer.top + height)), max(left, min(shape[1], layer.left + width))
    rows, columns = slice(top, bottom), slice(left, right)
    return (
        rows,
        columns,
        slice(top - layer.top, bottom - layer.top),
        slice(left - layer.left, right - layer.left),
    )


def _lay(image: Image, layer: Layer) -> None:
    rows, columns, own_rows, own_columns = _inside(layer, image.shape)
    part = image[rows, columns]
    if not part.size:
        return
    keep = cv2.cvtColor(255 - layer.cover[own_rows, own_columns], cv2.COLOR_GRAY2BGR)
    part[:] = cv2.add(cv2.multiply(part, keep, scale=1 / 255), layer.bgr[own_rows, own_columns])


def _truth(one: Drawn, taken: NDArray[np.bool_], camera: Camera) -> TruthPerson:
    """``taken`` is where nearer people are; this one's pixels are added to it."""
    if one.over:
        _take(one.over, taken)
    solid = one.layer.cover >= SOLID
    rows, columns, own_rows, own_columns = _inside(one.layer, taken.shape)
    inside = solid[own_rows, own_columns]
    seen = inside & ~taken[rows, columns]
    taken[rows, columns] |= inside
    crop, visible_box = _cropped(seen, columns.start, rows.start)
    pixels, _ = camera.project(one.joints)
    return TruthPerson(
        identity=one.person.name,
        box=one.box,
        visible_box=visible_box,
        crop=crop,
        visible=float(seen.sum() / max(1, solid.sum())),
        depth_m=one.depth_m,
        joints_2d=pixels,
        joints_3d=camera.to_camera(one.joints),
    )


def _take(layer: Layer, taken: NDArray[np.bool_]) -> None:
    rows, columns, own_rows, own_columns = _inside(layer, taken.shape)
    taken[rows, columns] |= layer.cover[own_rows, own_columns] >= SOLID


def _cropped(seen: NDArray[np.bool_], left: int, top: int) -> tuple[Crop, Box | None]:
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return Crop(np.zeros((0, 0), np.bool_), 0, 0), None
    tight = seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    x, y = left + int(columns[0]), top + int(rows[0])
    return Crop(tight, x, y), (float(x), float(y), float(x + tight.shape[1]), float(y + tight.shape[0]))
