"""A camera's lens from a clip of a chessboard or ChArUco board, with what to doubt about the result.

Zhang's method as OpenCV has it. Views are taken where the board has moved, so that a hundred frames of a
board held still do not count as a hundred views.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.camera_model import Lens
from stream.errors import ConfigError

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

MOVED: Final = 0.04
"""Of the picture's width: the mean way of the corners that makes another view."""
MOST_VIEWS: Final = 40
"""More add time and nothing else; they are thinned evenly."""
LEAST_VIEWS: Final = 4
FEW_VIEWS: Final = 10
LARGE_ERROR_PX: Final = 1.0
SMALL_COVER: Final = 0.5
STEEP: Final = 1.06
"""One side of a board over the opposite one: boards never tilted have equal ones and tell no focal length."""
LEAST_CORNERS: Final = 6


@dataclass(frozen=True)
class Board:
    """A printed board: inner corners (columns, rows) and the side of a square in metres.

    ``markers``: the name of the ArUco dictionary of a ChArUco board, whose squares are counted one more;
    empty for a plain chessboard.
    """

    columns: int
    rows: int
    square_m: float
    markers: str = ""

    def __post_init__(self) -> None:
        if self.columns < 3 or self.rows < 3 or not self.square_m > 0:
            raise ConfigError(
                f"a board of {self.columns}x{self.rows} corners and squares of {self.square_m:g} m",
                wanted="3x3 inner corners or more, squares of more than 0 m",
            )

    @property
    def points(self) -> Floats:
        """(columns * rows, 3) metres on the board."""
        y, x = np.mgrid[: self.rows, : self.columns]
        flat = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
        return (flat * self.square_m).astype(np.float32)


@dataclass(frozen=True)
class View:
    """The corners found in one picture: their numbers on the board (N,) and pixels (N, 2)."""

    numbers: NDArray[np.intp]
    corners: Floats


@dataclass(frozen=True)
class LensFit:
    """The lens, the views it rests on with what each is off by, and what to doubt."""

    lens: Lens
    views: tuple[View, ...]
    errors_px: tuple[float, ...]
    fitted: tuple[Floats, ...]
    doubts: tuple[str, ...]


class Finder:
    """Finds a board's corners in pictures."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._charuco: Any = None
        if board.markers:
            dictionary = getattr(cv2.aruco, board.markers, None)
            if not isinstance(dictionary, int) or not board.markers.startswith("DICT_"):
                raise ConfigError(f"no ArUco dictionary {board.markers}", wanted="a name as DICT_5X5_100")
            size = (board.columns + 1, board.rows + 1)
            charuco = cv2.aruco.CharucoBoard(
                size,
                board.square_m,
                board.square_m * 0.75,
                cv2.aruco.getPredefinedDictionary(dictionary),
            )
            self._charuco = cv2.aruco.CharucoDetector(charuco)

    def find(self, picture: Picture) -> View | None:
        """The corners, to a fraction of a pixel; None where the board is not seen."""
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
        if self._charuco is not None:
            corners, numbers, _, _ = self._charuco.detectBoard(grey)
            if numbers is None or len(numbers) < LEAST_CORNERS:
                return None
            return View(np.asarray(numbers, np.intp).ravel(), np.asarray(corners, np.float32).reshape(-1, 2))
        size = (self._board.columns, self._board.rows)
        good, corners = cv2.findChessboardCornersSB(grey, size, flags=cv2.CALIB_CB_NORMALIZE_IMAGE)
        if not good:
            return None
        return View(np.arange(size[0] * size[1]), np.asarray(corners, np.float32).reshape(-1, 2))


def find_views(
    pictures: Iterable[Picture], board: Board
) -> tuple[list[View], tuple[int, int], Picture | None]:
    """Views of the board that differ, the pictures' (width, height), and the picture of the last view."""
    finder, size, last = Finder(board), (0, 0), None
    views: list[View] = []
    for picture in pictures:
        here = (picture.shape[1], picture.shape[0])
        if views and here != size:
            raise ConfigError(f"pictures of {size} and {here} in one clip", wanted="one size")
        size = here
        found = finder.find(picture)
        if found is not None and all(_moved(found, view) > MOVED * size[0] for view in views[-1:]):
            views.append(found)
            last = picture
    return views, size, last


