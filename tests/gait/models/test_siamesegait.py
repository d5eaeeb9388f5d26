"""The Siamese transformer: its table of parts, each part against numpy or a closed form, and its manners."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.typing import NDArray
from torch import nn

from gait.models import registry
from gait.models.pyramid import TimePyramid, bin_statistics, split_evenly
from gait.models.siamesegait import (
    GraphConvolution,
    SiameseGait,
    SiameseGaitConfig,
    sinusoids,
)
from gait.pose_features import normalise
from gait.pose_graph import load_graph
from stream.errors import ConfigError
from tests.strategies_skeletons import frame_counts, seeds, walk, worn

KINECT = load_graph("kinect25")
SMALL = SiameseGaitConfig(
    widths=(8, 12, 16),
    heads=4,
    spatial_hidden=24,
    width=32,
    hidden=48,
    depth=2,
    bin_width=16,
    aggregate_width=24,
    embedding=12,
)


def parameters(*parts: nn.Module) -> int:
    return sum(tensor.numel() for part in parts for tensor in part.parameters())


def sequence(seed: int, frames: int) -> torch.Tensor:
    return torch.from_numpy(normalise(walk(frames, 25, 3, seed), KINECT, missing_last=False))


def test_the_table_of_parts_is_met_exactly() -> None:
    net = SiameseGait(SiameseGaitConfig())
    transformer = parameters(net.frames.blocks, net.frames.norm)
    table = {
        "GCN": parameters(net.joints) - parameters(net.joints.block),
        "spatial": parameters(net.joints.block),
        "temporal": parameters(net.frames) - transformer,
        "transformer": transformer,
        "aggregation": parameters(net.pyramid),
    }
    assert table == {
        "GCN": 195_471,
        "spatial": 494_272,
        "temporal": 527_104,
        "transformer": 11_830_528,
        "aggregation": 2_231_552,
    }
    assert parameters(net) == 15_278_927


def test_the_output_is_256_numbers_of_unit_length() -> None:
    net = SiameseGait(SiameseGaitConfig(depth=1)).eval()
    with torch.no_grad():
        said = net(sequence(0, 60)[None])
    assert said.embed_1.shape == (1, 256, 1)
    assert said.embed_1.norm().item() == pytest.approx(1.0, abs=1e-6)


def test_a_graph_convolution_by_hand() -> None:
    """Two joints, one bone, one channel: each joint's own half, and the other's."""
    adjacency = torch.tensor([[[0.5, 0.0], [0.0, 0.5]], [[0.0, 0.5], [0.5, 0.0]]])
    conv = GraphConvolution(1, 1, adjacency).eval()
    with torch.no_grad():
        conv.edge.copy_(torch.tensor([[[1.0, 1.0], [1.0, 2.0]], [[1.0, 1.0], [3.0, 1.0]]]))
        conv.weight.weight.copy_(torch.tensor([[10.0, 100.0]]))
        conv.residual.weight.fill_(1.0)
        got = conv(torch.tensor([[[1.0], [2.0]]]))[0, :, 0]
    shrink = 1 / math.sqrt(1 + 1e-5)  # both batch norms are new: mean 0, variance 1
    # To joint 0: itself 1*0.5*10, the other 2*0.5*3*100; to joint 1: itself 2*0.5*2*10, the other 1*0.5*100.
    assert got[0].item() == pytest.approx((5 + 300 + 1) * shrink, rel=1e-6)
    assert got[1].item() == pytest.approx((20 + 50 + 2) * shrink, rel=1e-6)


def test_a_graph_convolution_equals_loops() -> None:
    adjacency = torch.from_numpy(KINECT.adjacency(2))
    conv = worn(GraphConvolution(3, 5, adjacency))
    x = torch.randn(4, 25, 3, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        got = conv(x).numpy()
    masked = (conv.adjacency * conv.edge).detach().double().numpy()
    weight = conv.weight.weight.detach().double().numpy().reshape(5, 3, 3)
    spread = np.zeros((4, 25, 5))
    for hop in range(3):
        for to in range(25):
            for source in range(25):
                spread[:, to] += masked[hop, source, to] * (x[:, source].double().numpy() @ weight[:, hop].T)
    straight = x.double().numpy() @ conv.residual.weight.detach().double().numpy().T
    expected = np.maximum(_normed(spread, conv.norm) + _normed(straight, conv.residual_norm), 0)
    assert got == pytest.approx(expected, abs=1e-5)


def _normed(x: NDArray[np.float64], norm: nn.Module) -> NDArray[np.float64]:
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, var = norm.running_mean.double().numpy(), norm.running_var.double().numpy()
    gain, shift = norm.weight.detach().double().numpy(), norm.bias.detach().double().numpy()
    out: NDArray[np.float64] = (x - mean) / np.sqrt(var + 1e-5) * gain + shift
    return out


def test_positions_are_sines_and_cosines() -> None:
    table = sinusoids(60, 512)
    assert table[0, 0::2].abs().max() == 0
    assert (table[0, 1::2] == 1).all()
    assert table[7, 0].item() == pytest.approx(math.sin(7), abs=1e-6)
    assert table[7, 511].item() == pytest.approx(math.cos(7 / 10000 ** (510 / 512)), abs=1e-6)


@pytest.mark.parametrize("frames", [1, 3, 8, 59, 60])
def test_bins_cover_every_frame(frames: int) -> None:
    x = torch.arange(frames).reshape(1, frames, 1)
    for count in (1, 2, 4, 8):
        parts = split_evenly(x, count)
        assert len(parts) == count
        assert sorted(set(torch.cat(parts, 1).flatten().tolist())) == list(range(frames))
        assert max(part.shape[1] for part in parts) - min(part.shape[1] for part in parts) <= 1


def test_a_bin_says_mean_max_and_deviation() -> None:
    said = bin_statistics(torch.tensor([[[1.0], [2.0], [6.0]]]))[0, 0]
    assert said.tolist() == pytest.approx([3.0, 6.0, math.sqrt(14 / 3)], rel=1e-6)


def test_a_pyramid_over_one_still_frame_is_a_closed_form() -> None:
    """Without motion every bin says x, x and the deviation's floor; so each level is one linear layer."""
    pyramid = worn(TimePyramid((1, 2, 4, 8), 32, 16, 24, 12))
    x = torch.randn(1, 1, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        got = pyramid(x.expand(1, 60, 32))
        still = torch.cat([x[:, 0], x[:, 0], torch.full((1, 32), 1e-4)], 1)
        levels = torch.cat([torch.relu(level(still)) for level in pyramid.levels], 1)
        expected = pyramid.out_norm(pyramid.out(torch.relu(pyramid.narrow_norm(pyramid.narrow(levels)))))
    assert torch.allclose(got, expected, atol=1e-4)


@given(seeds, frame_counts)
@settings(max_examples=15, deadline=None)
def test_permuting_a_batch_permutes_the_output(seed: int, frames: int) -> None:
    net = worn(SiameseGait(SMALL))
    batch = torch.stack([sequence(seed + i, frames) for i in range(3)])
    with torch.no_grad():
        assert torch.allclose(net.embed(batch[[2, 0, 1]]), net.embed(batch)[[2, 0, 1]], atol=1e-5)


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_with_masks_alike_exchanging_sides_exchanges_the_maps(seed: int) -> None:
    """The graph is alike on both sides, so a mirrored walk gives the same maps on the other side's joints."""
    conv = GraphConvolution(3, 4, torch.from_numpy(KINECT.adjacency(2))).eval()
    x = torch.from_numpy(walk(3, 25, 3, seed))
    with torch.no_grad():
        assert torch.allclose(conv(x[:, KINECT.swap]), conv(x)[:, KINECT.swap], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 60])
