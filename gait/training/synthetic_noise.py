"""What our perception does to a walker: masks and joints of the renderer as they would have been perceived.

The numbers are fitted by ``calibration/perception_noise.py``, which renders walkers in colour, runs the
pipeline's perception over them and holds what it saw against the truth. Lengths are shares of a person's
height, so that they hold at any scale; times are the 25 Hz grid's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gait.skeleton import GAITWAY16
from stream.errors import FOREIGN, MessageError

FITTED: Final = Path(__file__).with_name("synthetic_noise.json")
RIGHT: Final = (1, 2, 3, 13, 14, 15)
LEFT: Final = (4, 5, 6, 10, 11, 12)
LEGS: Final = ((1, 2, 3), (4, 5, 6))
ARMS: Final = ((13, 14, 15), (10, 11, 12))
CELL: Final = 0.05
"""The outline's errors are alike over about a twentieth of the height."""
FRAME_MEMORY: Final = 0.8
"""How much of an error is left a frame later; of 0.8 half is gone after three frames."""

Floats = NDArray[np.float64]
Masks = NDArray[np.uint8]


class PerceptionNoise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Standard deviations unless said otherwise, in heights; (16,) in the order of ``GAITWAY16``.

    ``outline_bias`` is how far outlines lie outside the body, ``bias_spread`` how that differs between
    walks, ``outline_walk`` and ``outline_frame`` the errors along the outline that stay for a walk and that
    change. ``blur`` is the least and the most that details are smoothed by. ``joint_walk`` and
    ``joint_frame`` are the joints' errors that stay and that change; ``world_*`` those of the 3D joints, in
    metres. ``sure_near`` and ``sure_far`` are mean confidences by side; ``legs_swapped`` and ``limb_lost``
    shares of frames.
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

    def __post_init__(self) -> None:
        per_joint = (self.joint_walk, self.joint_frame, self.sure_near, self.sure_far)
        if any(len(values) != GAITWAY16.size for values in per_joint):
            raise ValueError(f"per-joint numbers must be {GAITWAY16.size} each")


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
) -> NDArray[np.float32]:
    """Joints (T, 16, 3) in pixels with errors and confidences; ``depths`` (T, 16) tell which side is far."""
    count = len(joints)
    out = joints.astype(np.float64)
    still = rng.standard_normal((1, GAITWAY16.size, 2)) * np.array(noise.joint_walk)[:, None]
    moving = ar1(count, (GAITWAY16.size, 2), rng) * np.array(noise.joint_frame)[:, None]
    out[..., :2] += (still + moving) * height_px
    out[..., 2] = _confidences(depths, noise, rng)
    swapped = _episodes(count, noise.legs_swapped, rng)
    right, left = (list(leg) for leg in LEGS)
    out[:, right + left] = np.where(swapped[:, None, None], out[:, left + right], out[:, right + left])
    return out.astype(np.float32)


def perceived_world(
    joints: NDArray[np.float32], noise: PerceptionNoise, rng: np.random.Generator
) -> NDArray[np.float32]:
    """3D joints (T, 16, 3) metres with errors, the pelvis still the origin."""
    still = noise.world_walk * rng.standard_normal((1, GAITWAY16.size, 3))
    moving = noise.world_frame * ar1(len(joints), (GAITWAY16.size, 3), rng)
    moved = joints + still + moving
    return (moved - moved[:, :1]).astype(np.float32)


def lost_limbs(
    masks: Masks, joints: NDArray[np.float32], noise: PerceptionNoise, rng: np.random.Generator
) -> Masks:
    """Forearms and feet missing from some runs of frames; what lies before the trunk stays."""
    out, height = masks.copy(), masks.shape[1]
    width = max(3, round(0.075 * height))
    trunk = [1, 4, 10, 13]
    for start, end in ((14, 15), (11, 12), (2, 3), (5, 6)):
        for t in np.flatnonzero(_episodes(len(masks), noise.limb_lost, rng)):
            near, far = joints[t, start, :2], joints[t, end, :2]
            from_here = near + 0.6 * (far - near)
            beyond = far + 0.7 * (far - near)
            lost = np.zeros(masks.shape[1:], np.uint8)
            cv2.line(lost, _pixel(from_here), _pixel(beyond), 255, width)
            body = cv2.convexHull(np.round(joints[t, trunk, :2]).astype(np.int32))
            cv2.fillConvexPoly(lost, body, 0)
            out[t][lost > 0] = 0
    return out


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
