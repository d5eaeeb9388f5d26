"""Nets side by side in a wider one: the mean of what they say, exactly; and a net's mirror image."""

import msgspec
import pytest
import torch

from gait.models import registry
from gait.models.conv import ConvNet
from gait.models.widened import mirrored, widened
from stream.errors import ConfigError
from tests.strategies_skeletons import worn

FAMILIES = ("deepgaitv2", "skeletongait", "skeletongait++", "silskeletongait")
SMALL = {"channels": (16, 16, 16, 16), "blocks": (1, 1, 2, 1), "embedding": 8}


def _net(name: str, seed: int, **config: object) -> ConvNet:
    torch.manual_seed(seed)
    net = worn(registry.build(name, "tiny", **{**SMALL, **config}), seed)
    assert isinstance(net, ConvNet)
    return net


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("count", [1, 2, 3])
@torch.no_grad()
def test_a_wide_net_says_the_mean_of_what_its_parts_say(name, count) -> None:
    nets = [_net(name, seed) for seed in range(count)]
    wide, walk = widened(nets), nets[0].example(2, 7)
    wanted = torch.stack([net(walk).embed_1 for net in nets]).mean(dim=0)
    assert wide.config.channels == tuple(16 * count for _ in range(4))
    torch.testing.assert_close(wide(walk).embed_1, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@torch.no_grad()
def test_so_it_does_with_the_first_stage_at_half_resolution() -> None:
    nets = [_net("silskeletongait", seed, stem_stride=2) for seed in range(2)]
    walk = nets[0].example(1, 6)
    wanted = (nets[0](walk).embed_1 + nets[1](walk).embed_1) / 2
    torch.testing.assert_close(
        widened(nets)(walk).embed_1, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max())
    )


def test_training_reaches_the_zeros_between_the_parts() -> None:
    wide = widened([_net("silskeletongait", seed) for seed in range(2)]).train()
    wide(wide.example(2, 4)).embed_1.square().sum().backward()
    between = wide.layer4[0].conv2.forward_block[0].weight
    assert not between[:16, 16:].any()
    assert between.grad[:16, 16:].any()


@torch.no_grad()
def test_a_mirrored_net_says_of_a_walk_what_the_net_says_of_its_mirror_image() -> None:
    """Without strides exactly; the stages' two strides keep the reflection only for odd widths."""
    net = _net("deepgaitv2", 0)
    walk = net.example(1, 5)
    frames = walk.flatten(0, 1)
    torch.testing.assert_close(mirrored(net).front(frames), net.front(frames.flip(-1)).flip(-1))


@torch.no_grad()
def test_mirrored_twice_is_the_net_itself_and_the_net_is_left_as_it_was() -> None:
    net = _net("silskeletongait", 0)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    twice = mirrored(mirrored(net))
    for name, value in twice.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
        torch.testing.assert_close(net.state_dict()[name], before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("nets", "said"),
    [
        ([("deepgaitv2", {}), ("skeletongait", {})], "one family"),
        ([("deepgaitv2", {}), ("deepgaitv2", {"embedding": 4})], "one config"),
        ([("deepgaitv2", {"classes": 3})] * 2, "classes 0"),
        ([("silskeletongait", {"channels": (8, 8, 8, 8)})] * 2, "multiples of 16"),
    ],
)
def test_nets_that_cannot_lie_side_by_side_are_refused(nets, said) -> None:
    built = [_net(name, 0, **config) for name, config in nets]
    with pytest.raises(ConfigError) as refused:
        widened(built)
    assert said in str(refused.value)


def test_the_config_tells_the_width() -> None:
    wide = widened([_net("silskeletongait", seed) for seed in range(2)])
    assert msgspec.structs.asdict(wide.config) == {
        **msgspec.structs.asdict(_net("silskeletongait", 0).config),
        "channels": (32, 32, 32, 32),
    }
