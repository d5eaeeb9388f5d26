"""Hypothesis strategies for the trackers: frames of people with boxes on a dyadic lattice.

Pixels are multiples of 1/8 and times of 1/64 s, so that shifting and scaling by powers of two is exact and a
property may ask for equality instead of nearness.
"""

from __future__ import annotations

from hypothesis import strategies as st

from stream.messages import IDENTITY, Array, FrameRef, People, Person, Quality
from tests.trackers.makers import EPOCH, NO_KEYPOINTS

TICK_NS = 1_000_000_000 // 64
MIDDLE = 16384.0
pixels = st.integers(0, 8 * 600).map(lambda n: MIDDLE + n / 8)
"""Far from every border of the frames, which are 32768 pixels wide and high."""
scores = st.sampled_from([0.05, 0.1, 0.3, 0.6, 0.7, 0.9, 1.0])


@st.composite
def persons(draw: st.DrawFn) -> Person:
    """Anyone, anywhere: any score, with or without a hint."""
    left, top = draw(pixels), draw(pixels)
    width, height = draw(st.integers(8, 80)), draw(st.integers(32, 240))
    hint = draw(st.none() | st.integers(0, 3))
    keypoints: Array = NO_KEYPOINTS
    return Person(
        (left, top, left + width, top + height),
        draw(scores),
        "coco17",
        keypoints,
        Quality(float(height)),
        hint=hint,
    )


@st.composite
def scenes(draw: st.DrawFn, max_frames: int = 8, max_people: int = 5) -> list[People]:
    """A camera's first frames: people who drift, come and go, at uneven times."""
    crowd = draw(st.lists(persons(), max_size=max_people))
    frames: list[People] = []
    at_ns = 0
    for number in range(draw(st.integers(1, max_frames))):
        here = []
        for person in crowd:
            if draw(st.integers(0, 4)):
                dx, dy = draw(st.integers(-40, 40)) / 8, draw(st.integers(-16, 16)) / 8
                left, top, right, bottom = person.box
                box = (left + dx * number, top + dy, right + dx * number, bottom + dy)
                here.append(
                    Person(box, person.score, "coco17", NO_KEYPOINTS, person.quality, hint=person.hint)
                )
        ref = FrameRef("door", "r", number, EPOCH + at_ns, at_ns, 32768, 32768)
        frames.append(People(ref, tuple(draw(st.permutations(here))), IDENTITY))
        at_ns += draw(st.integers(1, 40)) * TICK_NS
    return frames
