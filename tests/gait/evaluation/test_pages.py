"""Charts keep to their axes; pictures show the pairs they name; submissions have GREW's form."""

import base64
import itertools

import cv2
import numpy as np
import pytest

from gait.evaluation import submission
from gait.evaluation.baselines import baseline
from gait.evaluation.charts import charts, least, shade
from gait.evaluation.embedding import Subject
from gait.evaluation.pictures import best_and_worst, png, strip
from gait.evaluation.result import Matrix
from gait.evaluation.run import evaluate
from gait.inputs import Walk
from gait.skeleton import KINECT18
from stream.errors import ConfigError
from tests.strategies_evaluation import entries_of, walks_of

PEOPLE = [f"{i:02d}" for i in range(8)]
ENTRIES = entries_of(
    *(f"{p}/a/1/{n}:{role}" for p, (n, role) in itertools.product(PEOPLE, enumerate(("probe", "gallery")))),
    "stranger/a/1/0:probe",
)


@pytest.fixture(scope="module")
def outcome():
    return evaluate(walks_of(ENTRIES, noise=60), baseline("average-silhouette"), "lists")


@pytest.mark.parametrize("same", [False, True])
def test_every_point_and_mark_lies_within_its_chart(outcome, same) -> None:
    if same:
        outcome = evaluate(walks_of(ENTRIES), Subject("same", lambda walk: np.ones((1, 2))), "lists")
    drawn = charts(outcome.evaluation.groups)
    assert [chart.title.split()[0] for chart in drawn] == ["Identification", "Verification", "Open"]
    for chart in drawn:
        points = [tuple(map(float, p.split(","))) for line in chart.lines for p in line.points.split()]
        assert points
        for x, y in points:
            assert chart.left <= x <= chart.right
            assert chart.top <= y <= chart.bottom
        assert all(chart.left <= tick.at <= chart.right for tick in chart.x_ticks)


def test_matrix_colours_rise_with_the_value() -> None:
    matrix = Matrix(("a", "b"), ("a", "b"), ((None, 0.57), (0.91, None)))
    assert least([matrix]) == 0.5
    strength = [float(shade(value, 0.5).split()[-1][:-1]) for value in (0.5, 0.57, 0.91, 1.0)]
    assert strength == sorted(set(strength))
    assert shade(None, 0.5) == "transparent"
    assert shade(1.0, 1.0) != "transparent"


def test_best_and_worst_are_the_widest_margins(outcome) -> None:
    """An embedder that knows all but person 03, whom it takes for 04."""
    known = {p: np.eye(9)[i] for i, p in enumerate([*PEOPLE, "stranger"])}
    walks = walks_of(ENTRIES)
    told = {walk.silhouettes.tobytes(): entry for entry, walk in walks.walks.items()}

    def embedder(walk):
        entry = told[walk.silhouettes.tobytes()]
        wrong = entry.person == "03" and entry.role == "probe"
        return known["04" if wrong else entry.person][None]

    found = evaluate(walks, Subject("one slip", embedder), "lists")
    best, worst = best_and_worst(walks, found.studied, "euclidean")
    assert len(best) == 4
    assert all(case.mate is None and case.probe.title[:2] == case.nearest.title[:2] for case in best)
    (slip,) = worst
    assert (slip.probe.title, slip.nearest.title) == ("03/a/1/0", "04/a/1/1")
    assert (slip.mate.title, slip.nearest.distance) == ("03/a/1/1", 0.0)


def test_a_strip_holds_frames_from_the_whole_walk_as_a_png() -> None:
    frames = np.zeros((30, 64, 44), np.uint8)
    frames[-1] = 255
    picture = strip(Walk(frames, np.zeros((30, 16, 0), np.float32)))
    assert picture.shape == (64, 8 * 44)
    assert picture[:, -44:].all()
    assert not picture[:, :-44].any()
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(png(picture)), np.uint8), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(decoded, picture)


def test_skeletons_are_drawn_where_there_are_no_silhouettes() -> None:
    joints = np.random.default_rng(0).normal(size=(5, 18, 3)).astype(np.float32)
    joints[2] = np.nan
    bare = np.zeros((5, 0, 0), np.uint8), np.zeros((5, 18, 0), np.float32)
    picture = strip(Walk(*bare, joints, KINECT18))
    assert [bool(picture[:, 64 * i : 64 * i + 64].any()) for i in range(5)] == [True, True, False, True, True]
    assert not strip(Walk(*bare, joints * np.nan, KINECT18)).any()
    assert not strip(Walk(*bare)).any()


def test_a_submission_lists_twenty_people_by_distance(tmp_path) -> None:
    entries = entries_of(*(f"{i:05d}/01/seq{i}" for i in range(30)), "probe/03/video7", "probe/03/video8")
    walks = walks_of(entries, noise=0)
    vectors = {entry: np.full((1, 1), float(i if i < 30 else i - 30)) for i, entry in enumerate(entries)}
    told = {id(walk): entry for entry, walk in walks.walks.items()}
    found = evaluate(walks, Subject("number", lambda walk: vectors[told[id(walk)]]), "grew")
    submission.write(found.studied[0], "euclidean", tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "videoId," + ",".join(f"rank{k}" for k in range(1, 21))
    assert lines[1] == "video7," + ",".join(str(i) for i in range(20))
    assert lines[2].startswith("video8,1,0,2,3")
    assert len(lines) == 3


def test_a_gallery_of_fewer_than_twenty_is_no_submission(outcome) -> None:
    with pytest.raises(ConfigError, match="a gallery of 8 walks"):
        submission.rows(outcome.studied[0], "euclidean")