def fit_lens(views: list[View], size: tuple[int, int], board: Board) -> LensFit:
    """The lens that puts the corners where they were seen; raises ConfigError where too few views tell it."""
    if len(views) < LEAST_VIEWS:
        raise ConfigError(
            f"the board was seen in {len(views)} different places",
            wanted=f"at least {LEAST_VIEWS}, better {FEW_VIEWS} and more",
            fix="Check --board (inner corners) and the light; move and tilt the board, all over the picture",
        )
    chosen = [
        views[k] for k in np.unique(np.linspace(0, len(views) - 1, min(len(views), MOST_VIEWS)).astype(int))
    ]
    points = [board.points[view.numbers] for view in chosen]
    pixels = [view.corners for view in chosen]
    error, matrix, distortion, turns, places = cv2.calibrateCamera(points, pixels, size, None, None)
    k1, k2, p1, p2, k3 = (float(number) for number in np.ravel(distortion)[:5])
    lens = Lens(
        *size,
        float(matrix[0, 0]),
        float(matrix[1, 1]),
        float(matrix[0, 2]),
        float(matrix[1, 2]),
        (k1, k2, p1, p2, k3),
        float(error),
        len(chosen),
    )
    fitted = tuple(
        np.asarray(cv2.projectPoints(p, turn, place, matrix, distortion)[0], np.float32).reshape(-1, 2)
        for p, turn, place in zip(points, turns, places, strict=True)
    )
    errors = tuple(
        float(np.sqrt(np.mean(np.sum((one - other) ** 2, axis=1))))
        for one, other in zip(fitted, pixels, strict=True)
    )
    return LensFit(lens, tuple(chosen), errors, fitted, tuple(_doubts(lens, chosen, board)))


def _doubts(lens: Lens, views: list[View], board: Board) -> Iterable[str]:
    """Why the result may be wrong although it fits."""
    if lens.error_px > LARGE_ERROR_PX:
        yield (
            f"the corners are {lens.error_px:.2f} pixels off: the board is bent, its corners miscounted,"
            " or the pictures are blurred"
        )
    if len(views) < FEW_VIEWS:
        yield f"only {len(views)} different views of the board; {FEW_VIEWS} and more are better"
    cover = covered(views, lens.width, lens.height)
    if cover < SMALL_COVER:
        yield f"the board was seen in {cover:.0%} of the picture: the lens is a guess elsewhere"
    if max(slant(view, board) for view in views) < STEEP:
        yield "the board was never tilted, so the focal length is a guess: tilt it by 30 degrees each way"
    if not 0.9 < lens.fx / lens.fy < 1.1:
        yield "the pixels came out oblong, which those of cameras are not"


def slant(view: View, board: Board) -> float:
    """The longer of two opposite sides over the other, of a board that is seen whole; else 1."""
    if len(view.numbers) < board.columns * board.rows:
        return 1.0
    grid = view.corners.reshape(board.rows, board.columns, 2)
    pairs = ((grid[0], grid[-1]), (grid[:, 0], grid[:, -1]))
    lengths = [[float(np.linalg.norm(side[-1] - side[0])) for side in pair] for pair in pairs]
    return max(max(pair) / max(min(pair), 1e-6) for pair in lengths)


def covered(views: Iterable[View], width: int, height: int, cells: int = 8) -> float:
    """The share of the picture, in cells, in which corners were seen."""
    seen = np.zeros((cells, cells), np.bool_)
    for view in views:
        columns = np.clip(view.corners[:, 0] * cells / width, 0, cells - 1).astype(int)
        rows = np.clip(view.corners[:, 1] * cells / height, 0, cells - 1).astype(int)
        seen[rows, columns] = True
    return float(seen.mean())


def _moved(one: View, other: View) -> float:
    """The mean way of the corners that both views have, in pixels; infinite where they share none."""
    shared, here, there = np.intersect1d(one.numbers, other.numbers, return_indices=True)
    if not len(shared):
        return float("inf")
    return float(np.linalg.norm(one.corners[here] - other.corners[there], axis=1).mean())


def draw_lens(picture: Picture, fit: LensFit) -> Picture:
    """The last view, its corners as seen (green) and as the model puts them (red), and the others' places."""
    drawn = picture.copy()
    for view in fit.views[:-1]:
        for x, y in view.corners:
            cv2.circle(drawn, (round(float(x)), round(float(y))), 1, (200, 160, 90), cv2.FILLED)
    for (x, y), (u, v) in zip(fit.views[-1].corners, fit.fitted[-1], strict=True):
        cv2.circle(drawn, (round(float(x)), round(float(y))), 5, (80, 200, 80), 1, cv2.LINE_AA)
        cv2.drawMarker(drawn, (round(float(u)), round(float(v))), (60, 60, 230), cv2.MARKER_CROSS, 7, 1)
    text = f"{fit.lens.error_px:.2f} px over {fit.lens.views} views, f {fit.lens.fx:.0f}"
    cv2.putText(drawn, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn
