"""What ``ship`` writes of a run: graphs that say what the net says, and the larger one that is made of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from calibration import shipped_net
from calibration.shipped_net import ship
from engines.streaming_embedder import StreamingEmbedder
from gait.inputs import prepare
from gait.models import checkpoints, registry
from gait.models.conv import ConvNet
from gait.models.input_spec import spec_of
from gait.models.widened import mirrored
from gait.sample import sample_walk
from gait.training.loop import MODEL
from gait.training.synthetic import as_samples
from tests.strategies_skeletons import worn

CONFIG = {
    "channels": (16, 16, 16, 16),
    "blocks": (1, 1, 1, 1),
    "embedding": 8,
    "stem_stride": 2,
    "classes": 3,
}
WALK = sample_walk(0, 12)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that has ended; what strangers are like is another test's."""
    monkeypatch.setattr(shipped_net, "write_decision", lambda stem: None)
    monkeypatch.setattr(shipped_net, "_whole_walks", lambda: [sample_walk(seed, 8) for seed in range(3)])
    net = worn(registry.build("silskeletongait", "tiny", **CONFIG), 4)
    (tmp_path / "run").mkdir()
    checkpoints.save(net, tmp_path / "run" / MODEL)
    return tmp_path / "run"


def said(stem: Path) -> np.ndarray:
    """By the graphs, sample by sample."""
    embedder, samples = StreamingEmbedder(stem), as_samples(WALK)
    memory = embedder.open()
    embedder.extend([memory] * len(samples), samples)
    answer = embedder.embed(memory, 0, samples[-1].captured_ns)
    assert answer is not None
    return answer.vector.reshape(16, -1)


def unit(strips: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(strips.T, dim=1).numpy() / 4


@torch.no_grad()
def test_the_graphs_say_what_the_net_says_and_its_mirror_image_beside_it(run: Path, tmp_path: Path) -> None:
    net = checkpoints.load(run / MODEL).eval()
    assert isinstance(net, ConvNet)
    frames = torch.from_numpy(prepare(spec_of(net), WALK))[None]
    # The embedder answers for the samples that the net has seen with those after them: three fewer here.
    as_it_is, turned = (one.maps(frames)[:, :, :-3].amax(dim=2) for one in (net, mirrored(net)))
    strips = [one.FCs(shipped_strips(maps))[0] for one, maps in ((net, as_it_is), (mirrored(net), turned))]
    ship(run, tmp_path / "small")
    ship(run, tmp_path / "large", larger=True)
    np.testing.assert_allclose(said(tmp_path / "small"), unit(strips[0]), atol=2e-5)
    np.testing.assert_allclose(said(tmp_path / "large"), unit(strips[0] + strips[1]), atol=2e-5)
    assert checkpoints.load(tmp_path / "large.safetensors").config.channels == (32, 32, 32, 32)
    assert not list(tmp_path.glob("*.window.onnx"))


def shipped_strips(maps: torch.Tensor) -> torch.Tensor:
    """Mean plus maximum of each of 16 strips."""
    cells = maps.reshape(*maps.shape[:2], 16, -1)
    return cells.mean(dim=-1) + cells.amax(dim=-1)
