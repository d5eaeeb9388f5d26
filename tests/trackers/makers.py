"""Small makers of messages for the tracker's tests."""

import numpy as np

from stream.messages import IDENTITY, Affine, Array, Body, EndOfStream, FrameRef, People, Person, Quality

SECOND = 1_000_000_000
EPOCH = 1_700_000_000 * SECOND
NO_KEYPOINTS = Array.of(np.zeros((0, 3), np.float32))


def person(
    box: tuple[float, float, float, float] = (100.0, 100.0, 180.0, 340.0),
    score: float = 0.9,
    keypoints: Array = NO_KEYPOINTS,
    quality: Quality | None = None,
    hint: int | None = None,
) -> Person:
    """A person of good quality at ``box``."""
    good = Quality(height_px=box[3] - box[1], confidence=0.9)
    return Person(box, score, "coco17", keypoints, quality or good, hint=hint)


def people(
    at_ns: int,
    *persons: Person,
    number: int = 0,
    camera: str = "door",
    run: str = "r",
    motion: Affine = IDENTITY,
) -> People:
    """One 1080p frame's people, captured ``at_ns`` after the epoch of the tests."""
    return People(FrameRef(camera, run, number, EPOCH + at_ns, at_ns, 1920, 1080), persons, motion)


def end(camera: str = "door", run: str = "r") -> EndOfStream:
    """The end of one camera's stream."""
    return EndOfStream(camera, run, 0, 0)


def walker(
    at_s: float, x: float = 200.0, y: float = 200.0, speed: float = 100.0, height: float = 240.0
) -> Person:
    """A person ``height`` pixels tall who walks to the right at ``speed`` pixels per second, ankles swinging."""
    left = x + speed * at_s
    centre, width = left + height / 6, height / 3
    swing = 0.2 * height * np.sin(2 * np.pi * 0.9 * at_s)
    points = np.zeros((17, 3), np.float32)
    points[:, 0] = centre
    points[:, 1] = y + height * np.linspace(0.05, 0.98, 17)
    points[15, 0], points[16, 0] = centre - swing, centre + swing
    points[:, 2] = 0.9
    return person((left, y, left + width, y + height), keypoints=Array.of(points))


def body(value: int = 255, joints: float = 0.0) -> Body:
    """A silhouette of one grey and joints all at one place."""
    return Body(
        Array.of(np.full((64, 44), value, np.uint8)),
        Array.of(np.full((16, 3), joints, np.float32)),
        Array.of(np.full((16, 3), joints, np.float32)),
    )
