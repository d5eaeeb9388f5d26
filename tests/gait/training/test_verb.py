"""The verb train: prepared data and a config in, a model and a report out; errors are one line."""

import argparse
import json
from pathlib import Path

import pytest
import yaml

from commands import train as verb
from gait.data.layouts import export_opengait
from gait.data.store import DataSet, DataSetWriter, Entry
from gait.sample import sample_walk
from stream.errors import ConfigError, GaitwayError
from tests.gait.training.fakes import SMALL_CONV


@pytest.fixture
def data(tmp_path) -> Path:
    """Four walkers, two walks each, as `prepare` leaves them."""
    with DataSetWriter(tmp_path / "data") as writer:
        for person in range(4):
            for turn in range(2):
                walk = sample_walk(person, frames=8, phase=0.2 * turn)
                writer.add(Entry(f"p{person}", f"nm-{turn}", "090", 8), walk)
        writer.finish()
    return tmp_path / "data"


def written(tmp_path, **sections) -> Path:
    path = tmp_path / "small.yaml"
    fields = {
        "model": {"family": "deepgaitv2", "config": SMALL_CONV},
        "sampler": {"people": 2, "clips": 2, "clip": {"kind": "unordered", "frames": 3}},
        "trainer": {"steps": 3, "log_every": 1, "device": "cpu"},
    }
    path.write_text(yaml.safe_dump(fields | sections))
    return path


def called(*flags: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args([*map(str, flags)]))


def test_a_run_is_told_as_json_and_resumed(data, tmp_path, capsys) -> None:
    config = written(tmp_path)
    flags = (config, "--data", data, "--out", tmp_path / "run", "--json")
    assert called(*flags) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["family"], first["step"], first["chosen"]) == ("deepgaitv2", 3, "last iteration")
    with pytest.raises(ConfigError, match="holds a run of 3 steps"):
        called(*flags)
    assert called(*flags, "--resume") == 0
    assert json.loads(capsys.readouterr().out)["digest"] == first["digest"]


def test_a_run_is_told_in_words(data, tmp_path, capsys) -> None:
    config = written(tmp_path)
    overrides = ("--set", "trainer.validate_every=2", "--set", "data.validation_share=0.5")
    assert called(config, "--data", data, "--out", tmp_path / "run", *overrides) == 0
    said = capsys.readouterr().err
    assert "step 2: rank-1 among held-out people" in said
    assert "deepgaitv2, last iteration, step 3 of 3" in said
    assert "no test person was read" in said


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"trainer": {"stesp": 3}}, "unknown key 'stesp'. Did you mean 'steps'?"),
        ({"losses": {"triplet": None}}, "names no term"),
        ({"data": {"root": "/nowhere"}}, "there is no data set here"),
        ({}, "names no data"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(sections, said, tmp_path) -> None:
    with pytest.raises(GaitwayError) as caught:
        called(written(tmp_path, **sections), "--out", tmp_path / "run")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_family_that_is_none_is_refused(data, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"no gait family deepgait;.*Did you mean deepgaitv2"):
        called(written(tmp_path, model={"family": "deepgait"}), "--data", data, "--out", tmp_path / "run")


def test_a_foreign_config_runs_as_it_is(data, tmp_path, capsys) -> None:
    """Its tree of pickles is prepared first; what is not known is named."""
    tree = tmp_path / "tree"
    export_opengait(DataSet.open(data), tree)
    partition = tmp_path / "split.json"
    partition.write_text(json.dumps({"TRAIN_SET": ["p0", "p1", "p2"], "TEST_SET": ["p3"]}))
    config = tmp_path / "foreign.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "data_cfg": {"dataset_root": str(tree), "dataset_partition": str(partition)},
                "model_cfg": {
                    "model": "DeepGaitV2",
                    "Backbone": {"layers": [1, 1, 1, 1], "channels": [4, 4, 4, 4]},
                },
                "loss_cfg": [{"type": "TripletLoss"}, {"type": "CrossEntropyLoss"}],
                "trainer_cfg": {
                    "total_iter": 2,
                    "novelty": 1,
                    "sampler": {
                        "batch_size": [2, 2],
                        "frames_num_fixed": 3,
                        "sample_type": "fixed_unordered",
                    },
                },
            }
        )
    )
    assert called(config, "--out", tmp_path / "run", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["training_people"] == 3
    assert "left out: trainer_cfg.novelty" in told.err


def test_the_sample_that_ships_trains_as_it_is(tmp_path, capsys, monkeypatch) -> None:
    """SilSkeletonGait's own form of data and config."""
    monkeypatch.chdir(Path(__file__).parents[3])
    assert called(Path("configs/samples/silskeletongait.yaml"), "--out", tmp_path / "run", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["family"], report["step"]) == ("silskeletongait", 10)
