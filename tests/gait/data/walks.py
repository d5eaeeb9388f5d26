"""Small walks for the data tests."""

import numpy as np

from gait.data.store import Entry
from gait.inputs import Walk
from gait.sample import sample_walk
from gait.skeleton import GAITWAY16


def some_walk(seed: int, frames: int = 6) -> Walk:
    return sample_walk(seed, frames)


def binary_walk(seed: int, frames: int = 5) -> Walk:
    """Silhouettes of 0 and 255 alone, and nothing else; an odd number of pixels."""
    rng = np.random.default_rng(seed)
    images = (rng.random((frames, 7, 5)) > 0.5).astype(np.uint8) * 255
    return Walk(images, np.zeros((frames, 16, 0), np.float32), None, GAITWAY16)


def entry(
    person: str = "001", condition: str = "nm-01", view: str = "090", frames: int = 6, name: str = ""
) -> Entry:
    return Entry(person, condition, view, frames, name)


def same(first: Walk, second: Walk) -> bool:
    space = (first.joints_3d is None) == (second.joints_3d is None)
    if space and first.joints_3d is not None and second.joints_3d is not None:
        space = np.array_equal(first.joints_3d, second.joints_3d)
    return (
        space
        and np.array_equal(first.silhouettes, second.silhouettes)
        and np.array_equal(first.joints_2d, second.joints_2d)
        and first.layout == second.layout
    )
