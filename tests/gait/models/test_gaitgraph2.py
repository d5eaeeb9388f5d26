"""GaitGraph2 against a slow forward in numpy, the known checkpoint's layout, and what must not matter."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.typing import NDArray

from gait.models import registry
from gait.models.describe import describe
from gait.models.gaitgraph2 import GaitGraph2, GaitGraph2Config
from gait.pose_features import branches, inference_views, normalise
from gait.pose_graph import load_graph
from stream.errors import ConfigError
from tests.strategies_skeletons import frame_counts, pose_walk, seeds, worn

COCO = load_graph("coco17")
TINY = GaitGraph2Config(branch_widths=(16, 8), widths=(16, 16), embedding=8)
# SHA-256 of the known checkpoint's tensors, a line "name shape" each, sorted.
KNOWN_LAYOUT = "f2f32a8c4127d49cee64fe307772898de2a1872929ee8baa1cdaed2019b0e0d4"


def features(seed: int, frames: int) -> torch.Tensor:
    return torch.from_numpy(branches(normalise(pose_walk(frames, 17, seed), COCO), COCO))


def parameters(net: torch.nn.Module) -> int:
    return sum(part.numel() for part in net.parameters())


class SlowNet:
    """The whole net in float64, written from its description: loops over hops and taps, no torch."""

    def __init__(self, net: GaitGraph2) -> None:
        self.weights = {name: part.double().numpy() for name, part in net.state_dict().items()}

    def norm(self, x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        mean, var, gain, shift = (
            self.weights[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        out: NDArray[np.float64] = (x - mean) / np.sqrt(var + 1e-5) * gain + shift
        return out

    def point(self, x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        weight = self.weights[f"{name}.weight"][:, :, 0, 0]
        out: NDArray[np.float64] = np.tensordot(weight, x, 1) + self.weights[f"{name}.bias"][:, None, None]
        return out

    def graph(self, x: NDArray[np.float64], name: str, masked: NDArray[np.float64]) -> NDArray[np.float64]:
        wide = self.point(x, f"{name}.conv.gcn")
        out = np.zeros((len(wide) // 3, *x.shape[1:]))
        for hop in range(3):
            for to in range(x.shape[2]):
                for source in range(x.shape[2]):
                    share = masked[hop, source, to]
                    out[:, :, to] += share * wide[hop * len(out) : (hop + 1) * len(out), :, source]
        return out

    def over_frames(self, x: NDArray[np.float64], name: str, stride: int) -> NDArray[np.float64]:
        weight, bias = self.weights[f"{name}.weight"][..., 0], self.weights[f"{name}.bias"]
        steps = range(0, x.shape[1], stride)
        out = np.repeat(np.repeat(bias[:, None, None], len(steps), 1), x.shape[2], 2)
        for i, middle in enumerate(steps):
            for tap in range(9):
                if 0 <= middle + tap - 4 < x.shape[1]:
                    out[:, i] += weight[:, :, tap] @ x[:, middle + tap - 4]
        return out

    def bottleneck(self, x: NDArray[np.float64], name: str, stride: int) -> NDArray[np.float64]:
        masked = self.weights["A"] * self.weights[f"{name}.edge"]
        y = np.maximum(self.norm(self.point(x, f"{name}.scn.conv_down"), f"{name}.scn.bn_down"), 0)
        y = np.maximum(self.norm(self.graph(y, f"{name}.scn", masked), f"{name}.scn.bn"), 0)
        y = self.norm(self.point(y, f"{name}.scn.conv_up"), f"{name}.scn.bn_up")
        x = np.maximum(y + self.norm(self.point(x, f"{name}.scn.residual.0"), f"{name}.scn.residual.1"), 0)
        y = np.maximum(self.norm(self.point(x, f"{name}.tcn.conv_down"), f"{name}.tcn.bn_down"), 0)
        y = np.maximum(self.norm(self.over_frames(y, f"{name}.tcn.conv", stride), f"{name}.tcn.bn"), 0)
        y = self.norm(self.point(y, f"{name}.tcn.conv_up"), f"{name}.tcn.bn_up")
        if stride == 1:
            return np.maximum(y + x, 0)
        straight = self.point(x[:, ::stride], f"{name}.tcn.residual.0")
        return np.maximum(y + self.norm(straight, f"{name}.tcn.residual.1"), 0)

    def branch(self, x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        x = self.norm(x, f"{name}.bn")
        first = f"{name}.layers.0"
        masked = self.weights["A"] * self.weights[f"{first}.edge"]
        x = np.maximum(self.norm(self.graph(x, f"{first}.scn", masked), f"{first}.scn.bn"), 0)
        x = np.maximum(self.norm(self.over_frames(x, f"{first}.tcn.conv", 1), f"{first}.tcn.bn"), 0)
        return self.bottleneck(x, f"{name}.layers.1", 1)

    def __call__(self, sequence: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [self.branch(sequence[:, :, i].transpose(2, 0, 1), f"input_branches.{i}") for i in range(3)]
        x = self.bottleneck(np.concatenate(parts), "main_stream.0", 2)
        x = self.bottleneck(x, "main_stream.1", 2)
        out: NDArray[np.float64] = self.weights["fcn.weight"] @ x.mean((1, 2)) + self.weights["fcn.bias"]
        return out


def test_the_published_size_has_350822_parameters() -> None:
    assert parameters(registry.build("gaitgraph2", "published")) == 350_822


def test_the_published_size_costs_0_43_gflop_over_60_frames() -> None:
    assert describe(registry.build("gaitgraph2", "published"), 60).gflops == pytest.approx(0.43, abs=0.005)


def test_names_and_shapes_are_the_known_checkpoints() -> None:
    state = registry.build("gaitgraph2", "published").state_dict()
    lines = sorted(f"{name} {list(part.shape)}" for name, part in state.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == KNOWN_LAYOUT


def test_the_known_layout_loads_strictly() -> None:
    data = os.environ.get("GAITWAY_DATA")
    path = Path(data or "") / "checkpoint_layouts" / "gaitgraph2_resgcn-n21-r8.json"
    if not data or not path.is_file():
        pytest.skip("GAITWAY_DATA does not name a folder with the checkpoint layouts")
    layout = json.loads(path.read_text())
    net = registry.build("gaitgraph2", "published")
    net.load_state_dict({name: torch.zeros(shape) for name, shape in layout.items()}, strict=True)


def test_the_whole_net_equals_a_slow_forward_in_numpy() -> None:
    net = worn(GaitGraph2(GaitGraph2Config()))
    sequence = features(3, 13)
    with torch.no_grad():
        got = net(sequence[None]).embed_1[0, :, 0].numpy()
    expected = SlowNet(net)(sequence.double().numpy())
    assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_new_bottleneck_is_its_shortcut() -> None:
    """The last batch norm of a block starts at zero, so the inner convolutions change nothing yet."""
    net = GaitGraph2(TINY).eval()
    before = net(features(0, 8)[None]).embed_1
    for name, part in net.named_parameters():
        if name.endswith("tcn.conv.weight") and "layers.0" not in name:
            part.data.normal_()
    assert torch.equal(net(features(0, 8)[None]).embed_1, before)


@given(seeds, frame_counts)
@settings(max_examples=15, deadline=None)
def test_permuting_a_batch_permutes_the_output(seed: int, frames: int) -> None:
    net = worn(GaitGraph2(TINY))
    batch = torch.stack([features(seed + i, frames) for i in range(3)])
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        assert torch.allclose(net(batch[order]).embed_1, net(batch).embed_1[order], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 60])
@pytest.mark.parametrize("fill", [0.0, 1e6])
def test_empty_huge_and_single_frames_give_numbers(frames: int, fill: float) -> None:
    net = worn(GaitGraph2(TINY))
    raw = np.full((frames, 17, 3), fill, dtype=np.float32)
    with torch.no_grad():
        for sequence in (branches(raw, COCO), branches(normalise(raw, COCO), COCO)):
            said = net(torch.from_numpy(sequence[None]))
            assert said.embed_1.isfinite().all()
            assert said.embed_2.isfinite().all()


def test_an_invalid_frame_never_matters() -> None:
    net = worn(GaitGraph2(TINY))
    clean = features(1, 9)[None]
    valid = torch.tensor([[False, True, True, False, False, True, True, True, False]])
    soiled = clean.clone()
    soiled[:, ~valid[0]] = 1e9
    with torch.no_grad():
        assert torch.equal(net(soiled, valid).embed_1, net(clean, valid).embed_1)
        assert net(clean, torch.zeros(1, 9, dtype=torch.bool)).embed_1.isfinite().all()


def test_with_test_time_augmentation_384_numbers_and_swapping_exchanges_views() -> None:
    net = worn(GaitGraph2(GaitGraph2Config(test_time_augmentation=True)))
    joints = normalise(pose_walk(11, 17), COCO)
    seen, swapped = (
        torch.from_numpy(branches(inference_views(walk, COCO), COCO).swapaxes(0, 1)[None])
        for walk in (joints, joints[:, COCO.swap])
    )
    with torch.no_grad():
        first, second = net(seen).embed_1, net(swapped).embed_1
    assert net.vector(net(seen)).shape == (1, 384)
    assert torch.allclose(first[..., 0], second[..., 2], atol=1e-5)
    assert torch.allclose(first[..., 2], second[..., 0], atol=1e-5)
    assert not torch.allclose(first[..., 0], first[..., 1], atol=1e-3)


def test_in_training_a_frame_is_one_view() -> None:
    net = GaitGraph2(GaitGraph2Config(test_time_augmentation=True))
    assert net.train().frame_shape == (17, 3, 5)
    assert net.eval().frame_shape == (3, 17, 3, 5)


@pytest.mark.parametrize("augmented", [False, True])
def test_the_flat_form_equals_the_net_and_leaves_it_alone(augmented: bool) -> None:
    net = worn(GaitGraph2(GaitGraph2Config(test_time_augmentation=augmented)))
    frames = net.example(2, 17)
    with torch.no_grad():
        before = net.vector(net(frames))
        flat = net.flat(17)(net.flat_input(frames))
        assert torch.equal(net.vector(net(frames)), before)
    assert torch.allclose(flat, before, atol=1e-6)


def test_activations_add_up_to_the_embedding() -> None:
    """The last layer's weights on the maps, averaged, are the embedding itself: closed form."""
    net = worn(GaitGraph2(TINY))
    sequence = features(2, 12)[None]
    with torch.no_grad():
        maps = net.maps(sequence)
        by_output = torch.einsum("oc,nctv->notv", net.fcn.weight, maps)
        assert torch.allclose(by_output.mean((2, 3)) + net.fcn.bias, net.embed(sequence), atol=1e-5)
        shown = net.activations(sequence)
    strongest = by_output.amax(1).clamp(min=0)
    assert shown.shape == (1, 3, 17)
    assert torch.allclose(shown, strongest / strongest.max(), atol=1e-6)


def test_the_receptive_field_is_what_the_maps_show() -> None:
    """Change one frame far from the middle: the middle map moves just inside the stated reach."""
    net = worn(GaitGraph2(GaitGraph2Config())).double()
    frames = 81
    sequence = torch.randn(
        1, frames, 17, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    reach = (net.receptive_frames - 1) // 2
    for away, moves in ((reach, True), (reach + 1, False)):
        changed = sequence.clone()
        changed[:, 40 + away] += 100
        with torch.no_grad():
            moved = (net.maps(changed)[:, :, 10] != net.maps(sequence)[:, :, 10]).any()
        assert bool(moved) == moves


def test_a_graph_of_another_sensor_is_config() -> None:
    net = GaitGraph2(GaitGraph2Config(graph="gaitway16"))
    assert net.frame_shape == (16, 3, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hops": 4},
        {"temporal_kernel": 8},
        {"widths": []},
        {"widths": [4]},
        {"embedding": 0},
        {"graf": "coco17"},
    ],
)
def test_a_wrong_config_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="gaitgraph2"):
        registry.config("gaitgraph2", "tiny", **wrong)
