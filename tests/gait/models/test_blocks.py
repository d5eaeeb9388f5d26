"""The shared blocks against slow numpy, written from their description alone."""

import numpy as np
import pytest
import torch
from torch import nn

from gait.models.blocks import (
    BasicBlock2D,
    BasicBlockP3D,
    SeparateBNNecks,
    SeparateFCs,
    initialise,
    pool_strips,
    pool_time,
)
from gait.models.skeletongait_pp import AttentionFusion
from tests import slow_nets as slow
from tests.strategies_skeletons import worn


def state_of(net: nn.Module, prefix: str = "") -> dict[str, np.ndarray]:
    return {prefix + name: tensor.double().numpy() for name, tensor in net.state_dict().items()}


def number(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(3, 3, 1), (2, 4, 2), (2, 4, 1)])
def test_a_2d_block_is_what_its_description_says(inputs, outputs, stride) -> None:
    block = worn(BasicBlock2D(inputs, outputs, stride))
    x = np.random.default_rng(0).normal(size=(inputs, 6, 4))
    wanted = slow.block_2d(x, state_of(block, "b."), "b", stride)
    np.testing.assert_allclose(number(block(torch.from_numpy(x).float()[None]))[0], wanted, atol=1e-5)


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(3, 3, 1), (2, 4, 2), (3, 3, 2)])
def test_a_p3d_block_is_what_its_description_says(inputs, outputs, stride) -> None:
    """2D, residual over time, 2D, shortcut: with zero padding in time at both ends."""
    block = worn(BasicBlockP3D(inputs, outputs, stride), 3)
    x = np.random.default_rng(1).normal(size=(inputs, 5, 6, 4))
    wanted = slow.block_p3d(x, state_of(block, "b."), "b", stride)
    np.testing.assert_allclose(number(block(torch.from_numpy(x).float()[None]))[0], wanted, atol=1e-5)


def test_the_fusion_is_a_softmax_over_alternating_scores() -> None:
    """Score 2c belongs to the silhouette's channel c, 2c + 1 to the map's; squeezed to channels / 16."""
    fusion = worn(AttentionFusion(32), 5)
    assert fusion.conv.forward_block[0].weight.shape == (2, 64, 1, 1)
    one, other = np.random.default_rng(2).normal(size=(2, 32, 4, 3))
    found = fusion(*(torch.from_numpy(part).float()[None] for part in (one, other)))
    np.testing.assert_allclose(
        number(found)[0], slow.fuse(one, other, state_of(fusion, "f."), "f"), atol=1e-5
    )


def test_strips_are_mean_plus_maximum_of_rows_of_four() -> None:
    x = np.random.default_rng(3).normal(size=(2, 5, 16, 11))
    found = number(pool_strips(torch.from_numpy(x)))
    for strip in range(16):
        row = x[:, :, strip]
        np.testing.assert_allclose(found[..., strip], row.mean(-1) + row.max(-1), rtol=1e-6)
    tall = np.random.default_rng(4).normal(size=(1, 2, 32, 3))
    found = number(pool_strips(torch.from_numpy(tall)))
    cells = tall[:, :, 2:4].reshape(1, 2, -1)
    np.testing.assert_allclose(found[..., 1], cells.mean(-1) + cells.max(-1), rtol=1e-6)


def test_every_strip_has_its_own_matrix() -> None:
    fcs = SeparateFCs(4, 3, 2)
    x = np.random.default_rng(5).normal(size=(2, 3, 4))
    found = number(fcs(torch.from_numpy(x).float()))
    weights = number(fcs.fc_bin)
    for strip in range(4):
        np.testing.assert_allclose(found[:, :, strip], x[:, :, strip] @ weights[strip], atol=1e-6)


def test_the_neck_norms_channel_by_channel_strips_innermost() -> None:
    """Number c * P + p of the batch norm is channel c of strip p; logits are cosines."""
    neck = worn(SeparateBNNecks(4, 3, 5), 7)
    x = np.random.default_rng(6).normal(size=(2, 3, 4))
    normed = np.stack([slow.norm(row.reshape(-1), state_of(neck), "bn1d").reshape(3, 4) for row in x])
    unit = normed / np.linalg.norm(normed, axis=1, keepdims=True)
    classes = number(neck.fc_bin)
    classes = classes / np.linalg.norm(classes, axis=1, keepdims=True)
    embed, logits = neck(torch.from_numpy(x).float())
    np.testing.assert_allclose(number(embed), unit, atol=1e-5)
    assert logits is not None
    for strip in range(4):
        np.testing.assert_allclose(number(logits)[:, :, strip], unit[:, :, strip] @ classes[strip], atol=1e-5)


def test_pooling_over_time_takes_valid_frames_only() -> None:
    maps = torch.rand(2, 3, 4, 2, 2)
    valid = torch.tensor([[True, False, True, False], [False] * 4])
    pooled = pool_time(maps, valid)
    torch.testing.assert_close(pooled[0], maps[0][:, [0, 2]].amax(1))
    assert not pooled[1].any()
    torch.testing.assert_close(pool_time(maps), maps.amax(2))


def test_weights_start_as_described() -> None:
    """Xavier-uniform convolutions, batch norm gains about 1 with deviation 0.02, no bias anywhere."""
    torch.manual_seed(0)
    block = BasicBlockP3D(64, 64)
    initialise(block)
    weight = block.conv1.forward_block[0].weight
    bound = (6 / (2 * 64 * 9)) ** 0.5
    assert weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
    gains = torch.cat([m.weight for m in block.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d)])
    assert gains.mean().item() == pytest.approx(1, abs=0.01)
    assert gains.std().item() == pytest.approx(0.02, rel=0.3)
    assert all(m.bias is None for m in block.modules() if isinstance(m, nn.Conv2d | nn.Conv3d))
