"""The ground under a camera, from people who walk on it or from points whose places were measured.

People: everyone keeps their height wherever they stand, so the boxes of some seconds of walking, near and
far, tell how the camera is tilted; what people are tall in the mean tells its height in metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from engines.camera_model import CameraModel, Ground, Lens
from stream.errors import ConfigError

Floats = NDArray[np.float64]

STATURE_M: Final = 1.69
"""Adults' mean over women and men of many countries, with shoes."""
STATURE_SPREAD_M: Final = 0.08
"""How far people are from that mean (standard deviation): what a guess of the height is uncertain by."""
LEAST_SIGHTS: Final = 20
EDGE_PX: Final = 3
"""A box that near to the picture's edge may be cut by it."""
ROBUST_PX: Final = 4.0
"""Beyond this a head counts less: a raised arm, a bad box."""
LARGE_ERROR: Final = 0.05
"""Of a person's height in the picture: a walking head bobs by 2 to 3 %."""
LITTLE_DEPTH: Final = 1.3
"""Farthest over nearest of one person: below it the tilt is hardly told."""
FEW_PEOPLE: Final = 3


@dataclass(frozen=True)
class Sights:
    """Feet and heads (N, 2) in pixels of the undistorted picture, and whose (N,) they are."""

    feet: Floats
    heads: Floats
    whose: NDArray[np.intp]

    def __post_init__(self) -> None:
        if not len(self.feet) == len(self.heads) == len(self.whose):
            raise ConfigError("sights of people of unequal lengths")

    @classmethod
    def of_boxes(cls, boxes: Floats, whose: Sequence[int], width: int, height: int) -> Sights:
        """From boxes (N, 4) in a picture; those at its edges are left out, for they may be cut."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        inside = (boxes[:, :2] > EDGE_PX).all(axis=1) & (boxes[:, 2] < width - EDGE_PX)
        inside &= (boxes[:, 3] < height - EDGE_PX) & np.isfinite(boxes).all(axis=1)
        left, top, right, bottom = boxes[inside].T
        middle = (left + right) / 2
        return cls(
            np.stack([middle, bottom], 1), np.stack([middle, top], 1), np.asarray(whose, np.intp)[inside]
        )


@dataclass(frozen=True)
class GroundFit:
    """The ground, everybody's height in metres, and what to doubt."""

    ground: Ground
    statures_m: tuple[float, ...]
    doubts: tuple[str, ...]


def fit_people(sights: Sights, lens: Lens, stature_m: float = STATURE_M) -> GroundFit:
    """The ground on which people of a constant height each have their heads where they were seen.

    ``stature_m``: what they are tall in the mean. Raises ConfigError where too little was seen.
    """
    if not 0.5 < stature_m < 2.5:
        raise ConfigError(f"people of {stature_m:g} m", wanted="0.5 to 2.5")
    if len(sights.feet) < LEAST_SIGHTS:
        raise ConfigError(
            f"{len(sights.feet)} sights of whole people",
            wanted=f"at least {LEAST_SIGHTS}: some seconds of people walking, near and far, wholly in view",
        )
    people, whose = np.unique(sights.whose, return_inverse=True)
    tall = np.linalg.norm(sights.heads - sights.feet, axis=1)

    def off(parameters: Floats) -> Floats:
        model, statures = _model(parameters, lens)
        placed = model.positions(sights.feet)
        lost = np.isnan(placed.sum(axis=1))
        heads = model.pixels(np.where(lost.reshape(-1, 1), (0.0, 50.0), placed), statures[whose])
        error = np.clip(heads - sights.heads, -1e4, 1e4)
        error[lost] = 1e3  # feet above the horizon: as wrong as can be, and steadily so
        return np.asarray(np.concatenate([error.ravel(), _beliefs(statures, stature_m) * np.median(tall)]))

    best = min(
        (
            least_squares(off, _start(pitch, len(people), stature_m), loss="soft_l1", f_scale=ROBUST_PX)
            for pitch in (0.02, 0.2, 0.5)
        ),
        key=lambda found: float(found.cost),
    )
    model, statures = _model(best.x, lens)
    assert model.ground is not None
    heads = model.pixels(model.positions(sights.feet), statures[whose])
    errors = np.linalg.norm(heads - sights.heads, axis=1)
    error = float(np.sqrt(np.mean(errors[np.isfinite(errors)] ** 2))) if np.isfinite(errors).any() else np.inf
    ground = Ground(
        model.ground.height_m, model.ground.pitch, model.ground.roll, round(error, 3), len(sights.feet)
    )
    doubts = tuple(_doubts(ground, sights, model, len(people), float(np.median(tall))))
    return GroundFit(ground, tuple(round(float(one), 3) for one in statures), doubts)


