"""A clip of several stretches of time is embedded as a track with gaps: each stretch with its own ends."""

import pytest
import torch

from gait.models import registry
from gait.models.blocks import run_head
from gait.models.silskeletongait import SilSkeletonGait, SilSkeletonGaitConfig
from gait.training.config import ClipSection
from gait.training.stepper import pieces_of
from stream.errors import ConfigError

SMALL = SilSkeletonGaitConfig(channels=(4, 4, 8, 8), blocks=(1, 1, 1, 1), embedding=8)


def test_runs_are_the_maximum_of_segments_of_their_own() -> None:
    net = SilSkeletonGait(SMALL).eval()
    frames = net.example(2, 8)
    with torch.inference_mode():
        together = net(frames, runs=2).embed_1
        maps = torch.stack([net.maps(frames[:, :4]).amax(2), net.maps(frames[:, 4:]).amax(2)]).amax(0)

        apart = run_head(maps, net.FCs, net.BNNecks).embed_1
        unbroken = net(frames).embed_1
    torch.testing.assert_close(together, apart)
    assert not torch.allclose(together, unbroken, atol=1e-4), "frames beyond a gap are not neighbours"


def test_frames_that_do_not_count_enter_no_run() -> None:
    net = SilSkeletonGait(SMALL).eval()
    frames, valid = net.example(1, 6), torch.tensor([[True, True, True, False, False, False]])
    with torch.inference_mode():
        torch.testing.assert_close(net(frames, valid, runs=2).embed_1, net(frames[:, :3]).embed_1)


def test_a_net_that_takes_one_stretch_refuses_several() -> None:
    with pytest.raises(ConfigError, match=r"sampler\.clip\.kind"):
        pieces_of(registry.build("gaitgraph2", "published"), ClipSection(kind="runs", frames=4, runs=2))
