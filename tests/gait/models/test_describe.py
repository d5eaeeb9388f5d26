"""What a net is said to be equals the published figures and a count by hand."""

import pytest
import torch

from gait.models import registry
from gait.models.describe import describe


@pytest.mark.parametrize(
    ("name", "size", "gflops", "deployed", "reach", "look_ahead"),
    [
        ("skeletongait++", "1441", 183, 13.281e6, 19, 9),
        ("skeletongait++", "1111", 96, 8.113e6, 7, 3),
        ("deepgaitv2", "1441", 170, 13.204e6, 19, 9),
    ],
)
def test_published_figures(name, size, gflops, deployed, reach, look_ahead) -> None:
    """Work at T = 30 on 64 x 44, parameters without the classifier, frames seen, frames waited for."""
    with torch.device("meta"):
        found = describe(registry.build(name, size, classes=74), 30)
    assert found.gflops == pytest.approx(gflops, abs=0.6)
    assert found.deployed_parameters == pytest.approx(deployed, abs=600)
    assert found.parameters == found.deployed_parameters + 16 * 256 * 74
    assert (found.receptive_frames, found.look_ahead) == (reach, look_ahead)


@pytest.mark.parametrize("name", registry.names())
def test_every_family_is_described(name) -> None:
    """Layers hold all parameters but loose ones, and the net is left as it was."""
    net = registry.build(name, "tiny").eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = describe(net, 10)
    assert found.frames == 10
    assert found.gflops > 0
    assert 0.5 * found.parameters < sum(layer.parameters for layer in found.layers) <= found.parameters
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize("name", ["deepgaitv2", "silskeletongait", "hybridgait"])
@torch.no_grad()
def test_the_reach_is_what_the_net_really_sees(name) -> None:
    """A frame changed just inside the receptive field moves the map in the middle, one just outside does not."""
    net = registry.build(name, "tiny").eval()
    reach = net.receptive_frames
    assert reach is not None
    middle = reach // 2 + 1
    x = net.example(1, 2 * middle + 1)
    maps = net.maps(x)[:, :, middle]
    for frame, moves in ((0, False), (1, True), (2 * middle - 1, True), (2 * middle, False)):
        other = x.clone()
        other[:, frame] = 1 - other[:, frame]
        assert torch.equal(net.maps(other)[:, :, middle], maps) != moves


def test_work_counted_by_hand_on_one_layer() -> None:
    """The tiny control's stem: 2 x 9 x 16 multiply-adds a pixel; twice the frames are twice the work."""
    one, two = (describe(registry.build("deepgaitv2", "tiny"), frames) for frames in (4, 8))
    head = 2 * 16 * 128 * 32 / 1e9
    assert two.gflops - head == pytest.approx(2 * (one.gflops - head), rel=1e-6)
    assert one.layers[0].parameters == 9 * 16 + 2 * 16
    assert one.layers[0].shape == (4, 16, 64, 44)
