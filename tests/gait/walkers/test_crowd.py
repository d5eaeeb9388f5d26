"""People hide each other without colours as they do in full."""

import numpy as np
import pytest

from gait.walkers.camera import Camera
from gait.walkers.crowd import together
from gait.walkers.path import Path
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import Sight, see
from gait.walkers.scene import Scene, Walker

CAMERA = Camera(640, 360, focal=420.0, height=1.3, pitch=0.04)
TIMES = np.arange(0.6, 2.6, 0.1)
WALKERS = (
    Walker(sample_person(1, "near", population=STREET), Path.line((-2.0, 4.0), (2.0, 4.0))),
    Walker(sample_person(2, "middle", population=STREET), Path.line((2.0, 4.8), (-2.0, 4.8))),
    Walker(sample_person(3, "far", population=STREET), Path.line((-1.6, 5.6), (2.4, 5.6))),
)


def sights(times: np.ndarray = TIMES) -> list[Sight]:
    return [see(one.walk.person, one.walk.pose(times), CAMERA) for one in WALKERS]


def test_what_shows_is_what_the_full_renderer_shows() -> None:
    shown = together(sights())
    scene = Scene(1, CAMERA, WALKERS, seconds=3.0, fps=10)
    differences = []
    for number in range(0, TIMES.size, 3):
        truth = {person.identity: person for person in scene.frame(6 + number).truth}
        for walker, one in zip(WALKERS, shown, strict=True):
            differences.append(abs(one.share[number] - truth[walker.person.name].visible))
    assert max(differences) < 0.06
    assert min(one.share.min() for one in shown) < 0.6


def test_the_nearest_is_whole_and_nobody_gains_pixels() -> None:
    alone = sights()
    for own, one in zip(alone, together(alone), strict=True):
        assert (one.sight.masks <= own.masks).all()
        assert np.array_equal(one.sight.joints_2d, own.joints_2d)
    assert (together(alone)[0].share == 1.0).all()


def test_one_person_alone_is_all_there() -> None:
    (one,) = together(sights()[:1])
    assert (one.share == 1.0).all()
    assert together([]) == []


def test_sights_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sights of \[10, 20\] instants"):
        together([sights()[0], sights(TIMES[:10])[1]])