def _start(pitch: float, people: int, stature_m: float) -> Floats:
    return np.array([np.log(2.0), pitch, 0.0, *[np.log(stature_m)] * people])


def _model(parameters: Floats, lens: Lens) -> tuple[CameraModel, Floats]:
    height, pitch, roll = (
        float(np.exp(np.clip(parameters[0], -3, 5))),
        float(parameters[1]),
        float(parameters[2]),
    )
    return CameraModel(lens, Ground(height, pitch, roll)), np.exp(np.clip(parameters[3:], -2, 2))


def _beliefs(statures: Floats, stature_m: float) -> Floats:
    """How far people are from what people are, in shares of a height, as one measurement each."""
    return np.log(statures / stature_m) * (stature_m / STATURE_SPREAD_M) * 0.05


def _doubts(ground: Ground, sights: Sights, model: CameraModel, people: int, tall_px: float) -> list[str]:
    doubts = []
    if not ground.error_px <= LARGE_ERROR * tall_px:
        doubts.append(
            f"heads are {ground.error_px:.1f} pixels off ({ground.error_px / tall_px:.0%} of a person):"
            " the ground is not level, the boxes are bad, or the lens is another"
        )
    if _depth_range(model, sights) < LITTLE_DEPTH:
        doubts.append(
            "nobody came nearer or went farther, so distance and height cannot be told apart:"
            " let people walk towards the camera and away"
        )
    if people < FEW_PEOPLE:
        share = STATURE_SPREAD_M / STATURE_M / np.sqrt(people)
        doubts.append(f"{people} people: metres may be off by {share:.0%}; give their height with --stature")
    if model.lens.views == 0:
        doubts.append("the lens was assumed, not measured: distances are as uncertain as its angle of view")
    return doubts


def _depth_range(model: CameraModel, sights: Sights) -> float:
    """The farthest over the nearest of whoever walked through the most depth."""
    ahead, most = model.positions(sights.feet)[:, 1], 1.0
    for person in np.unique(sights.whose):
        own = ahead[(sights.whose == person) & (ahead > 0)]
        if len(own):
            most = max(most, float(own.max() / own.min()))
    return most


