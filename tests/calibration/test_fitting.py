"""A fit on labelled tracks holds on people it has not seen, says what it rests on, and refuses too few."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.diagrams import det_curve, reliability_diagram
from calibration.fitting import fit
from calibration.tracks import LabelledTracks, pooled, read_tracks
from commands import calibrate_scores
from gait.score_map import load_score_map
from run_pipeline import main
from stream.errors import ConfigError
from tests.strategies_gallery import embedding, unit

DIMENSION = 64


def walked(people: int = 60, visits: int = 4, by: float = 1.6, seed: int = 0) -> LabelledTracks:
    """People as random directions, each visit some way off."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 1, DIMENSION))
    centres /= np.linalg.norm(centres, axis=2, keepdims=True)
    noise = rng.normal(size=(people, visits, DIMENSION)) / np.sqrt(DIMENSION)
    vectors = (centres + by * noise).reshape(-1, DIMENSION)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owners = np.repeat([f"person {n}" for n in range(people)], visits)
    visit = np.tile([f"visit {n}" for n in range(visits)], people)
    return LabelledTracks("m" * 32, vectors.astype(np.float32), owners, visit, np.full(len(vectors), 100.0))


def saved(tracks: LabelledTracks, path: Path) -> Path:
    np.savez(
        path,
        vectors=tracks.vectors,
        people=tracks.people,
        visits=tracks.visits,
        samples=tracks.samples,
        model=np.array(tracks.model),
    )
    return path


def test_scores_are_against_other_visits_alone() -> None:
    tracks = walked(people=3, visits=2)
    scores = tracks.scores()
    assert (len(scores.scores), scores.same.sum()) == (18, 6)
    first = tracks.vectors[0] @ tracks.vectors[1]
    assert scores.scores[scores.same][0] == pytest.approx(float(first), abs=1e-6)


def test_a_person_seen_once_has_no_score_with_themselves() -> None:
    tracks = walked(people=3, visits=2)
    once = tracks.of(np.arange(6) != 1)
    scores = once.scores()
    assert scores.people == 2
    assert (scores.whose[scores.same] > 0).all()


def test_told_probabilities_hold_on_people_left_out() -> None:
    fitted = fit(walked(people=200), 0.01, "made up")
    assert fitted.summary.expected_calibration_error < 0.06
    assert (fitted.summary.people, fitted.summary.tracks) == (200, 800)
    fresh = walked(people=200, seed=9).scores()
    alarms = (fresh.scores[~fresh.same] >= fitted.summary.score_threshold).mean()
    assert alarms == pytest.approx(0.01, abs=0.005)
    assert 0 < fitted.summary.equal_error_rate < 0.3


def test_too_few_people_are_refused_with_how_many_are_wanted() -> None:
    with pytest.raises(ConfigError, match="at least 20 people"):
        fit(walked(people=10), 0.01, "made up")
    with pytest.raises(ConfigError, match="cannot show a rate"):
        fit(walked(people=30), 1e-6, "made up")


def test_pictures_show_curves_inside_their_frames() -> None:
    fitted = fit(walked(), 0.05, "made up")
    for picture in (
        reliability_diagram(fitted.reliability, "a"),
        det_curve(fitted.misses, fitted.alarms, "b"),
    ):
        blue = (picture[:, :, 0].astype(int) - picture[:, :, 2]) > 60
        rows, columns = np.nonzero(blue)
        assert blue.sum() > 200
        assert 60 < rows.min() < rows.max() < picture.shape[0] - 60
        assert 60 < columns.min() < columns.max() < picture.shape[1] - 60


def test_the_verb_writes_a_map_that_a_run_can_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = saved(walked(), tmp_path / "tracks.npz")
    out = tmp_path / "out"
    assert main(["calibrate", "scores", str(labels), "--json", "--out", str(out), "--about", "made up"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["people"] == 60
    score_map = load_score_map(out / "score_map.json")
    assert (score_map.model, score_map.fitted_on) == ("m" * 32, "made up")
    assert json.loads((out / "report.json").read_text())["score_threshold"] == told["score_threshold"]
    for name in ("reliability.png", "det.png"):
        assert cv2.imread(str(out / name)) is not None


def test_labels_that_are_none_get_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    (tmp_path / "bad.csv").write_text("clip,person\na.mp4\n")
    for name in ("text.npz", "other.npz", "missing.npz", "bad.csv", "missing.csv"):
        assert main(["calibrate", "scores", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
        line = capsys.readouterr().err
        assert line.startswith("gaitway: ")
        assert line.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_bad_columns_are_refused() -> None:
    good = walked(people=3)
    for wrong in (good.vectors * 2, np.full_like(good.vectors, np.nan), good.vectors[:2]):
        with pytest.raises(ConfigError):
            LabelledTracks("m", wrong, good.people, good.visits, good.samples)
    with pytest.raises(ConfigError, match="no labelled track"):
        pooled("m", [], 10.0)


def test_tracks_are_pooled_as_the_decision_pools_them(tmp_path: Path) -> None:
    tracks = pooled(
        "m", [("Ada", "a.mp4", [embedding(unit(1), at_s=2.0), embedding(unit(1), at_s=4.0)])], 10.0
    )
    np.testing.assert_allclose(tracks.vectors[0], unit(1), atol=1e-6)
    assert tracks.samples[0] == 100
    again = read_tracks(saved(tracks, tmp_path / "t.npz"))
    assert again.people.tolist() == ["Ada"]


def test_labels_are_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("clip,person\na.mp4, Ada\n\nsub/b.mp4,Ben\n")
    rows = list(calibrate_scores._rows(tmp_path / "l.csv"))
    assert rows == [(tmp_path / "a.mp4", "Ada"), (tmp_path / "sub" / "b.mp4", "Ben")]
