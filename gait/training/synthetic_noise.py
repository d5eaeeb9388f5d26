"""What our perception does to a walker: masks and joints of the renderer as they would have been perceived.

The numbers are fitted by ``calibration/perception_noise.py``, which renders walkers in colour, runs the
pipeline's perception over them and holds what it saw against the truth: once before near and sharp cameras,
once before any, in which it errs much more. Lengths are shares of a person's height, so that they hold at any
scale; times are the 25 Hz grid's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.skeleton import GAITWAY16
from stream.errors import FOREIGN, MessageError

FITTED: Final = Path(__file__).with_name("synthetic_noise.json")
FITTED_FAR: Final = Path(__file__).with_name("synthetic_noise_far.json")
RIGHT: Final = (1, 2, 3, 13, 14, 15)
LEFT: Final = (4, 5, 6, 10, 11, 12)
LEGS: Final = ((1, 2, 3), (4, 5, 6))
ARMS: Final = ((13, 14, 15), (10, 11, 12))
ENDS: Final = ((14, 15), (11, 12), (2, 3), (5, 6))
"""Forearms and shanks."""
TRUNK: Final = [1, 4, 10, 13]
CELL: Final = 0.05
"""The outline's errors are alike over about a twentieth of the height."""
FRAME_MEMORY: Final = 0.8
"""How much of an error is left a frame later; of 0.8 half is gone after three frames."""

Floats = NDArray[np.float64]
Masks = NDArray[np.uint8]
Order = NDArray[np.int64]


class PerceptionNoise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Standard deviations unless said otherwise, in heights; (16,) in the order of ``GAITWAY16``.

    ``outline_bias`` is how far outlines lie outside the body, ``bias_spread`` how that differs between
    walks, ``outline_walk`` and ``outline_frame`` the errors along the outline that stay for a walk and that
    change. ``blur`` is the least and the most that details are smoothed by. ``joint_walk`` and
    ``joint_frame`` are the joints' errors that stay and that change; ``world_*`` those of the 3D joints, in
    metres. ``sure_near`` and ``sure_far`` are mean confidences by side; ``legs_swapped``, ``arms_swapped``,
    ``limb_lost`` (hands and feet) and ``limb_whole`` (forearms and shanks) shares of frames. ``uneven`` is by
    how much walks differ, as the natural logarithm of the factor by which one's joints err. ``world_shares``
    (16,) are factors of ``world_*`` by joint, ``world_bias`` (16, 3) metres by which 3D joints are off in the
    mean; empty for none.
    """

    outline_bias: float
    bias_spread: float
    outline_walk: float
    outline_frame: float
    blur: tuple[float, float]
    joint_walk: tuple[float, ...]
    joint_frame: tuple[float, ...]
    world_walk: float
    world_frame: float
    sure_near: tuple[float, ...]
    sure_far: tuple[float, ...]
    legs_swapped: float
    limb_lost: float
    arms_swapped: float = 0.0
    limb_whole: float = 0.0
    uneven: float = 0.0
    world_shares: tuple[float, ...] = ()
    world_bias: tuple[tuple[float, float, float], ...] = ()

    def __post_init__(self) -> None:
        per_joint = (self.joint_walk, self.joint_frame, self.sure_near, self.sure_far)
        if any(len(values) != GAITWAY16.size for values in per_joint):
            raise ValueError(f"per-joint numbers must be {GAITWAY16.size} each")
        if any(values and len(values) != GAITWAY16.size for values in (self.world_shares, self.world_bias)):
            raise ValueError(f"numbers of 3D joints must be {GAITWAY16.size}, or none")


def fitted(path: Path = FITTED) -> PerceptionNoise:
    """The numbers that ship; raises MessageError where the file is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=PerceptionNoise)
    except (OSError, *FOREIGN) as error:
        raise MessageError(f"no perception noise ({error})", where=str(path)) from error


