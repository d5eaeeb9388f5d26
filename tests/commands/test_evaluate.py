"""The verb evaluate: figures as JSON, a page that fetches nothing, nets and simple recognisers, bad input."""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands import evaluate
from gait.data.store import DataSetWriter, Partition
from gait.evaluation.baselines import BASELINES
from stream.errors import ConfigError, GaitwayError, WeightsError
from tests.strategies_evaluation import entries_of, walks_of

PEOPLE = [f"{i:03d}" for i in range(75, 81)]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six people as CASIA-B has them, two views, silhouettes of 64 x 44."""
    folder = tmp_path_factory.mktemp("evaluate") / "set"
    keys = [f"{p}/{c}/{v}" for p in PEOPLE for c in ("nm-01", "nm-05", "cl-01") for v in ("000", "090")]
    walks = walks_of(entries_of(*keys), noise=5)
    with DataSetWriter(folder) as writer:
        for entry in walks.entries:
            walk = walks.read(entry)
            grown = np.kron(walk.silhouettes, np.ones((1, 8, 11), np.uint8))
            joints = np.zeros((4, 16, 0), np.float32)
            writer.add(
                type(entry)(entry.person, entry.condition, entry.view, 4),
                replace(walk, silhouettes=grown, joints_2d=joints),
            )
        writer.finish(Partition(test=tuple(PEOPLE)))
    return folder


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    evaluate.configure(parser)
    return evaluate.run(parser.parse_args([str(word) for word in words]))


def test_figures_come_as_json(data, capsys) -> None:
    assert run("--baseline", "average-silhouette", "--data", data, "--protocol", "casia-b", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["protocol"], found["control"]) == ("casia-b", "none")
    assert [group["name"] for group in found["groups"]] == ["NM", "CL"]
    assert found["groups"][0]["rank"]["1"]["value"] == 1.0
    assert set(found["groups"][0]["open_set"]["dir"]) == {"0.001", "0.01", "0.1"}


def test_the_table_shows_every_group(data, capsys) -> None:
    words = ("--protocol", "casia-b", "--control", "single-frame")
    run("--baseline", "average-silhouette", "--data", data, *words)
    shown = capsys.readouterr().out
    assert "control single-frame" in shown
    for name in ("NM", "CL", "rank-1", "mINP", "EER", "DIR at FPIR 1.0%"):
        assert name in shown


def test_the_report_fetches_nothing_and_escapes_what_it_shows(data, tmp_path, capsys) -> None:
    page = tmp_path / "report.html"
    run("--baseline", "average-silhouette", "--data", data, "--protocol", "casia-b", "--out", page)
    text = page.read_text()
    assert text.count("<polyline") == 3 * 2
    assert "Rank-1 per cell" in text
    assert "data:image/png;base64," in text
    for fetched in ("http", "<script", "@import", "url("):
        assert fetched not in text


def test_a_net_goes_through_the_same_door(data, tmp_path, capsys) -> None:
    families = pytest.importorskip("gait.models.registry")
    checkpoints = pytest.importorskip("gait.models.checkpoints")
    weights = checkpoints.save(families.build("deepgaitv2"), tmp_path / "walk")
    run("--weights", weights, "--data", data, "--protocol", "casia-b", "--metric", "cosine", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["embedder"] == "deepgaitv2 (walk.safetensors)"
    # Untrained, but the people differ plainly, and a net that kept nothing of its input would not tell them.
    assert found["groups"][0]["rank"]["1"]["value"] > 0.5


@pytest.mark.parametrize(
    ("words", "error", "reason"),
    [
        (["--protocol", "casiab"], ConfigError, "Did you mean casia-b"),
        (["--protocol", "usf"], ConfigError, "finds no probes and gallery"),
        (["--protocol", "casia-b", "--out", "/nowhere/x.html"], GaitwayError, "cannot be written"),
    ],
)
def test_bad_input_gets_one_clear_line(data, words, error, reason) -> None:
    with pytest.raises(error, match=reason) as caught:
        run("--baseline", "average-silhouette", "--data", data, *words)
    assert "\n" not in str(caught.value)


def test_missing_weights_and_data_are_named(data, tmp_path, monkeypatch) -> None:
    pytest.importorskip("torch")
    with pytest.raises(WeightsError, match="none"):
        run("--weights", tmp_path / "none.safetensors", "--data", data, "--protocol", "casia-b")
    with pytest.raises(GaitwayError, match="is not a folder"):
        run("--baseline", "motion", "--data", tmp_path / "none", "--protocol", "casia-b")
    monkeypatch.delenv("GAITWAY_DATA", raising=False)
    with pytest.raises(ConfigError, match="GAITWAY_DATA with usf17 in it"):
        run("--baseline", "pca-lda", "--protocol", "usf")


def test_a_net_of_skeletons_refuses_silhouettes(data, tmp_path) -> None:
    families = pytest.importorskip("gait.models.registry")
    checkpoints = pytest.importorskip("gait.models.checkpoints")
    for family, reason in (
        ("gaitgraph2", "2D joints"),
        ("skeletongait", "2D joints"),
        ("siamesegait", "3D joints"),
    ):
        weights = checkpoints.save(families.build(family), tmp_path / family)
        with pytest.raises(GaitwayError, match=f"no {reason}"):
            run("--weights", weights, "--data", data, "--protocol", "casia-b")


@pytest.mark.parametrize("name", ["bone-lengths", "motion"])
def test_a_recogniser_of_skeletons_refuses_silhouettes(data, name) -> None:
    assert name in BASELINES
    with pytest.raises(GaitwayError, match="no 3D joints"):
        run("--baseline", name, "--data", data, "--protocol", "casia-b")


@pytest.mark.parametrize(
    ("baseline", "protocol", "least"), [("average-silhouette", "usf", 0.78), ("pca-lda", "usf", 0.94),
                                        ("bone-lengths", "leave-run-out", 0.6)]
)  # fmt: skip
def test_real_data_gives_the_figures_of_the_docs(baseline, protocol, least, capsys) -> None:
    folder = evaluate.KNOWN_FOLDERS[protocol]
    if not (Path(os.environ.get("GAITWAY_DATA", "/nonexistent")) / folder).is_dir():
        pytest.skip(f"GAITWAY_DATA has no {folder}")
    run("--baseline", baseline, "--protocol", protocol, "--json")
    found = json.loads(capsys.readouterr().out)["groups"][0]
    assert found["rank"]["1"]["value"] >= least
