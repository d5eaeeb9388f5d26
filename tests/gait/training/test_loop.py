"""A run ends as it says: the same when resumed, never on test people, refusing what it cannot use."""

import json

import cv2
import msgspec
import numpy as np
import pytest
import torch

from gait.data.store import DataError, Partition
from gait.models.checkpoints import load
from gait.training.config import TrainingConfig
from gait.training.log import read_log, steps_of, validations_of
from gait.training.loop import train
from gait.training.people import split
from stream.errors import ConfigError, MessageError, WeightsError
from tests.gait.training.fakes import FakeSource, config


def curve(out):
    return [(line.step, line.loss, line.parts, line.rate) for line in steps_of(read_log(out / "log.jsonl"))]


class StopNow(Exception):
    """Raised by a watch, as a kill between two steps would end the run."""


def stopping_after(step):
    def watch(line):
        if line.step >= step:
            raise StopNow

    return watch


VARIANTS = {
    "plain": {},
    "averaged": {"trainer": {"ema": 0.9}},
    "adamw": {"optimizer": {"kind": "adamw", "clip_norm": 1.0}},
    "one_cycle": {"schedule": {"kind": "one_cycle"}},
    "fp16": {"trainer": {"precision": "float16"}},
    "bf16": {"trainer": {"precision": "bfloat16"}},
    "validated": {"trainer": {"validate_every": 2, "reported": "best"}},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(variant, tmp_path) -> None:
    """The same bytes of the model, the same losses, parts and rates at every step."""
    family = "siamesegait" if variant == "adamw" else "gaitgraph2"
    sections = {name: dict(fields) for name, fields in VARIANTS[variant].items()}
    if family == "siamesegait":
        # Dropout draws from the run's random state, so that must be restored as well.
        sections["model"] = {
            "config": {
                "graph": "gaitway16",
                "frames": 8,
                "widths": [8],
                "heads": 2,
                "spatial_hidden": 8,
                "width": 8,
                "hidden": 8,
                "depth": 1,
                "bins": [1, 2],
                "bin_width": 8,
                "aggregate_width": 8,
                "embedding": 8,
                "dropout": 0.2,
            }
        }
        sections["losses"] = {
            "triplet": {"mining": "hard", "unit": True},
            "contrastive": {},
            "cross_entropy": None,
        }
        sections["optimizer"] |= {"rate": 1e-3}
    settings = config(family, **sections)
    whole = train(settings, FakeSource(), tmp_path / "whole")
    with pytest.raises(StopNow):
        train(settings, FakeSource(), tmp_path / "broken", watch=stopping_after(5))
    assert not (tmp_path / "broken" / "model.safetensors").exists()
    resumed = train(settings, FakeSource(), tmp_path / "broken", resume=True)
    assert resumed.digest == whole.digest
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken")]
    assert weights[0] == weights[1]
    assert curve(tmp_path / "whole") == curve(tmp_path / "broken")
    assert len(curve(tmp_path / "whole")) == 8


def test_a_conv_net_learns_walkers_apart(tmp_path) -> None:
    """With classes; the loss falls and the handed-over model loads and embeds."""
    settings = config(
        "deepgaitv2",
        sampler={"people": 4, "clips": 2, "clip": {"kind": "ordered", "frames": 3}},
        trainer={"steps": 16},
        schedule={"kind": "constant"},
    )
    report = train(settings, FakeSource(people=4), tmp_path)
    losses = [loss for _, loss, _, _ in curve(tmp_path)]
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    net = load(tmp_path / report.weights)
    assert net.config.classes == 4
    assert report.chosen == "last iteration"
    assert report.step == 16
    assert 0 < report.peak_memory_mib < 100_000
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture.shape[1] == 900
    assert (picture != 255).any()


def test_workers_make_no_difference(tmp_path) -> None:
    one = train(config(), FakeSource(), tmp_path / "none")
    other = train(config(data={"workers": 2}), FakeSource(), tmp_path / "two")
    assert one.digest == other.digest


def test_another_seed_is_another_run(tmp_path) -> None:
    digests = {
        train(config(trainer={"seed": seed, "steps": 2}), FakeSource(), tmp_path / str(seed)).digest
        for seed in (0, 1)
    }
    assert len(digests) == 2


def test_validation_people_come_from_training_people_and_test_people_are_never_read(tmp_path) -> None:
    source = FakeSource(
        people=9, partition=Partition(train=("p00", "p01", "p02", "p03", "p04"), test=("p05", "p06"))
    )
    report = train(config(trainer={"validate_every": 4}), source, tmp_path)
    assert len(report.validation_people) == 2
    assert set(report.validation_people) < {"p00", "p01", "p02", "p03", "p04"}
    assert source.asked <= {"p00", "p01", "p02", "p03", "p04"}
    assert report.training_people == 3
    lines = validations_of(read_log(tmp_path / "log.jsonl"))
    assert [line.step for line in lines] == [4, 8]
    assert all(0 <= line.rank_1 <= 1 for line in lines)


def test_a_partitions_own_validation_people_are_used() -> None:
    source = FakeSource(partition=Partition(train=("p00", "p01"), test=("p02",), validation=("p03", "p04")))
    found = split(source, config().data, validating=True)
    assert (found.people, found.validation_people) == (("p00", "p01"), ("p03", "p04"))
    assert split(source, config().data, validating=False).people == ("p00", "p01")


def test_patience_ends_the_run_and_the_report_says_so(tmp_path) -> None:
    settings = config(
        trainer={"validate_every": 1, "patience": 2, "steps": 50, "reported": "best"},
        optimizer={"rate": 1e-9},
    )
    report = train(settings, FakeSource(), tmp_path)
    assert report.ended_early
    assert report.chosen == "best on held-out people"
    assert report.step == 1
    assert len(curve(tmp_path)) == 3
    again = train(settings, FakeSource(), tmp_path, resume=True)
    assert again.digest == report.digest
    assert len(curve(tmp_path)) == 3


def test_checkpoints_kept_are_last_best_and_every_so_many(tmp_path) -> None:
    train(config(trainer={"checkpoint_every": 1, "keep_every": 4, "steps": 10}), FakeSource(), tmp_path)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "step-00000004",
        "step-00000008",
        "step-00000010",
    ]


