"""The max-pooled families: sizes to the number, and what must hold whatever the weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.models import registry
from gait.models.deploy import stream
from gait.models.family import GaitNet
from gait.sample import sample_walk
from stream.errors import ConfigError, MessageError
from tests.strategies_skeletons import worn

FAMILIES = ("deepgaitv2", "skeletongait", "skeletongait++", "silskeletongait")
MAX_POOLED = (*FAMILIES, "hybridgait")
NETS: dict[str, GaitNet] = {}


def net_of(name: str) -> GaitNet:
    """A trained-looking tiny net, one per family for the whole file."""
    if name not in NETS:
        torch.manual_seed(1)
        NETS[name] = worn(registry.build(name, "tiny", classes=3))
    return NETS[name]


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("name", "size", "classes", "parameters"),
    [
        ("skeletongait++", "1441", 74, 13_583_712),
        ("skeletongait++", "1111", 74, 8_415_840),
        ("skeletongait", "1441", 74, 13_507_840),
        ("skeletongait++", "1441", 117, 13_759_840),
        ("skeletongait++", "1441", 20_000, 95_200_608),
        ("silskeletongait", "1441", 74, 13_583_712),
        ("deepgaitv2", "1441", 0, 13_204_160),
        ("skeletongait++", "1111", 0, 8_112_736),
    ],
)
def test_published_sizes_have_the_published_counts(name, size, classes, parameters) -> None:
    with torch.device("meta"):
        assert count(registry.build(name, size, classes=classes)) == parameters


@pytest.mark.parametrize("name", MAX_POOLED)
def test_shapes_from_frames_to_logits(name) -> None:
    net = net_of(name)
    features = net(net.example(2, 3))
    assert features.embed_1.shape == features.embed_2.shape == (2, 32, 16)
    assert features.logits is not None
    assert features.logits.shape == (2, 3, 16)
    assert net.vector(features).shape == (2, 512)
    torch.testing.assert_close(net.vector(features, "embed_2").norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("name", ["deepgaitv2", "hybridgait"])
def test_small_maps_have_a_strip_for_each_row_that_is_left(name) -> None:
    """32 x 24, as half-cycles of 32 x 22 are fed: eight strips, window and streaming forms alike."""
    torch.manual_seed(1)
    net = worn(registry.build(name, "tiny", height=32, width=24)).eval()
    x = net.example(2, 3)
    with torch.no_grad():
        vector = net.vector(net(x))
        assert vector.shape == (2, 8 * 32)
        torch.testing.assert_close(net.flat(3)(net.flat_input(x)), vector, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("sides", [(36, 24), (72, 44), (32, 22)])
def test_sides_that_the_strides_do_not_divide_are_refused(sides) -> None:
    with pytest.raises(ConfigError, match="multiple of 64"):
        registry.build("deepgaitv2", "tiny", height=sides[0], width=sides[1])


def test_wide_silhouettes_work_too() -> None:
    """64 x 64 to 16 x 16 before the strips, as the reference's sample data are."""
    net = worn(registry.build("silskeletongait", "tiny", width=64))
    x = net.example(1, 2)
    with torch.no_grad():
        features = net(x)
        pair = net.streaming()
        assert pair is not None
        torch.testing.assert_close(stream(pair, x), net.vector(features), atol=1e-6, rtol=1e-5)
    assert features.embed_1.shape == (1, 32, 16)


@given(st.sampled_from(MAX_POOLED), st.permutations(range(3)), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=10, deadline=None)
@torch.no_grad()
def test_permuting_a_batch_permutes_the_output(name, order, frames, seed) -> None:
    net = net_of(name)
    x = net.example(3, frames, seed)
    torch.testing.assert_close(net(x[order]).embed_1, net(x).embed_1[order], atol=1e-5, rtol=1e-4)


@given(st.sampled_from(MAX_POOLED), st.integers(0, 99), st.integers(1, 5))
@settings(max_examples=10, deadline=None)
@torch.no_grad()
def test_a_still_walk_may_last_as_long_as_it_likes(name, seed, more) -> None:
    """One frame repeated: beyond the receptive field's length, further repeats change nothing at all."""
    net = net_of(name)
    frame = net.example(1, 1, seed)
    enough = net.receptive_frames
    assert enough is not None
    long, longer = (net(frame.expand(-1, n, *frame.shape[2:])).embed_1 for n in (enough, enough + more))
    torch.testing.assert_close(long, longer, atol=1e-5, rtol=1e-4)


