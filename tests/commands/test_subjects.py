"""Nets as evaluate judges them: several together, windows of long walks, and nets trained on a gallery alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from commands.subjects import embedder_of, together, windows
from gait.data.records import Entry, Partition
from gait.data.source import make_walk
from gait.data.store import DataSetWriter
from gait.evaluation.distances import distances
from stream.errors import ConfigError, MessageError
from tests.commands.test_evaluate import run

CONFIG = """
model: { family: deepgaitv2, size: tiny, config: { channels: [4, 4, 4, 4], embedding: 4, height: 32, width: 24 } }
sampler: { people: 2, clips: 2, clip: { kind: contiguous, frames: 1 } }
augment: { mirror: 0.0 }
optimizer: { kind: adamw, rate: 0.01 }
schedule: { kind: constant }
trainer: { steps: 2, device: cpu, threads: 1 }
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Four people, three runs each, two of them normal."""
    folder = tmp_path_factory.mktemp("subjects") / "set"
    rng = np.random.default_rng(0)
    with DataSetWriter(folder) as writer:
        for person in "abcd":
            body = rng.integers(0, 2, (32, 24), np.uint8) * np.uint8(255)
            for view, condition in (("01", "N"), ("02", "N"), ("03", "AR")):
                writer.add(Entry(person, condition, view, 2), make_walk(np.stack([body, body])))
        writer.finish(Partition(test=tuple("abcd")))
    return folder


def test_several_nets_answer_with_the_mean_of_their_distances() -> None:
    """Whatever their strips and widths: half of one net's cosine distance, half of the other's."""
    rng = np.random.default_rng(1)
    answers = [rng.normal(size=(2, 4, 6)), rng.normal(size=(2, 1, 9))]
    walks = [make_walk(np.full((1, 2, 2), k, np.uint8)) for k in range(2)]
    nets = [lambda walk, net=net: net[walk.silhouettes[0, 0, 0]].astype(np.float32) for net in answers]
    both = np.stack([together(nets)(walk) for walk in walks])
    each = [distances(a[:1].astype(np.float32), a[1:].astype(np.float32), "cosine") for a in answers]
    assert distances(both[:1], both[1:], "cosine") == pytest.approx(np.mean(each), abs=1e-6)


@pytest.mark.parametrize(("have", "starts"), [(60, [0]), (40, [0]), (120, [0, 30, 60]), (100, [0, 30, 40])])
def test_windows_overlap_by_half_and_reach_the_end(have, starts) -> None:
    frames = np.arange(have, dtype=np.float32)
    found = windows(frames, 60)
    assert [part[0] for part in found] == starts
    assert found[-1][-1] == have - 1
    assert {len(part) for part in found} == {min(have, 60)}


def test_a_net_is_trained_on_each_gallery_alone_and_taken_up_again(data, tmp_path, capsys) -> None:
    """Three galleries, two nets each; a second call finds them finished and answers the same."""
    pytest.importorskip("torch")
    config = tmp_path / "small.yaml"
    config.write_text(CONFIG)
    words = ("--train", config, "--nets", "2", "--data", data, "--protocol", "leave-run-out", "--json")
    words += ("--runs", tmp_path / "runs", "--set", "trainer.log_every=1")
    run(*words)
    first = json.loads(capsys.readouterr().out)
    made = sorted((tmp_path / "runs" / "evaluate-small").glob("seed-*/*/model.safetensors"))
    assert len(made) == 6
    assert [group["name"] for group in first["groups"]] == ["normal to normal", "normal to AR"]
    report = json.loads(made[0].with_name("report.json").read_text())
    assert report["training_people"] == 4
    assert sorted(
        {json.loads(p.with_name("report.json").read_text())["training_sequences"] for p in made}
    ) == [4, 8]
    run(*words)
    assert json.loads(capsys.readouterr().out) == first


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--nets", "2"], "belong to --train"),
        (["--set", "trainer.steps=1"], "belong to --train"),
        (["--lda"], "--lda is for nets"),
    ],
)
def test_what_only_nets_have_is_refused_for_others(data, words, reason) -> None:
    with pytest.raises(ConfigError, match=reason):
        run("--baseline", "average-silhouette", "--data", data, "--protocol", "leave-run-out", *words)


def test_an_odd_number_of_nets_is_refused(data, tmp_path) -> None:
    with pytest.raises(ConfigError, match="1 to 64"):
        run("--train", tmp_path / "x.yaml", "--nets", "0", "--data", data, "--protocol", "leave-run-out")


def test_a_gallery_that_lacks_what_the_net_needs_is_named(data, tmp_path) -> None:
    """While it trains, not by a stack trace: silhouettes alone do not teach a net of joints."""
    pytest.importorskip("torch")
    config = tmp_path / "joints.yaml"
    config.write_text("model: { family: siamesegait }\nlosses: { triplet: {} }\n")
    with pytest.raises(MessageError, match=r"[abcd]/N/0[12]: the walk has no 3D joints"):
        run("--train", config, "--data", data, "--protocol", "leave-run-out", "--runs", tmp_path / "runs")


def test_a_config_that_is_not_there_is_named(data, tmp_path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=r"none.yaml: is not a file.*configs/"):
        run("--train", tmp_path / "none.yaml", "--data", data, "--protocol", "leave-run-out")


def test_the_feature_after_the_neck_has_unit_strips() -> None:
    families = pytest.importorskip("gait.models.registry")
    config = {"channels": (4, 4, 4, 4), "embedding": 4, "height": 32, "width": 24}
    net = families.build("deepgaitv2", "tiny", **config)
    walk = make_walk(np.full((2, 32, 24), 255, np.uint8))
    before, after = (embedder_of(net, name)(walk) for name in ("embed_1", "embed_2"))
    assert before.shape == after.shape == (8, 4)
    assert np.linalg.norm(after, axis=1) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(before, after)
