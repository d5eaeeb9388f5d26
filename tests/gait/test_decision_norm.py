"""Scores told against strangers: somebody who looks like everybody needs more, and bad cohorts are refused."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from gait.decision_norm import Cohort, built_in_cohort, load_cohort, normalised, save_cohort
from gait.gallery.index import GalleryIndex
from gait.identify import Decider
from gait.score_map import ScoreMap
from stream.errors import ConfigError
from tests.strategies_gallery import MODEL, unit

STRANGERS = np.stack([unit(1000 + n) for n in range(60)])
COHORT = Cohort(MODEL, STRANGERS)


def test_a_told_score_is_in_deviations_above_the_nearest_strangers() -> None:
    probes, templates = np.stack([unit(1), unit(2)]), np.stack([unit(3), unit(4), unit(5)])
    told = normalised(probes @ templates.T, COHORT.usual(probes), COHORT.usual(templates))
    top = [np.sort(STRANGERS @ vector)[-30:] for vector in (probes[0], templates[1])]
    by_hand = [(probes[0] @ templates[1] - one.mean()) / one.std() for one in top]
    assert told[0, 1] == pytest.approx(np.mean(by_hand), rel=1e-4)
    assert told.shape == (2, 3)


def test_who_looks_like_many_needs_a_higher_score() -> None:
    common = STRANGERS[:30].mean(axis=0)
    common = (common / np.linalg.norm(common)).astype(np.float32)
    rare = unit(7)
    both = COHORT.usual(np.stack([common, rare]))
    told = normalised(np.full((2, 1), 0.8), both, COHORT.usual(unit(9)[None]))
    assert told[0, 0] < told[1, 0]


def test_a_cohort_changes_who_is_nearest_only_through_what_is_usual() -> None:
    matrix = np.stack([unit(3), unit(4)])
    index = GalleryIndex(MODEL, 1, ("p1", "p2"), ("A", "B"), matrix, np.array([0, 1]))
    told = index.scores(unit(1)[None], COHORT)
    wanted = normalised(unit(1)[None] @ matrix.T, COHORT.usual(unit(1)[None]), COHORT.usual(matrix))
    np.testing.assert_allclose(told, wanted, rtol=1e-6)


def test_a_map_and_a_cohort_go_together() -> None:
    told = ScoreMap(MODEL, -3.0, 1.0, 0.0, 100, 1000, "made up", normalised=True)
    assert Decider(told, cohort=COHORT).score_map.evidence(np.array([[3.0]]), np.array([50]))[0, 0] == 0
    for score_map, cohort in ((told, None), (ScoreMap(MODEL, -3.0, 1.0, 0.0, 9, 9, "made up"), COHORT)):
        with pytest.raises(ConfigError, match="go together"):
            Decider(score_map, cohort=cohort)


def test_a_cohort_comes_back_from_its_file(tmp_path: Path) -> None:
    save_cohort(COHORT, tmp_path / "c.npz")
    again = load_cohort(tmp_path / "c.npz", MODEL)
    np.testing.assert_allclose(again.vectors, STRANGERS, atol=1e-3)
    with pytest.raises(ConfigError, match="is of model"):
        load_cohort(tmp_path / "c.npz", "other")


def test_what_is_no_cohort_gets_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "no.npz", other=np.zeros(3))
    np.savez(tmp_path / "few.npz", model=np.array(MODEL), vectors=STRANGERS[:5])
    with zipfile.ZipFile(tmp_path / "bytes.npz", "w") as file:
        file.writestr("model", MODEL)
        file.writestr("vectors", b"no array")
    (tmp_path / "text.npz").write_text("not a cohort")
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("no", "few", "bytes", "text", "empty", "missing"):
        with pytest.raises(ConfigError) as caught:
            load_cohort(tmp_path / f"{name}.npz", MODEL)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="unit vectors"):
        Cohort(MODEL, STRANGERS * 2)


def test_a_model_without_a_cohort_has_none() -> None:
    assert built_in_cohort("nothing", MODEL) is None


def test_samples_of_low_quality_count_less_where_the_map_says_so() -> None:
    plain = ScoreMap(MODEL, -2.0, 4.0, 50.0, 100, 1000, "made up")
    weighed = ScoreMap(MODEL, -2.0, 4.0, 50.0, 100, 1000, "made up", quality_power=2.0)
    scores, samples = np.array([[0.9]]), np.array([50.0])
    good, bad = np.array([1.0]), np.array([0.3])
    assert plain.evidence(scores, samples, bad) == plain.evidence(scores, samples)
    assert weighed.evidence(scores, samples, good) == plain.evidence(scores, samples)
    assert 0 < weighed.evidence(scores, samples, bad) < plain.evidence(scores, samples)
    with pytest.raises(ValueError, match="quality_power"):
        ScoreMap(MODEL, -2.0, 4.0, 50.0, 100, 1000, "made up", quality_power=-1.0)
