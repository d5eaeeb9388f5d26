"""HybridGait: each switch does its part and nothing else; flat and streaming forms; what does not matter."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.models import registry
from gait.models.deploy import stream
from gait.models.describe import describe
from gait.models.family import Features
from gait.models.hybridgait import HybridGait, HybridGaitConfig, UpperLower
from stream.errors import ConfigError
from tests.strategies_skeletons import seeds, worn

SMALL = HybridGaitConfig(channels=(4, 8, 8, 8), blocks=(1, 1, 1, 1), embedding=4, heads=2, pooled_keys=2)
SWITCHES = [
    {},
    {"cross_attention": False},
    {"delta_joint": False},
    {"upper_lower": False},
    {"cross_attention": False, "delta_joint": False, "upper_lower": False},
]


def small(**fields: object) -> HybridGait:
    wanted = {name: getattr(SMALL, name) for name in SMALL.__struct_fields__} | fields
    return worn(HybridGait(HybridGaitConfig(**wanted)))


def parameters(net: torch.nn.Module) -> int:
    return sum(part.numel() for part in net.parameters())


def test_each_switch_takes_its_own_parameters_away() -> None:
    whole = registry.build("hybridgait", "1111")
    attention = 2 * 4 * (128 * 128 + 128) + 2 * 2 * 128 + 2
    for switch, part in (
        ("cross_attention", attention),
        ("delta_joint", 2 * 64 * 9),
        ("upper_lower", 2),
    ):
        without = registry.build("hybridgait", "1111", **{switch: False})
        assert parameters(whole) - parameters(without) == part


def test_cross_attention_after_stage_2_costs_15_gflop_of_products_over_30_frames() -> None:
    """Both ways, queries on keys and shares on values, 704 places, 128 channels; the projections come on top."""
    whole, without = (
        describe(registry.build("hybridgait", "1441", cross_attention=on)).gflops for on in (True, False)
    )
    products = 30 * 2 * 2 * (2 * 704 * 704 * 128) / 1e9
    projections = 30 * 2 * 4 * (2 * 704 * 128 * 128) / 1e9
    assert products == pytest.approx(15.2, abs=0.1)
    assert whole - without == pytest.approx(products + projections, rel=1e-6)


def test_a_new_net_is_the_one_without_cross_attention() -> None:
    """The gates start at zero."""
    torch.manual_seed(0)
    whole = HybridGait(SMALL).eval()
    without = HybridGait(
        HybridGaitConfig(
            channels=(4, 8, 8, 8), blocks=(1, 1, 1, 1), embedding=4, heads=2, cross_attention=False
        )
    ).eval()
    without.load_state_dict(whole.state_dict(), strict=False)
    frames = whole.example(1, 3)
    with torch.no_grad():
        assert torch.equal(whole(frames).embed_1, without(frames).embed_1)


def test_open_gates_let_the_maps_change_what_the_silhouettes_say() -> None:
    net = small(upper_lower=False)
    frames = net.example(1, 2)
    with torch.no_grad():
        before = net(frames).embed_1
        assert net.merge.attention is not None
        net.merge.attention.silhouette_gate.zero_()
        assert not torch.allclose(net(frames).embed_1, before, atol=1e-5)


def test_upper_and_lower_start_at_three_and_seven_of_ten_times_two() -> None:
    weights = UpperLower().weights(16)
    assert weights.tolist() == pytest.approx([0.6] * 8 + [1.4] * 8, abs=1e-6)
    assert small(upper_lower=False).strip_weights().tolist() == [1.0] * 16


def test_the_weights_act_on_the_rows_of_the_fused_map() -> None:
    halves = UpperLower()
    with torch.no_grad():
        halves.logits.copy_(torch.tensor([math.log(1.0), math.log(3.0)]))
    rows = halves(torch.ones(1, 1, 4, 2))[0, 0]
    assert rows.flatten().tolist() == pytest.approx([0.5] * 4 + [1.5] * 4)


def test_a_batch_norm_does_not_cancel_the_weights() -> None:
    """Rescaling the halves changes embed_2, which a scale on the strips themselves would not."""
    net = small()
    frames = net.example(1, 3)
    with torch.no_grad():
        before = net(frames).embed_2
        assert isinstance(net.merge.upper_lower, UpperLower)
        net.merge.upper_lower.logits.copy_(torch.tensor([2.0, -2.0]))
        assert not torch.allclose(net(frames).embed_2, before, atol=1e-3)


def test_a_product_of_vectors_is_the_weighted_mean_of_the_strips_cosines() -> None:
    net = small()
    source = torch.Generator().manual_seed(5)
    one, other = (torch.randn(1, 4, 16, generator=source) for _ in range(2))
    cosines = torch.nn.functional.cosine_similarity(one, other, dim=1)[0]
    expected = (net.strip_weights() * cosines).mean()
    a, b = (net.vector(Features(strips, strips, None)) for strips in (one, other))
    assert (a @ b.T).item() == pytest.approx(expected.item(), abs=1e-6)
    assert a.norm().item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("fields", SWITCHES)
def test_flat_and_streaming_equal_the_net(fields: dict[str, object]) -> None:
    net = small(**fields)
    frames = net.example(2, 5)
    with torch.no_grad():
        expected = net.vector(net(frames))
        assert torch.allclose(net.flat(5)(net.flat_input(frames)), expected, atol=1e-6)
        assert torch.allclose(stream(net.streaming(), frames), expected, atol=1e-6)


def test_deeper_stages_stream_exactly_too_and_embed_2() -> None:
    net = small(blocks=(1, 2, 2, 1))
    frames = net.example(1, 4)
    with torch.no_grad():
        expected = net.vector(net(frames), "embed_2")
        assert torch.allclose(stream(net.streaming("embed_2"), frames), expected, atol=1e-6)
    assert net.streaming().look_ahead == 5


@given(seeds, st.integers(1, 4))
@settings(max_examples=8, deadline=None)
def test_permuting_a_batch_permutes_the_output(seed: int, frames: int) -> None:
    net = small()
    batch = net.example(3, frames, seed)
    with torch.no_grad():
        assert torch.allclose(net(batch[[2, 0, 1]]).embed_1, net(batch).embed_1[[2, 0, 1]], atol=1e-5)


@given(seeds, st.integers(1, 4))
@settings(max_examples=6, deadline=None)
def test_a_still_walker_shown_longer_is_the_same(seed: int, more: int) -> None:
    """Once both ends and the middle have been seen, further repeats of a frame add nothing to the maximum."""
    net = small()
    frame = net.example(1, 1, seed)
    reach = net.receptive_frames
    with torch.no_grad():
        once = net(frame.expand(1, reach, -1, -1, -1)).embed_1
        longer = net(frame.expand(1, reach + more, -1, -1, -1)).embed_1
    assert torch.allclose(once, longer, atol=1e-5)


def test_an_invalid_frame_never_enters_the_maximum() -> None:
    """Two invalid ends beyond the reach of the middle: what they show does not matter."""
    net = small()
    reach = (net.receptive_frames - 1) // 2
    frames = net.example(1, 2 * reach + 3)
    valid = torch.zeros(1, frames.shape[1], dtype=torch.bool)
    valid[0, reach + 1] = True
    soiled = frames.clone()
    soiled[0, [0, -1]] = 5.0
    with torch.no_grad():
        assert torch.equal(net(frames, valid).embed_1, net(soiled, valid).embed_1)


@pytest.mark.parametrize("fill", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("frames", [1, 2])
def test_empty_full_and_huge_pictures_give_numbers(fill: float, frames: int) -> None:
    net = small()
    with torch.no_grad():
        said = net(torch.full((1, frames, 5, 64, 44), fill))
    assert said.embed_1.isfinite().all()
    assert said.embed_2.isfinite().all()


def test_gradients_reach_every_parameter() -> None:
    net = HybridGait(SMALL)
    net(net.example(2, 3)).embed_2.square().sum().backward()
    without = [name for name, part in net.named_parameters() if part.grad is None]
    assert not without


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"heads": 3}, "3 heads"),
        ({"pooled_keys": 4}, "squares of 4"),
        ({"attention": True}, "attention"),
    ],
)
def test_a_wrong_config_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        registry.config("hybridgait", "tiny", **wrong)
