"""What stands behind the walkers: a textured floor and a wall, computed once for a camera, and its light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.walkers.camera import Camera
from gait.walkers.paint import Light
from gait.walkers.seeds import stream

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
FAR_M = 60.0
NOISE_MARGIN = 64
"""Pixels by which the stored noise is larger than a frame, so that it can be laid differently each time."""


def sample_light(seed: int) -> Light:
    """A lamp high on one side of the camera, neither behind it nor behind the walkers."""
    rng = stream(seed, "light")
    side = rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 0.9)
    towards = np.array([side, -rng.uniform(0.4, 0.9), rng.uniform(0.7, 1.2)])
    warm = rng.uniform(-0.04, 0.05)
    tint = np.array([1.0 + warm, 1.0, 1.0 - warm])
    return Light(towards / np.linalg.norm(towards), rng.uniform(0.58, 0.74), rng.uniform(0.26, 0.36), tint)


def turned_with(light: Light, camera: Camera) -> Light:
    """``light`` given for a camera that looks along y, for one that looks elsewhere."""
    turn = camera.heading - np.pi / 2
    cos, sin = np.cos(turn), np.sin(turn)
    x, y, z = light.towards
    return Light(np.array([cos * x - sin * y, sin * x + cos * y, z]), light.key, light.sky, light.tint)


def sample_background(seed: int, camera: Camera, wall_m: float) -> Image:
    """A floor up to a wall ``wall_m`` metres ahead; BGR uint8 of the camera's size."""
    rng = stream(seed, "background")
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height_px) + 0.5)
    local = np.stack(
        [
            (columns - camera.width / 2) / camera.focal,
            (rows - camera.height_px / 2) / camera.focal,
            np.ones_like(rows),
        ],
        axis=-1,
    )
    rays = local @ camera.axes
    level = np.array([np.cos(camera.heading), np.sin(camera.heading), 0.0])
    right = np.array([np.sin(camera.heading), -np.cos(camera.heading), 0.0])
    to_wall = wall_m / np.maximum(rays @ level, 1e-6)
    to_floor = np.where(rays[..., 2] < -1e-6, camera.height / np.maximum(-rays[..., 2], 1e-6), np.inf)
    on_floor = to_floor < to_wall
    reach = np.where(on_floor, to_floor, to_wall)
    aside, ahead = (rays @ right) * reach, (rays @ level) * reach
    up = camera.height + rays[..., 2] * reach
    picture = np.where(on_floor[..., None], _floor(rng, aside, ahead), _wall(rng, aside, up))
    # Corners get less light, and so does the foot of the wall.
    away = np.hypot(columns / camera.width - 0.5, rows / camera.height_px - 0.5)
    contact = np.exp(-np.abs(np.where(on_floor, wall_m - ahead, up)) / 0.25)
    picture *= ((1.04 - 0.22 * away**2) * (1 - 0.22 * contact))[..., None]
    return np.asarray(np.clip(cv2.GaussianBlur(picture, (0, 0), 0.7), 0, 255), np.uint8)


def _texture(rng: np.random.Generator, u: Floats, v: Floats, scale: float) -> Floats:
    """Smooth noise in [-1, 1] over the plane; ``scale`` metres from lump to lump."""
    table = rng.uniform(-1, 1, (128, 128)).astype(np.float32)
    x, y = (np.mod(w / scale, 128).astype(np.float32) for w in (u, v))
    return np.asarray(cv2.remap(table, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float64)


def _lines(u: Floats, pitch: float, width: float) -> Floats:
    """1 on lines ``width`` metres wide every ``pitch`` metres, else 0, fading with distance."""
    blur = np.maximum(np.abs(np.gradient(u, axis=1)) + np.abs(np.gradient(u, axis=0)), 1e-4)
    off = np.abs(np.mod(u + pitch / 2, pitch) - pitch / 2)
    return np.asarray(np.clip((width / 2 - off) / blur + 0.5, 0, 1) * np.clip(width / blur, 0, 1))


def _floor(rng: np.random.Generator, aside: Floats, ahead: Floats) -> Floats:
    base = rng.uniform(95, 165) + np.array([rng.uniform(-8, 8), 0.0, rng.uniform(-8, 10)])
    fade = np.exp(-ahead / 14.0)
    grain = 10 * _texture(rng, aside, ahead, 0.9) + 12 * fade * _texture(rng, aside, ahead, 0.11)
    value = base[None, None] + grain[..., None]
    if rng.random() < 0.6:
        tile = rng.uniform(0.5, 1.4)
        joints = np.maximum(_lines(aside, tile, 0.018), _lines(ahead, tile, 0.018))
        value = value * (1 - 0.25 * joints)[..., None]
    return np.asarray(value)


def _wall(rng: np.random.Generator, aside: Floats, up: Floats) -> Floats:
    base = rng.uniform(120, 205) + rng.uniform(-16, 16, 3)
    value = (
        base[None, None] + (5 * _texture(rng, aside, up, 0.35) + 6 * _texture(rng, aside, up, 2.2))[..., None]
    )
    kind = int(rng.integers(3))
    if kind == 0:  # bricks
        course = 0.075 * rng.uniform(1.0, 2.2)
        shifted = aside + np.where(np.mod(np.floor(up / course), 2) == 0, 0.0, 1.6 * course)
        joints = np.maximum(_lines(up, course, 0.012), _lines(shifted, 3.2 * course, 0.012))
        value = value * (1 - 0.18 * joints)[..., None]
    elif kind == 1:  # panels
        value = value * (1 - 0.25 * _lines(aside, rng.uniform(0.9, 2.4), 0.03))[..., None]
    dado = rng.uniform(0.8, 1.3)
    if rng.random() < 0.6:
        value = np.where((up < dado)[..., None], value * rng.uniform(0.72, 0.9), value)
    value = np.where((up < 0.12)[..., None], value * 0.7, value)
    return _posters(rng, value, aside, up)


def _posters(rng: np.random.Generator, value: Floats, aside: Floats, up: Floats) -> Floats:
    """Framed rectangles: something to look at that is nobody."""
    for at in rng.uniform(-9, 9, int(rng.integers(2, 6))):
        wide, high, low = rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.6), rng.uniform(1.35, 1.7)
        off = np.maximum(np.abs(aside - at) / wide, np.abs(up - low - high) / high)
        inner = np.clip(rng.uniform(60, 220, 3) + 25 * _texture(rng, aside, up, 0.2)[..., None], 0, 255)
        value = np.where((off < 0.9)[..., None], inner, np.where((off < 1)[..., None], 60.0, value))
    return value


def sample_noise(seed: int, camera: Camera, sigma: float) -> NDArray[np.int8]:
    """Sensor noise for a picture somewhat larger than a frame, levels of 255."""
    rng = stream(seed, "noise")
    shape = (camera.height_px + NOISE_MARGIN, camera.width + NOISE_MARGIN, 3)
    return np.clip(np.round(rng.normal(0, sigma, shape)), -127, 127).astype(np.int8)


def add_noise(image: Image, noise: NDArray[np.int8], seed: int, number: int) -> Image:
    """``image`` with the stored noise laid over it at a place that depends on the frame's number."""
    dx, dy = stream(seed, "grain", number).integers(0, NOISE_MARGIN, 2)
    height, width = image.shape[:2]
    return np.asarray(cv2.add(image, noise[dy : dy + height, dx : dx + width], dtype=cv2.CV_8U), np.uint8)