def perceived_masks(
    masks: Masks, height_px: float, noise: PerceptionNoise, rng: np.random.Generator
) -> Masks:
    """Masks (T, h, w), 255 on a person of ``height_px``, their outlines as perception would have them."""
    count, high, wide = masks.shape
    low, most = noise.blur
    blur_px = height_px * float(rng.uniform(low, most))
    # A smoothed edge is as steep as this, so that moving the threshold moves the outline by pixels.
    per_px = 1.0 / (blur_px * np.sqrt(2 * np.pi))
    bias = noise.outline_bias + noise.bias_spread * float(rng.standard_normal())
    rows, columns = (max(2, round(side / (CELL * height_px))) for side in (high, wide))
    still = noise.outline_walk * rng.standard_normal((rows, columns))
    moving = ar1(count, (rows, columns), rng) * noise.outline_frame
    out = np.empty_like(masks)
    for t in range(count):
        soft = cv2.GaussianBlur(masks[t], (0, 0), blur_px).astype(np.float32) / 255
        field = ((still + moving[t]) + bias).astype(np.float32) * np.float32(height_px * per_px)
        shift = cv2.resize(field, (wide, high), interpolation=cv2.INTER_LINEAR)
        out[t] = np.where(soft + np.clip(shift, -0.4, 0.4) >= 0.5, 255, 0)
    return out


def perceived_joints(
    joints: NDArray[np.float32],
    height_px: float,
    depths: Floats,
    noise: PerceptionNoise,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], Order]:
    """Joints (T, 16, 3) in pixels with errors and confidences, and which joint (T, 16) each was taken for.

    ``depths`` (T, 16) tell which side is far.
    """
    count = len(joints)
    out = joints.astype(np.float64)
    if noise.uneven:
        height_px = height_px * float(np.exp(noise.uneven * rng.standard_normal()))
    still = rng.standard_normal((1, GAITWAY16.size, 2)) * np.array(noise.joint_walk)[:, None]
    moving = ar1(count, (GAITWAY16.size, 2), rng) * np.array(noise.joint_frame)[:, None]
    out[..., :2] += (still + moving) * height_px
    out[..., 2] = _confidences(depths, noise, rng)
    order = np.tile(np.arange(GAITWAY16.size), (count, 1))
    _swap(order, LEGS, noise.legs_swapped, rng)
    if noise.arms_swapped:
        _swap(order, ARMS, noise.arms_swapped, rng)
    return reordered(out, order).astype(np.float32), order


def _swap(
    order: Order, sides: tuple[tuple[int, ...], tuple[int, ...]], share: float, rng: np.random.Generator
) -> None:
    """Right and left taken for each other in runs of frames."""
    swapped = _episodes(len(order), share, rng)
    right, left = (list(limb) for limb in sides)
    order[:, right + left] = np.where(swapped[:, None], order[:, left + right], order[:, right + left])


def reordered(joints: Floats, order: Order) -> Floats:
    """Joints (T, 16, n), each where ``order`` takes it from."""
    return np.take_along_axis(joints, order[..., None], axis=1)


def perceived_world(
    joints: NDArray[np.float32], order: Order, noise: PerceptionNoise, rng: np.random.Generator
) -> NDArray[np.float32]:
    """3D joints (T, 16, 3) metres with errors, the pelvis still the origin; ``order`` of the 2D ones."""
    still = noise.world_walk * rng.standard_normal((1, GAITWAY16.size, 3))
    moving = noise.world_frame * ar1(len(joints), (GAITWAY16.size, 3), rng)
    shares = np.array(noise.world_shares)[:, None] if noise.world_shares else 1.0
    bias = np.array(noise.world_bias) if noise.world_bias else 0.0
    moved = joints + bias + shares * (still + moving)
    return reordered(moved - moved[:, :1], order).astype(np.float32)