@pytest.mark.parametrize("fill", [0.0, 1e4])
def test_empty_huge_and_single_frames_give_numbers(frames: int, fill: float) -> None:
    net = worn(SiameseGait(SMALL))
    with torch.no_grad():
        assert net(torch.full((2, frames, 25, 3), fill)).embed_1.isfinite().all()


def test_gradients_are_finite_where_nothing_moves() -> None:
    net = SiameseGait(SMALL)
    net(torch.zeros(2, 60, 25, 3)).embed_1.sum().backward()
    assert all(part.grad is None or part.grad.isfinite().all() for part in net.parameters())


def test_an_invalid_frame_never_matters() -> None:
    net = worn(SiameseGait(SMALL))
    clean = sequence(1, 6)[None]
    valid = torch.tensor([[False, True, True, False, True, False]])
    soiled = clean.clone()
    soiled[:, ~valid[0]] = float("nan")
    with torch.no_grad():
        assert torch.equal(net(soiled, valid).embed_1, net(clean, valid).embed_1)


def test_the_order_of_frames_matters() -> None:
    net = worn(SiameseGait(SMALL))
    x = sequence(0, 60)[None]
    with torch.no_grad():
        assert not torch.allclose(net.embed(x), net.embed(x.flip(1)), atol=1e-4)


def test_a_pair_is_two_embeddings_and_their_distance() -> None:
    net = worn(SiameseGait(SMALL))
    first, second = sequence(0, 9)[None], sequence(1, 9)[None]
    with torch.no_grad():
        a, b, distance = net.pair(first, second)
        assert torch.allclose(a, net.embed(first), atol=1e-6)
    # Between unit vectors: d squared is 2 - 2 cos.
    assert distance.item() ** 2 == pytest.approx(2 - 2 * (a @ b.T).item(), abs=1e-5)


def test_the_flat_form_equals_the_net_and_leaves_it_alone() -> None:
    net = worn(registry.build("siamesegait", "tiny"))
    frames = net.example(2, 60)
    with torch.no_grad():
        before = net.vector(net(frames))
        flat = net.flat(60)(net.flat_input(frames))
        assert torch.equal(net.vector(net(frames)), before)
    assert torch.allclose(flat, before, atol=1e-6)


@pytest.mark.parametrize("frames", [0, 61])
def test_more_frames_than_positions_are_refused(frames: int) -> None:
    with pytest.raises(ConfigError, match="1 to 60 frames"):
        SiameseGait(SMALL).eval().embed(torch.zeros(1, frames, 25, 3))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"heads": 5}, "5 heads do not divide"),
        ({"bins": []}, "at least one"),
        ({"width": 0}, "width"),
        ({"dropout": 1.0}, "dropout"),
        ({"coordinates": 4}, "coordinates"),
        ({"graph": "kinect99"}, None),
    ],
)
def test_a_wrong_config_is_refused(wrong: dict[str, object], said: str | None) -> None:
    with pytest.raises(ConfigError, match=said or "kinect99"):
        registry.build("siamesegait", "tiny", **wrong)
