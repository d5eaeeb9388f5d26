"""What is known of a camera: its lens and the ground it looks at. Made by ``calibrate camera``, read by runs.

Pixels are those of pixel indices; the camera frame is x right, y down, z ahead, metres. Ground positions are
metres right of and ahead of the point below the camera.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import FOREIGN, ConfigError

Floats = NDArray[np.float64]
Positive = Annotated[float, msgspec.Meta(gt=0)]

FARTHEST_M: Final = 1000.0
"""Rays that meet the ground farther away, or never, give no position."""


class Lens(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pinhole with OpenCV's distortion (k1, k2, p1, p2, k3), for pictures of ``width`` x ``height``.

    ``error_px``: how far, in the root mean square, the board's corners lie from where the model puts them;
    0 for a lens that was assumed. ``views``: of the board.
    """

    width: Annotated[int, msgspec.Meta(ge=16)]
    height: Annotated[int, msgspec.Meta(ge=16)]
    fx: Positive
    fy: Positive
    cx: float
    cy: float
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    error_px: float = 0.0
    views: int = 0

    @property
    def matrix(self) -> Floats:
        """(3, 3) from the camera frame to pixels."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])

    @property
    def straight(self) -> bool:
        """Whether pictures need no undistortion."""
        return not any(self.distortion)

    def straightened(self, pixels: NDArray[np.floating]) -> Floats:
        """Where points (N, 2) of the picture lie in the undistorted one."""
        points = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
        matrix = self.matrix
        found = cv2.undistortPoints(points, matrix, np.array(self.distortion), P=matrix)
        return np.asarray(found, np.float64).reshape(-1, 2)

    def rays(self, pixels: NDArray[np.floating]) -> Floats:
        """(N, 3) directions in the camera frame, z 1, of points of the undistorted picture."""
        points = np.asarray(pixels, np.float64).reshape(-1, 2)
        x, y = (points[:, 0] - self.cx) / self.fx, (points[:, 1] - self.cy) / self.fy
        return np.stack([x, y, np.ones_like(x)], axis=1)

    def seen(self, points: Floats) -> Floats:
        """Pixels (N, 2) of the undistorted picture of points (N, 3) in the camera frame."""
        pixels = points[:, :2] / points[:, 2:] * [self.fx, self.fy] + [self.cx, self.cy]
        return np.asarray(pixels)


class Ground(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A level plane under the camera, which hangs so high, looks down and leans to the right (radians).

    ``error_px``: how far heads (or clicked points) lie from where the plane puts them; ``points``: how many.
    """

    height_m: Positive
    pitch: float
    roll: float = 0.0
    error_px: float = 0.0
    points: int = 0

    @property
    def axes(self) -> Floats:
        """(3, 3) rows: right, ahead and up, level, in the camera frame."""
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        lean_cos, lean_sin = np.cos(self.roll), np.sin(self.roll)
        unrolled = np.array([[1.0, 0.0, 0.0], [0.0, -sin, cos], [0.0, -cos, -sin]])
        roll = np.array([[lean_cos, -lean_sin, 0.0], [lean_sin, lean_cos, 0.0], [0.0, 0.0, 1.0]])
        return np.asarray(unrolled @ roll)


class CameraModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lens and, where it is known, the ground; ``doubts``: why not to trust it, in words."""

    lens: Lens
    ground: Ground | None = None
    doubts: tuple[str, ...] = ()
    version: Literal[1] = 1

    def positions(self, pixels: NDArray[np.floating]) -> Floats:
        """(N, 2) metres right and ahead, on the ground, of undistorted points; NaN where they meet none."""
        rays = self.lens.rays(pixels)
        if self.ground is None:
            return np.full((len(rays), 2), np.nan)
        level = rays @ self.ground.axes.T
        with np.errstate(divide="ignore", invalid="ignore"):
            found = level[:, :2] * (self.ground.height_m / -level[:, 2])[:, None]
        off = (level[:, 2] >= 0) | ~(np.hypot(*found.T) <= FARTHEST_M)
        found[off] = np.nan
        return np.asarray(found)

    def pixels(self, positions: Floats, height_m: float | Floats = 0.0) -> Floats:
        """Pixels (N, 2) of what stands ``height_m`` above positions (N, 2) on the ground."""
        assert self.ground is not None, "only a model with a ground places anything on it"
        above = np.broadcast_to(np.asarray(height_m, np.float64), len(positions)) - self.ground.height_m
        return self.lens.seen(np.column_stack([positions, above]) @ self.ground.axes)


class Straightener:
    """Takes the lens's distortion out of pictures; the maps are made once."""

    def __init__(self, lens: Lens) -> None:
        self._lens = lens
        matrix, size = lens.matrix, (lens.width, lens.height)
        self._maps = cv2.initUndistortRectifyMap(
            matrix, np.array(lens.distortion), np.eye(3), matrix, size, cv2.CV_16SC2
        )

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The undistorted picture; raises ConfigError for one of another size than the lens's."""
        size = (picture.shape[1], picture.shape[0])
        if size != (self._lens.width, self._lens.height):
            raise ConfigError(
                f"a picture of {size[0]}x{size[1]} for a lens of {self._lens.width}x{self._lens.height}",
                fix="Calibrate the camera in the size it runs at: python run_pipeline.py calibrate camera",
            )
        if self._lens.straight:
            return picture
        return np.asarray(cv2.remap(picture, *self._maps, cv2.INTER_LINEAR))


def assumed_lens(width: int, height: int, across_degrees: float) -> Lens:
    """A straight lens by its angle of view from the left edge to the right."""
    if not 1 < across_degrees < 170:
        raise ConfigError(f"an angle of view of {across_degrees:g} degrees", wanted="1 to 170, left to right")
    focal = width / 2 / float(np.tan(np.radians(across_degrees) / 2))
    return Lens(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def read_camera(path: Path) -> CameraModel:
    """The model in a file of ``calibrate camera``; raises ConfigError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=CameraModel)
    except OSError as error:
        raise ConfigError(
            f"no calibration ({error.strerror})",
            where=str(path),
            fix="python run_pipeline.py calibrate camera",
        ) from error
    except FOREIGN as error:
        raise ConfigError(
            f"this is no calibration ({error})", where=str(path), wanted="a file of `calibrate camera`"
        ) from error


def write_camera(path: Path, model: CameraModel) -> None:
    """Leave it for runs; raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(model)) + b"\n")
    except OSError as error:
        raise ConfigError(f"cannot write it ({error.strerror})", where=str(path)) from error
