"""Attention against a forward in numpy; the fused and the spelled-out form; cross-attention's gates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from gait.models.attention import Attention, CrossAttention, EncoderBlock, spell_out
from tests.strategies_skeletons import seeds, worn


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_attention_equals_numpy_head_by_head() -> None:
    attention = Attention(12, 3)
    asking, asked = random(2, 5, 12), random(2, 7, 12, seed=1)
    with torch.no_grad():
        got = attention(asking, asked).numpy()

    def through(x: torch.Tensor, layer: torch.nn.Linear) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        out = x.double().numpy() @ layer.weight.detach().double().numpy().T
        return np.asarray(out + layer.bias.detach().double().numpy())

    query, key, value = (
        through(x, layer)
        for x, layer in ((asking, attention.query), (asked, attention.key), (asked, attention.value))
    )
    mixed = np.zeros((2, 5, 12))
    for n in range(2):
        for head in range(3):
            part = slice(4 * head, 4 * head + 4)
            for i in range(5):
                scores = np.array([query[n, i, part] @ key[n, j, part] / 2 for j in range(7)])
                shares = np.exp(scores) / np.exp(scores).sum()
                mixed[n, i, part] = shares @ value[n, :, part]
    assert got == pytest.approx(through(torch.from_numpy(mixed), attention.out), abs=1e-5)


def test_keys_all_alike_give_the_mean_of_the_values() -> None:
    attention = Attention(8, 2)
    asked = random(1, 6, 8)
    with torch.no_grad():
        attention.key.weight.zero_()
        expected = attention.out(attention.value(asked).mean(1, keepdim=True)).expand(1, 3, 8)
        assert torch.allclose(attention(random(1, 3, 8, seed=1), asked), expected, atol=1e-6)


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_the_spelled_out_form_is_the_fused_one_and_weights_sum_to_one(seed: int) -> None:
    block = EncoderBlock(16, 4, 8).eval()
    x = random(3, 9, 16, seed=seed) * 3
    with torch.no_grad():
        fused = block(x)
        spell_out(block)
        assert torch.allclose(block(x), fused, atol=1e-5)
        assert torch.allclose(block.weights(x).sum(-1), torch.ones(()), atol=1e-5)


@pytest.mark.parametrize("size", [0.0, 1e18])
def test_attention_over_nothing_and_over_huge_values_gives_numbers(size: float) -> None:
    block = EncoderBlock(16, 4, 8).eval()
    with torch.no_grad():
        assert block(random(1, 4, 16) * size).isfinite().all()


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="not a multiple of 3 heads"):
        Attention(16, 3)


def cross(pooled_keys: int = 1) -> CrossAttention:
    return CrossAttention(8, 4, 6, 2, pooled_keys)


def test_new_cross_attention_changes_nothing() -> None:
    silhouettes, maps = random(2, 8, 4, 6), random(2, 8, 4, 6, seed=1)
    here, there = cross().eval()(silhouettes, maps)
    assert torch.equal(here, silhouettes)
    assert torch.equal(there, maps)


def test_each_branch_asks_the_other() -> None:
    """What the maps show at one place reaches every place of the silhouettes' branch, and the other way."""
    attention = worn(cross())
    silhouettes, maps = random(1, 8, 4, 6), random(1, 8, 4, 6, seed=1)
    changed = maps.clone()
    changed[0, :, 2, 3] += random(8, seed=2)
    with torch.no_grad():
        before, after = attention(silhouettes, maps), attention(silhouettes, changed)
    assert ((after[0] - before[0]).abs().amax(1) > 0).all()
    elsewhere = torch.ones(4, 6, dtype=torch.bool)
    elsewhere[2, 3] = False
    assert torch.allclose(before[1][0, :, elsewhere], after[1][0, :, elsewhere], atol=1e-6)


def test_cross_attention_is_the_gated_residual_of_its_parts() -> None:
    attention = worn(cross())
    silhouettes, maps = random(1, 8, 4, 6), random(1, 8, 4, 6, seed=1)
    with torch.no_grad():
        here, _ = attention(silhouettes, maps)
        asking = attention.silhouette_norm(silhouettes.flatten(2).transpose(1, 2))
        asked = attention.map_norm(maps.flatten(2).transpose(1, 2))
        learnt = attention.to_silhouette(asking, asked).transpose(1, 2).reshape(1, 8, 4, 6)
    assert torch.allclose(here, silhouettes + 0.7 * learnt, atol=1e-6)


def test_pooled_keys_of_maps_made_of_squares_are_the_same_attention() -> None:
    """Where each 2x2 square holds one value, averaging over squares loses nothing."""
    fine, pooled = worn(cross()), worn(cross(2))
    pooled.load_state_dict(fine.state_dict())
    squares = random(1, 8, 2, 3).repeat_interleave(2, 2).repeat_interleave(2, 3)
    silhouettes = random(1, 8, 4, 6, seed=1)
    with torch.no_grad():
        assert torch.allclose(fine(silhouettes, squares)[0], pooled(silhouettes, squares)[0], atol=1e-5)
