"""Masks and joints without colours, under a millisecond a frame: data to train on by the thousand.

    person = sample_person(seed, population=STREET).under(sample_conditions(seed, visit))
    walk = aligned(pass_by(person, sample_view(seed, number), frames=60, visit=visit), GAITWAY16)

Every ring of a walker's flesh is an ellipse in the picture. Its furthest points in ``DIRECTIONS`` directions
are known in closed form, and the further of two neighbouring rings' points make the convex outline of the
flesh between them; the mask is all of these filled.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gait.inputs import Walk as Inputs
from gait.silhouette import HEIGHT, WIDTH, align, transform_points
from gait.skeleton import BLAZEPOSE33, Layout, convert
from gait.walkers.camera import NEAR_M, Camera
from gait.walkers.flesh import dress
from gait.walkers.landmarks import landmarks
from gait.walkers.motion import Pose, Walk
from gait.walkers.person import Person
from gait.walkers.tubes import Tube, low_rings
from gait.walkers.variation import as_walked
from gait.walkers.vectors import Floats
from gait.walkers.views import View

DIRECTIONS = 16
MASK_PX = 128.0
"""How tall a person is in a mask: twice the silhouette, about what the pose net's own mask holds."""
MARGIN_PX = 3.0
SHIFT = 4
"""Fixed-point bits of a corner's position."""
EDGE_PX = 0.5
"""cv2 fills the pixels under an outline's border too: outlines are drawn narrower by this much."""
LENGTH_SHARE = 1.1
"""A path is this much longer than what is seen of the walk."""
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
TURN = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
TOWARDS = np.stack([np.cos(TURN), np.sin(TURN)], axis=1).astype(np.float32)
"""(DIRECTIONS, 2) unit vectors in the picture."""

Single = NDArray[np.float32]


@dataclass(frozen=True)
class Sight:
    """What a camera sees of one person alone over T instants.

    ``masks`` uint8 (T, h, w): 255 on the person, who is ``MASK_PX`` tall in each. ``to_image`` (T, 3)
    scale, left, top: the middle of a mask's pixel lies at x = scale * (column + 0.5) + left in the image,
    y likewise, counted from the picture's top left corner. ``boxes`` (T, 4) image pixels.
    ``joints_2d`` (T, 33, 2) image pixels and ``joints_3d`` (T, 33, 3) metres in the camera frame (x right,
    y down, z ahead), both in the order of ``BLAZEPOSE33``. ``whole`` (T,): the body is in view altogether.
    """

    masks: NDArray[np.uint8]
    to_image: Floats
    boxes: Floats
    joints_2d: Floats
    joints_3d: Floats
    whole: NDArray[np.bool_]


def see(person: Person, pose: Pose, camera: Camera, mask_px: float = MASK_PX) -> Sight:
    """Masks and joints of ``person`` in a ``pose`` of T instants (``Walk.pose`` of an array of times).

    Instants at which part of the body is behind the camera have an empty mask and are not ``whole``.
    """
    tubes = dress(person, pose, sides=8, outline=True)
    centres, left, front, depth = _projected(tubes, camera)
    points, reach = _extents(tubes, centres, left, front)
    boxes = _boxes(reach)
    scale = (boxes[:, 3] - boxes[:, 1]) / (mask_px - 2 * MARGIN_PX)
    corner = boxes[:, :2] - MARGIN_PX * scale[:, None]
    width = np.ceil((boxes[:, 2] - boxes[:, 0]) / scale + 2 * MARGIN_PX).max(initial=0.0)
    masks = np.zeros((scale.size, int(np.ceil(mask_px)), int(width)), np.uint8)
    outlines = _outlines(tubes, points, reach, scale, corner)
    ahead = depth > NEAR_M
    for number in np.flatnonzero(ahead):
        for outline in outlines[number]:
            cv2.fillConvexPoly(masks[number], outline, 255, cv2.LINE_8, SHIFT)
        # Outlines drawn narrower leave pinholes where they meet.
        cv2.morphologyEx(masks[number], cv2.MORPH_CLOSE, CROSS, masks[number])
    inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= (camera.width, camera.height_px)).all(axis=1)
    joints = landmarks(person, pose)
    pixels, _ = camera.project(joints)
    place = np.column_stack([scale, corner])
    return Sight(masks, place, boxes, pixels, camera.to_camera(joints), ahead & inside)