def fit_points(pixels: Floats, places: Floats, lens: Lens) -> GroundFit:
    """The ground from four or more points (N, 2) whose places (N, 2) in metres, on any axes, are known."""
    if len(pixels) != len(places) or len(pixels) < 4:
        raise ConfigError(f"{len(pixels)} pixels for {len(places)} places", wanted="four or more of each")
    if not (np.isfinite(pixels).all() and np.isfinite(places).all()):
        raise ConfigError("points that are no numbers")
    flat = np.column_stack([places, np.zeros(len(places))])
    spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if spread[1] < 1e-3 * spread[0]:
        raise ConfigError("the places lie on one line", wanted="a quadrangle on the ground")
    good, turns, shifts, _ = cv2.solvePnPGeneric(
        flat, np.asarray(pixels, np.float64), lens.matrix, np.zeros(5), flags=cv2.SOLVEPNP_IPPE
    )
    found: list[tuple[float, Ground]] = []
    for turn, shift in zip(turns if good else (), shifts if good else (), strict=True):
        at, to = np.asarray(turn, np.float64), np.asarray(shift, np.float64)
        seen = _ground_of(np.asarray(cv2.Rodrigues(at)[0], np.float64), to.ravel())
        if seen is not None:
            found.append((_off(flat, np.asarray(pixels, np.float64), at, to, lens), seen))
    if not found:
        raise ConfigError(
            "no camera sees those points so", fix="Check their order and that metres are metres"
        )
    error, ground = min(found, key=lambda one: one[0])
    fitted = Ground(ground.height_m, ground.pitch, ground.roll, round(error, 3), len(pixels))
    doubts = [f"the points are {error:.1f} pixels off"] if error > 3 else []
    if len(pixels) == 4:
        doubts.append("four points fit almost any camera: more of them would show a slip")
    return GroundFit(fitted, (), tuple(doubts))


def _off(flat: Floats, pixels: Floats, turn: Floats, shift: Floats, lens: Lens) -> float:
    seen = cv2.projectPoints(flat, turn, shift, lens.matrix, np.zeros(5))[0].reshape(-1, 2)
    return float(np.sqrt(np.mean(np.sum((seen - pixels) ** 2, axis=1))))


def _ground_of(turn: Floats, shift: Floats) -> Ground | None:
    """Height, pitch and roll of a camera that sees a plane so; None where it looks at it from below."""
    up = turn[:, 2] if (turn.T @ shift)[2] < 0 else -turn[:, 2]
    height = -float(up @ shift)
    if height <= 0:
        return None
    return Ground(height, float(np.arcsin(np.clip(-up[2], -1, 1))), float(np.arctan2(-up[0], -up[1])))


def draw_ground(
    picture: NDArray[np.uint8], model: CameraModel, sights: Sights | None, statures_m: Sequence[float] = ()
) -> NDArray[np.uint8]:
    """A metre grid on the ground; people as seen (green) and as the model has them (red)."""
    drawn = picture.copy()
    for near in range(1, 31):
        _line(drawn, model, (-15, near), (15, near), 2 if near % 5 == 0 else 1)
    for aside in range(-15, 16):
        _line(drawn, model, (aside, 1), (aside, 30), 2 if aside % 5 == 0 else 1)
    if sights is not None:
        whose = np.unique(sights.whose, return_inverse=True)[1]
        heads = model.pixels(model.positions(sights.feet), np.array(statures_m)[whose])
        for k in range(0, len(whose), max(len(whose) // 25, 1)):
            foot, seen, fitted = (
                tuple(np.round(p[k]).astype(int).tolist()) for p in (sights.feet, sights.heads, heads)
            )
            cv2.line(drawn, foot, seen, (80, 200, 80), 2, cv2.LINE_AA)
            cv2.drawMarker(drawn, fitted, (60, 60, 230), cv2.MARKER_CROSS, 9, 2)
    assert model.ground is not None
    ground = model.ground
    text = f"{ground.height_m:.2f} m high, {np.degrees(ground.pitch):.1f} down, {ground.error_px:.1f} px"
    cv2.putText(drawn, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


def _line(
    drawn: NDArray[np.uint8], model: CameraModel, one: Sequence[float], other: Sequence[float], width: int
) -> None:
    """A line on the ground, as far as it lies before the camera."""
    assert model.ground is not None
    steps = np.linspace(np.array(one, float), np.array(other, float), 60)
    local = np.column_stack([steps, np.full(len(steps), -model.ground.height_m)]) @ model.ground.axes
    ahead = local[local[:, 2] > 0.3]
    if len(ahead) > 1:
        points = np.clip(model.lens.seen(ahead), -1e4, 1e4).round().astype(np.int32)
        cv2.polylines(drawn, [points], False, (230, 200, 120), width, cv2.LINE_AA)
