"""What the skeleton nets are fed, computed outside their graphs: numpy in, numpy out, no torch.

GaitGraph2 (Teepe et al. 2022) sees three branches of five numbers per joint and frame:

    branch     0, 1                 2            3, 4
    joints     x, y                 confidence   x, y from the centre joint
    velocity   step to frame t+1    confidence   step to frame t+2
    bones      x, y from parent     confidence   angles of the bone to both axes

The released code wrote the confidence of the last two branches over index 3 and left index 2 at zero;
``as_released`` repeats that for checkpoints trained so.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.pose_graph import PoseGraph
from stream.errors import MessageError

Array = NDArray[np.float32]

CONFIDENCE: Final = 2
CONFIDENCE_AS_RELEASED: Final = 3
BRANCHES: Final = ("joints", "velocity", "bones")
FEATURES: Final = 5
VIEWS: Final = ("as it is", "time reversed", "left and right swapped")
# A person is about 4 torsos tall; what lies further out than this is a fault of the pose net.
FARTHEST_TORSOS: Final = 10.0
# Beyond any sensor's range in pixels or metres; squares of it still fit float64 with room to spare.
FARTHEST_COORDINATE: Final = 1e7
BONE_EPSILON: Final = 1e-4


def normalise(joints: NDArray[np.floating], graph: PoseGraph, *, missing_last: bool = True) -> Array:
    """Root-centred per frame and scaled by the sequence's median torso: (T, V, C) -> (T, V, C) float32.

    With ``missing_last`` the last channel is a confidence: it is kept, and a joint of confidence 0 counts
    as missing. Without it a joint that is not finite does, and one at the very origin, where sensors put what
    they lost, unless the walk is root-centred already. A missing joint ends at the root.
    """
    _check(joints, graph)
    points, confidence = places_and_confidence(joints, graph, missing_last=missing_last)
    present = confidence > 0
    root = _followed(points, present, graph.root)
    centred = points - root[:, None]
    scale = _torso_length(centred, present, graph.torso)
    scaled = np.clip(centred / scale, -FARTHEST_TORSOS, FARTHEST_TORSOS)
    scaled[~present] = 0.0
    if missing_last:
        scaled = np.concatenate([scaled, confidence[..., None]], axis=-1)
    return scaled.astype(np.float32)


def _check(joints: NDArray[np.floating], graph: PoseGraph) -> None:
    if joints.ndim != 3 or joints.shape[1] != graph.size or joints.shape[2] < 2 or not len(joints):
        raise MessageError(
            f"joints of shape {joints.shape}",
            where=f"skeleton {graph.layout.name}",
            wanted=f"(frames, {graph.size}, coordinates) with at least one frame",
        )


def places_and_confidence(
    joints: NDArray[np.floating], graph: PoseGraph, *, missing_last: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates made finite (T, V, C), and a confidence in [0, 1] per joint, 0 for a missing one."""
    wide = joints.astype(np.float64)
    points = wide[..., :-1] if missing_last else wide
    sane = np.all(np.isfinite(points) & (np.abs(points) < FARTHEST_COORDINATE), axis=-1)
    if missing_last:
        confidence = np.where(sane, np.clip(np.nan_to_num(wide[..., -1], posinf=1.0), 0.0, 1.0), 0.0)
    else:
        at_origin = np.all(points == 0, axis=-1)
        root_centred = bool(np.all(at_origin[:, list(graph.root)]))
        confidence = (sane & (root_centred | ~at_origin)).astype(np.float64)
    return np.where(sane[..., None], points, 0.0), confidence


def _followed(
    points: NDArray[np.float64], present: NDArray[np.bool_], root: tuple[int, ...]
) -> NDArray[np.float64]:
    """The body's origin per frame, (T, C); where its joints are missing, the mean of those seen."""
    chosen = list(root)
    complete = np.all(present[:, chosen], axis=1)
    seen = np.maximum(present.sum(1), 1)[:, None]
    mean = (points * present[..., None]).sum(1) / seen
    origin: NDArray[np.float64] = np.where(complete[:, None], points[:, chosen].mean(1), mean)
    return origin


def _torso_length(centred: NDArray[np.float64], present: NDArray[np.bool_], torso: tuple[int, ...]) -> float:
    """Median over the frames that show the torso; else twice the visible joints' spread; else 1."""
    chosen = list(torso)
    complete = np.all(present[:, chosen], axis=1)
    lengths = np.linalg.norm(centred[:, chosen].mean(1), axis=-1)[complete]
    lengths = lengths[lengths > 0]
    if len(lengths):
        return float(np.median(lengths))
    spread = float(np.sqrt((centred[present] ** 2).mean())) if present.any() else 0.0
    return 2.0 * spread if spread > 0 else 1.0


def branches(joints: Array, graph: PoseGraph, *, as_released: bool = False) -> Array:
    """Joints, velocity and bones: (..., T, V, 3) of x, y, confidence -> (..., T, V, 3, 5) float32."""
    place, confidence = joints[..., :2], joints[..., 2]
    out = np.zeros((*joints.shape[:-1], len(BRANCHES), FEATURES), dtype=np.float32)
    out[..., 0, :3] = joints[..., :3]
    out[..., 0, 3:] = place - place[..., graph.centre, None, :]
    steps = joints.shape[-3] - 2  # the last two frames have no frame t+2 and stay at rest
    if steps > 0:
        here = place[..., :steps, :, :]
        out[..., :steps, :, 1, :2] = place[..., 1 : 1 + steps, :, :] - here
        out[..., :steps, :, 1, 3:] = place[..., 2 : 2 + steps, :, :] - here
    bone = place - place[..., list(graph.parents), :]
    length = np.sqrt((bone**2).sum(-1, keepdims=True)) + np.float32(BONE_EPSILON)
    out[..., 2, :2] = bone
    out[..., 2, 3:] = np.arccos(np.clip(bone / length, -1.0, 1.0))  # rounding may leave [-1, 1]
    confidence_index = CONFIDENCE_AS_RELEASED if as_released else CONFIDENCE
    out[..., 1, confidence_index] = confidence
    out[..., 2, confidence_index] = confidence
    return out


def inference_views(joints: Array, graph: PoseGraph) -> Array:
    """The sequence in each of ``VIEWS``: (T, V, C) -> (3, T, V, C)."""
    return np.stack([joints, joints[::-1], joints[:, graph.swap]])


def mirrored(joints: Array, graph: PoseGraph) -> Array:
    """The walker seen in a mirror: x negated and left exchanged with right, (..., V, C)."""
    out = joints[..., graph.swap, :].copy()
    out[..., 0] = -out[..., 0]
    return out


def fit_frames(joints: NDArray[np.floating], frames: int) -> Array:
    """Exactly ``frames`` of them: the middle of a longer sequence, a shorter one bounced at its ends."""
    have = len(joints)
    if have >= frames:
        start = (have - frames) // 2
        return joints[start : start + frames].astype(np.float32)
    there_and_back = [*range(have), *range(have - 2, 0, -1)]
    lead = (frames - have) // 2
    order = [there_and_back[(step - lead) % len(there_and_back)] for step in range(frames)]
    return joints[order].astype(np.float32)
