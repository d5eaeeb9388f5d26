"""Training towards what walkers are: directions by traits, losses after the neck, one short run to its end."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from gait.data.prepare import prepare
from gait.data.store import DataSet
from gait.inputs import prepare as walk_input
from gait.models import checkpoints, registry
from gait.models.family import Features
from gait.models.input_spec import spec_of
from gait.training.config import ContrastSection, LossSection
from gait.training.synthetic import TrainingWalkers, WalkerSet
from gait.training.synthetic_box import settle_neck, without_classifier
from gait.training.synthetic_targets import targets
from gait.training.synthetic_train import TARGET_WEIGHT, WalkerObjective, main, mixed_up
from stream.errors import WeightsError

FEW = WalkerSet(people=4, sequences=2, frames=8)
PEOPLE = tuple(str(FEW.first + k) for k in range(FEW.people))
SHORT = """
model:
  family: silskeletongait
  config: { channels: [4, 4, 4, 4], blocks: [1, 1, 1, 1], embedding: 8, stem_stride: 2 }
data: { validation_share: 0.0 }
sampler: { people: 2, clips: 2, clip: { kind: ordered, frames: 3 } }
losses: { supervised_contrastive: { temperature: 0.1 }, cross_entropy: { weight: 0.1 } }
optimizer: { kind: adamw, rate: 0.001 }
schedule: { kind: constant }
trainer: { steps: 2, threads: 1, log_every: 1, checkpoint_every: 1 }
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walkers") / "data"
    prepare("walkers", TrainingWalkers(FEW), folder, workers=1)
    return folder


def test_directions_are_unit_and_the_same_for_the_same_people() -> None:
    first = targets(PEOPLE, 16, 8)
    assert first.shape == (4, 8, 16)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(first, targets(PEOPLE, 16, 8))
    apart = np.einsum("ncs,mcs->nm", first, first) / 16
    assert (apart[~np.eye(4, dtype=bool)] < 0.9).all()


def test_who_points_where_they_belong_pays_nothing_for_it() -> None:
    towards = torch.from_numpy(targets(PEOPLE, 16, 8))
    section = LossSection(supervised_contrastive=ContrastSection(temperature=0.1))
    labels = torch.tensor([0, 0, 1, 1])
    objective = WalkerObjective(section, towards)

    def features(after: torch.Tensor) -> Features:
        return Features(torch.randn(4, 8, 16), after, None)

    good = objective(features(3 * towards[labels]), labels)
    bad = objective(features(-towards[labels]), labels)
    assert good.parts["target"] == pytest.approx(0.0, abs=1e-5)
    assert bad.parts["target"] == pytest.approx(2.0, abs=1e-5)
    assert good.parts["place"] < 0.1, "everybody's own place is the nearest"
    assert bad.parts["place"] > 10
    assert bad.parts["likeness"] == pytest.approx(good.parts["likeness"], abs=1e-4), "alike among themselves"
    assert float(bad.total) - float(good.total) > 2 * TARGET_WEIGHT - 1e-3


def test_likeness_costs_what_strangers_take_from_ones_own() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    apart = torch.where(labels[:, None] == labels[None, :], 1.0, -1.0)
    assert float(mixed_up(20 * apart, labels)) == pytest.approx(0.0, abs=1e-6)
    # All alike: one of three others is one's own.
    assert float(mixed_up(torch.ones(4, 4), labels)) == pytest.approx(np.log(3), abs=1e-6)
    # Who is alone in the batch has nobody to be told from strangers by.
    assert float(mixed_up(torch.ones(3, 3), torch.tensor([0, 0, 1]))) == pytest.approx(np.log(2), abs=1e-6)


def test_a_run_ends_with_a_net_that_can_be_put_into_the_box(data: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "short.yaml", tmp_path / "run"
    config.write_text(SHORT)
    assert main([str(config), "--data", str(data), "--out", str(out)]) == 0
    net = without_classifier(checkpoints.load(out / "model.safetensors"))
    assert net.config.classes == 0
    with torch.inference_mode():
        vectors = net.vector(net(net.example(2, 3)))
    assert vectors.shape == (2, 16 * 8)
    np.testing.assert_allclose(np.linalg.norm(vectors.numpy(), axis=1), 1.0, atol=2e-3)
    assert len(DataSet.open(data)) == 8


def test_the_neck_is_settled_on_whole_walks(data: Path) -> None:
    net = registry.build("silskeletongait", "tiny", channels=(4, 4, 4, 4), embedding=8).eval()
    source = DataSet.open(data)
    walks = [source.read(entry) for entry in source.entries]
    settle_neck(net, walks)
    spec = spec_of(net)
    with torch.inference_mode():
        told = torch.cat([net(torch.from_numpy(walk_input(spec, walk))[None]).embed_1 for walk in walks])
        normed = net.BNNecks.bn1d(told.flatten(1)) - net.BNNecks.bn1d.bias
    torch.testing.assert_close(normed.mean(dim=0), torch.zeros(normed.shape[1]), atol=1e-4, rtol=0)
    with pytest.raises(WeightsError, match="gaitgraph2"):
        settle_neck(registry.build("gaitgraph2", "published"), walks)


def test_a_second_part_begins_with_the_first_ones_net(data: Path, tmp_path: Path) -> None:
    config, first, second = tmp_path / "short.yaml", tmp_path / "first", tmp_path / "second"
    config.write_text(SHORT.replace("rate: 0.001", "rate: 0.000001"))
    assert main([str(config), "--data", str(data), "--out", str(first)]) == 0
    start = first / "model.safetensors"
    assert main([str(config), "--data", str(data), "--out", str(second), "--from", str(start)]) == 0
    before, after = (checkpoints.load(run / "model.safetensors").state_dict() for run in (first, second))
    name = "layer4.0.conv1.forward_block.0.weight"
    torch.testing.assert_close(after[name], before[name], atol=1e-4, rtol=0)


def test_two_sets_are_trained_on_as_one(data: Path, tmp_path: Path) -> None:
    more = msgspec.structs.replace(FEW, people=2, first=FEW.first + FEW.people)
    prepare("walkers", TrainingWalkers(more), tmp_path / "more", workers=1)
    config, out = tmp_path / "both.yaml", tmp_path / "run"
    both = f"data: {{ validation_share: 0.0, root: {data}, also: [{tmp_path / 'more'}] }}"
    config.write_text(SHORT.replace("data: { validation_share: 0.0 }", both))
    assert main([str(config), "--out", str(out)]) == 0
    report = msgspec.json.decode((out / "report.json").read_bytes())
    assert (report["training_people"], report["training_sequences"]) == (6, 12)


def test_a_config_that_is_none_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("trainer: { stepps: 2 }")
    assert main([str(bad)]) == 1
    assert "stepps" in capsys.readouterr().err