def test_a_folder_with_a_run_is_not_overwritten(tmp_path) -> None:
    train(config(trainer={"steps": 1}), FakeSource(), tmp_path)
    with pytest.raises(ConfigError, match="holds a run of 1 steps"):
        train(config(trainer={"steps": 1}), FakeSource(), tmp_path)


def test_a_run_is_not_resumed_with_other_settings_or_data(tmp_path) -> None:
    train(config(), FakeSource(), tmp_path)
    with pytest.raises(ConfigError, match=r"optimizer.rate \(then 0.05, now 0.5\)"):
        train(config(optimizer={"rate": 0.5}), FakeSource(), tmp_path, resume=True)
    with pytest.raises(ConfigError, match="the sequences of the data set"):
        train(config(), FakeSource(sequences=4), tmp_path, resume=True)


@pytest.mark.parametrize("damage", ["cut", "flip", "json"])
def test_a_damaged_checkpoint_is_named(damage, tmp_path) -> None:
    train(config(), FakeSource(), tmp_path)
    folder = tmp_path / "checkpoints" / "step-00000008"
    tensors = folder / "state.safetensors"
    content = bytearray(tensors.read_bytes())
    if damage == "json":
        (folder / "state.json").write_text("{")
    else:
        content[-1] ^= 1
        tensors.write_bytes(content[:-7] if damage == "cut" else content)
    with pytest.raises(WeightsError, match="step-00000008"):
        train(config(), FakeSource(), tmp_path, resume=True)


def test_joints_that_are_no_numbers_are_refused_naming_the_sequence(tmp_path) -> None:
    """From a worker process too, in one line."""
    source = FakeSource()
    for entry in source.entries:
        source.spoil(entry)
    for workers in (0, 1):
        with pytest.raises(MessageError, match=r"p0\d/nm-0\d/090: joints_2d hold NaN") as caught:
            train(config(data={"workers": workers}), source, tmp_path / str(workers))
        assert "\n" not in str(caught.value)


def test_one_person_is_too_few(tmp_path) -> None:
    with pytest.raises(DataError, match="1 people to train on remain"):
        train(config(), FakeSource(people=1), tmp_path)


def test_a_loss_that_is_no_number_ends_the_run_in_one_line(tmp_path) -> None:
    settings = config(
        optimizer={"rate": 1e6, "momentum": 0.99}, trainer={"steps": 60}, schedule={"kind": "constant"}
    )
    with pytest.raises(MessageError, match=r"the loss is (nan|inf) at step \d+"):
        train(settings, FakeSource(), tmp_path)


def test_classes_of_a_family_without_a_classifier_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="gaitgraph2 has no classifier"):
        train(config(losses={"cross_entropy": {}}), FakeSource(), tmp_path)


def test_a_run_may_begin_with_the_weights_of_another(tmp_path) -> None:
    """Another number of people: all but the classifier is taken, and the report names what was not."""
    first = train(config("deepgaitv2", trainer={"steps": 1}), FakeSource(people=4), tmp_path / "a")
    settings = config("deepgaitv2", trainer={"steps": 1}, optimizer={"rate": 1e-12})
    model = msgspec.structs.replace(settings.model, weights=str(tmp_path / "a" / first.weights))
    settings = msgspec.structs.replace(settings, model=model)
    second = train(settings, FakeSource(people=6), tmp_path / "b")
    assert second.left_out == ["BNNecks.fc_bin"]
    before, after = (load(tmp_path / run / "model.safetensors").state_dict() for run in "ab")
    assert torch.equal(before["FCs.fc_bin"], after["FCs.fc_bin"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"losses": {}}, "losses names no term"),
        ({"trainer": {"reported": "best"}}, "validate_every is 0"),
        ({"sampler": {"clips": 1}}, "two clips of a person"),
        ({"augment": {"speed_range": [2.0, 1.0]}}, "runs from 2.0 down to 1.0"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(fields, said) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert(fields, TrainingConfig)


def test_the_report_is_plain_json_and_event_files_are_written_when_asked_for(tmp_path) -> None:
    train(config(trainer={"steps": 1, "tensorboard": True}), FakeSource(), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["config"]["trainer"]["steps"] == 1
    assert found["chosen"] == "last iteration"
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"parts/triplet" in events.read_bytes()