def pass_by(
    person: Person, view: View, frames: int, visit: int | None = None, phase: float = 0.0, fps: float = 25.0
) -> Sight:
    """``frames`` instants of a person passing a camera: the quick way to a training sequence.

    The same person under other conditions, on another ``visit``, in another ``view`` or from another
    ``phase`` (strides) of the gait makes another sequence of the same identity. The same arguments always
    give the same bytes.
    """
    seconds = frames / fps
    path = view.path(LENGTH_SHARE * as_walked(person, visit).gait.speed * person.conditions.pace * seconds)
    walk = Walk(person, path, phase=phase, visit=visit)
    times = (walk.timing.seconds - seconds) / 2 + np.arange(frames) / fps
    return see(walk.person, walk.pose(times), view.camera)


def aligned(sight: Sight, layout: Layout = BLAZEPOSE33, width: int = WIDTH) -> Inputs:
    """``sight`` as nets are fed: silhouettes (T, 64, width), joints in their pixels, metres about the pelvis.

    Instants without a mask have an empty silhouette and joints of confidence 0.
    """
    count = len(sight.masks)
    images = np.zeros((count, HEIGHT, width), np.uint8)
    points = np.zeros((count, BLAZEPOSE33.size, 3), np.float32)
    for number, mask in enumerate(sight.masks):
        found = align(mask, width=width)
        if found is None:
            continue
        scale, left, top = sight.to_image[number]
        images[number] = found.image
        points[number, :, :2] = transform_points(
            (sight.joints_2d[number] - (left, top)) / scale - 0.5, found.transform
        )
        points[number, :, 2] = 1.0
    world = convert(sight.joints_3d, BLAZEPOSE33, layout, confidence=False).points
    hips = sight.joints_3d[:, BLAZEPOSE33.indices("left_hip", "right_hip")].mean(axis=1)
    placed = convert(points, BLAZEPOSE33, layout).points
    return Inputs(images, placed, (world - hips[:, None]).astype(np.float32), layout)


def _projected(tubes: list[Tube], camera: Camera) -> tuple[Single, Single, Single, Floats]:
    """Centres (T, R, 2) of all rings in pixels, pixels per metre along their two axes, least depth (T,)."""
    centre, left, front = (
        np.concatenate([getattr(tube, part) for tube in tubes], axis=-2)
        for part in ("centre", "left", "front")
    )
    local = camera.to_camera(centre)
    depth = np.maximum(local[..., 2:], NEAR_M)
    flat = local[..., :2] / depth
    middle = np.array([camera.width / 2, camera.height_px / 2])

    def seen(axis: Floats) -> Single:
        turned = axis @ camera.axes.T
        return ((turned[..., :2] - flat * turned[..., 2:]) * (camera.focal / depth)).astype(np.float32)

    pixels = (flat * camera.focal + middle).astype(np.float32)
    return pixels, seen(left), seen(front), local[..., 2].min(axis=-1)


def _extents(tubes: list[Tube], centres: Single, left: Single, front: Single) -> tuple[Single, Single]:
    """The furthest point of each ring in each direction (T, R, K, 2), and how far that is (T, R, K)."""
    half = np.concatenate([tube.half for tube in tubes], axis=-2).astype(np.float32)
    aside = (left @ TOWARDS.T) * half[..., :1]
    ahead = front @ TOWARDS.T
    deep = np.where(ahead > 0, half[..., 1:2], half[..., 2:3])
    ahead *= deep
    far = np.sqrt(aside * aside + ahead * ahead) + np.float32(1e-6)
    across = (aside * half[..., :1] / far)[..., None] * left[..., None, :]
    points = centres[..., None, :] + across + (ahead * deep / far)[..., None] * front[..., None, :]
    return points, far + centres @ TOWARDS.T


def _boxes(reach: Single) -> Floats:
    """(T, 4) left, top, right, bottom from how far all rings reach in the directions along the axes."""
    quarter = DIRECTIONS // 4
    far = reach[..., ::quarter].max(axis=1).astype(np.float64)
    return np.stack([-far[:, 2], -far[:, 3], far[:, 0], far[:, 1]], axis=1)


def _outlines(
    tubes: list[Tube], points: Single, reach: Single, scale: Floats, corner: Floats
) -> NDArray[np.int32]:
    """(T, R - tubes, K, 2) outlines of the flesh between rings, fixed-point pixels of the mask."""
    low = low_rings(tubes)
    first = reach[:, low] > reach[:, low + 1]
    hull = np.where(first[..., None], points[:, low], points[:, low + 1])
    finer = ((1 << SHIFT) / scale).astype(np.float32)
    hull *= finer[:, None, None, None]
    inset = np.float32(1 << SHIFT) * (np.float32(0.5) + np.float32(EDGE_PX) * TOWARDS)
    hull -= (corner.astype(np.float32) * finer[:, None])[:, None, None] + inset
    return np.round(hull, out=hull).astype(np.int32)