@given(st.sampled_from(MAX_POOLED), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=6, deadline=None)
@torch.no_grad()
def test_frame_by_frame_equals_the_whole_window(name, frames, seed) -> None:
    """The streaming pair and the flat form against the net itself, for any length, both embeddings."""
    net = net_of(name)
    x = net.example(2, frames, seed)
    features = net(x)
    for which in ("embed_1", "embed_2"):
        wanted = net.vector(features, which)
        pair = net.streaming(which)
        assert pair is not None
        torch.testing.assert_close(stream(pair, x), wanted, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(net.flat(frames, which)(net.flat_input(x)), wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", MAX_POOLED)
@torch.no_grad()
def test_tracks_in_one_batch_do_not_know_of_each_other(name) -> None:
    """A track that begins, ends or is cut while others go on gets the same maps as alone."""
    net = net_of(name)
    pair = net.streaming()
    assert pair is not None
    x = net.example(2, 4)
    states = pair.fresh(2)
    maps = []
    # Track 1 starts two frames after track 0, whose padding is fed meanwhile.
    for t in range(4 + 2 + pair.look_ahead):
        both = torch.stack([x[k, t - 2 * k] if 0 <= t - 2 * k < 4 else x[k, 0] for k in range(2)])
        real = torch.tensor([[float(0 <= t - 2 * k < 4)] for k in range(2)])
        out, _, *states = pair.trunk(both, real, *states)
        maps.append(out)
    together = pair.head(torch.stack(maps).amax(0))
    torch.testing.assert_close(together, net.vector(net(x)), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", MAX_POOLED)
@torch.no_grad()
def test_nothing_in_gives_numbers_out(name) -> None:
    """Empty silhouettes and missing joints, T = 1, no valid frame: no NaN anywhere."""
    net = net_of(name)
    for frames in (1, 2):
        features = net(torch.zeros(1, frames, *net.frame_shape))
        assert torch.isfinite(features.embed_1).all()
        assert torch.isfinite(net.vector(features)).all()
    none = net(net.example(1, 2), torch.zeros(1, 2, dtype=torch.bool))
    assert torch.isfinite(net.vector(none)).all()


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_a_mirrored_net_sees_a_mirrored_walk_as_itself(name) -> None:
    """Mirroring the input equals mirroring every kernel: nothing else in the net has a left or right."""
    net = net_of(name)
    mirrored = worn(registry.build(name, "tiny", classes=3))
    state = {
        key: value.flip(-1) if value.ndim >= 4 and value.shape[-1] == 3 else value
        for key, value in net.state_dict().items()
    }
    mirrored.load_state_dict(state)
    # Stride 2 samples the same columns from either side only where the width is odd.
    wide = torch.nn.functional.pad(net.example(1, 3), (0, 1))[0]
    seen, seen_mirrored = (
        part.layer2(part.front(images)[None].transpose(1, 2))
        for part, images in ((net, wide), (mirrored, wide.flip(-1)))
    )
    torch.testing.assert_close(seen, seen_mirrored.flip(-1), atol=1e-5, rtol=1e-4)


def test_the_fusion_model_takes_what_sensors_give() -> None:
    """Silhouettes (T, H, W), 64 or 44 wide, and {'result': (T, 16, 3)}, with or without image joints."""
    net = net_of("silskeletongait")
    walk = sample_walk(2, 6)
    skeleton = {"result": walk.joints_3d}
    assert net.inputs(walk.silhouettes, skeleton).shape == (1, 6, 3, 64, 44)
    wide = np.pad(walk.silhouettes, ((0, 0), (0, 0), (10, 10)))
    with_joints = net.inputs(wide, skeleton, walk.joints_2d + np.float32([10, 0, 0]))
    torch.testing.assert_close(with_joints, net.inputs(walk.silhouettes, skeleton, walk.joints_2d))
    assert torch.isfinite(net(with_joints).embed_1).all()


@pytest.mark.parametrize(
    ("silhouettes", "skeleton", "why"),
    [
        (np.zeros((5, 64, 44), np.uint8), {"result": np.zeros((4, 16, 3))}, "5 silhouettes but 4 skeletons"),
        (np.zeros((4, 64, 44), np.uint8), {"joints": np.zeros((4, 16, 3))}, "result"),
        (np.zeros((4, 64, 44), np.uint8), {"result": np.zeros((4, 17, 3))}, "16"),
        (np.zeros((4, 64, 44), np.float32), {"result": np.zeros((4, 16, 3))}, "uint8"),
        (np.zeros((4, 32, 44), np.uint8), {"result": np.zeros((4, 16, 3))}, "64"),
        (np.zeros((4, 64, 40), np.uint8), {"result": np.zeros((4, 16, 3))}, "40 wide"),
    ],
)
def test_the_fusion_model_says_what_does_not_fit(silhouettes, skeleton, why) -> None:
    with pytest.raises(MessageError, match=why):
        net_of("silskeletongait").inputs(silhouettes, skeleton)


def test_the_reference_rasteriser_is_kept_for_ablation() -> None:
    net = registry.build("silskeletongait", "tiny", rasteriser="single_pixel")
    walk = sample_walk(2, 4)
    fused = net.inputs(walk.silhouettes, {"result": walk.joints_3d})
    assert 0 < fused[0, :, 1].max() <= 1 / 255 + 1e-7


def test_frames_of_another_shape_are_refused_by_name() -> None:
    for shape in ((1, 2, 3, 64, 44), (1, 0, 1, 64, 44), (2, 1, 64, 44), (1, 2, 1, 64, 64)):
        with pytest.raises(ConfigError, match="deepgaitv2 was given frames"):
            net_of("deepgaitv2")(torch.zeros(shape))


def test_the_registry_names_what_there_is() -> None:
    assert len(registry.names()) == 7
    with pytest.raises(ConfigError, match=r"Did you mean skeletongait"):
        registry.family("skeletongate")
    with pytest.raises(ConfigError, match="1441"):
        registry.config("deepgaitv2", "huge")
    for wrong in ({"width": 43}, {"chanels": (1, 2, 3, 4)}, {"blocks": (0, 1, 1, 1)}, {"classes": -1}):
        with pytest.raises(ConfigError, match="deepgaitv2"):
            registry.config("deepgaitv2", **wrong)


@pytest.mark.parametrize("name", registry.names())
def test_every_size_of_every_family_builds(name) -> None:
    family = registry.family(name)
    assert "tiny" in family.sizes
    sizes = [
        count(family.build(config)) for size, config in family.sizes.items() if size in ("tiny", "small")
    ]
    assert sizes == sorted(sizes)