def lost_limbs(
    masks: Masks, joints: NDArray[np.float32], noise: PerceptionNoise, rng: np.random.Generator
) -> Masks:
    """Hands, feet, forearms and shanks missing from some runs of frames; what lies before others stays."""
    out = masks.copy()
    for limb in ENDS:
        for t in np.flatnonzero(_episodes(len(masks), noise.limb_lost, rng)):
            _cut_off(out[t], joints[t], limb, 0.6)
    if noise.limb_whole:
        for limb in ENDS:
            for t in np.flatnonzero(_episodes(len(masks), noise.limb_whole, rng)):
                _cut_off(out[t], joints[t], limb, 0.0, spared=[other for other in ENDS if other != limb])
    return out


def _cut_off(
    mask: Masks,
    joints: NDArray[np.float32],
    limb: tuple[int, int],
    share: float,
    spared: Sequence[tuple[int, int]] = (),
) -> None:
    """A limb without what lies beyond that share of it, but for trunk and ``spared`` limbs before it."""
    width = max(3, round(0.075 * mask.shape[0]))
    near, far = joints[limb[0], :2], joints[limb[1], :2]
    lost = np.zeros(mask.shape, np.uint8)
    cv2.line(lost, _pixel(near + share * (far - near)), _pixel(far + 0.7 * (far - near)), 255, width)
    cv2.fillConvexPoly(lost, cv2.convexHull(np.round(joints[TRUNK, :2]).astype(np.int32)), 0)
    for start, end in spared:
        cv2.line(lost, _pixel(joints[start, :2]), _pixel(joints[end, :2]), 0, width)
    mask[lost > 0] = 0


def ar1(count: int, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """(count, *shape) of unit spread, each frame keeping ``FRAME_MEMORY`` of the one before."""
    fresh = rng.standard_normal((count, *shape))
    fresh[1:] *= np.sqrt(1 - FRAME_MEMORY**2)
    for t in range(1, count):
        fresh[t] += FRAME_MEMORY * fresh[t - 1]
    return fresh


def _confidences(depths: Floats, noise: PerceptionNoise, rng: np.random.Generator) -> Floats:
    """(T, 16): the far side's joints are less sure, the more the sides differ in depth."""
    across = depths[:, [1, 13]].mean(axis=1) - depths[:, [4, 10]].mean(axis=1)
    share = np.clip(np.median(across) / 0.3, -1, 1)  # 0.3 m: the shoulders' width, seen from the side
    near, far = np.array(noise.sure_near), np.array(noise.sure_far)
    middle = (near + far) / 2
    means = middle.copy()
    for side, sign in ((RIGHT, 1.0), (LEFT, -1.0)):
        own = list(side)
        means[own] = middle[own] - sign * share * (near - far)[own] / 2
    spread = 0.35 * np.sqrt(np.clip(means * (1 - means), 0, None))
    walk = rng.standard_normal((1, GAITWAY16.size)) * spread
    frame = ar1(len(depths), (GAITWAY16.size,), rng) * spread
    return np.asarray(np.clip(means + walk + frame, 0.02, 1.0), np.float64)


def _episodes(count: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(count,) frames in runs of some, ``share`` of them in the mean, walks differing much."""
    own = min(0.9, share * float(rng.exponential()))
    state = ar1(count, (), rng)
    return np.asarray(state > np.sqrt(2) * _inverse_erf(1 - 2 * own))


def _inverse_erf(value: float) -> float:
    """Winitzki's approximation; to a hundredth, which is enough for a share of frames."""
    value = float(np.clip(value, -0.999999, 0.999999))
    log, a = np.log(1 - value**2), 0.147
    first = 2 / (np.pi * a) + log / 2
    return float(np.sign(value) * np.sqrt(np.sqrt(first**2 - log / a) - first))


def _pixel(point: NDArray[np.float32]) -> tuple[int, int]:
    x, y = np.clip(np.round(point), -10_000, 10_000).astype(int).tolist()
    return x, y
