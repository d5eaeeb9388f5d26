"""The labelled scores that the baseline's map rests on pair everybody's visits as the pipeline would."""

import numpy as np
import pytest

from calibration.baseline import SCORE_PEOPLE, VIEW_PEOPLE, average_people, labelled
from calibration.scores import fit_score_map
from calibration.walkers import CAMERA, circle, crossing
from engines.embed import EmbedConfig
from gait.baseline import BaselineEmbedder
from gait.walkers.scene import Scene
from stream.messages import Sample
from tests.gait.test_baseline import joints, sample, silhouette

EMBEDDER = BaselineEmbedder()


def visit(person: int, start: int, frames: int = 60) -> list[Sample]:
    """Somebody walking at the calibration's frame rate: two steps of the 25 Hz grid a frame."""
    return [sample(2 * k, silhouette(person, k + start)) for k in range(frames)]


def visits(people: int = 8) -> list[tuple[list[Sample], list[Sample]]]:
    return [(visit(person, 0), visit(person, 5)) for person in range(people)]


def test_every_pool_meets_everybody_enrolled() -> None:
    found = labelled(EMBEDDER, visits())
    assert found.people == 8
    assert len(found.scores) == 8 * found.same.sum()
    assert found.samples.min() == 2 * (EmbedConfig().first_samples // 2)
    assert found.samples.max() == pytest.approx(2 * 60, abs=5)
    assert found.scores[found.same].min() > found.scores[~found.same].mean()


def test_somebody_who_was_not_seen_is_left_out() -> None:
    blind = [*visits(3), ([], visit(5, 0)), (visit(6, 0), [])]
    assert labelled(EMBEDDER, blind).people == 3


def test_the_average_person_of_each_view_is_who_was_seen_from_there() -> None:
    right = visit(1, 0, 24)
    left = [sample(k, silhouette(1, k)[:, ::-1], joints(30.0, leftwards=True)) for k in range(24)]
    views = average_people([[*right, *left]])
    mean = np.mean([silhouette(1, k) for k in range(24)], axis=0)
    np.testing.assert_allclose(views[6], mean, atol=1.0)
    np.testing.assert_allclose(views[8], mean, atol=1.0)
    assert not views[[0, 1, 2, 3, 4, 10, 11, 12]].any()


def test_a_map_can_be_fitted_to_them() -> None:
    many = [visits()[k % 8] for k in range(24)]
    fitted = fit_score_map(labelled(EMBEDDER, many), EMBEDDER.model.digest, "drawn")
    assert fitted.checked_for(EMBEDDER.model.digest) is fitted
    assert fitted.people == 24


def middle(scene: Scene, time_s: float) -> np.ndarray:
    pose = scene.walkers[0].pose(time_s)
    assert pose is not None
    return CAMERA.project(pose.joints[:1])[0][0]


@pytest.mark.parametrize("person", [3_000_000, 3_000_001])
def test_both_visits_go_the_same_way_and_cross_the_picture(person: int) -> None:
    ways = []
    for number in (0, 1):
        scene = crossing(person, number)
        start, end = (middle(scene, at * scene.seconds)[0] for at in (0.02, 0.98))
        assert {start < CAMERA.width / 2, end < CAMERA.width / 2} == {True, False}
        ways.append(start < end)
    assert ways[0] == ways[1] == bool(person % 2)


def test_a_circle_stays_in_the_picture() -> None:
    scene = circle(2_000_003)
    places = np.array([middle(scene, at * scene.seconds) for at in np.linspace(0, 0.99, 20)])
    assert (places > 0).all()
    assert (places < (CAMERA.width, CAMERA.height_px)).all()
    assert np.ptp(places[:, 0]) > 200


def test_nobody_serves_both_files() -> None:
    assert not set(VIEW_PEOPLE) & set(SCORE_PEOPLE)
