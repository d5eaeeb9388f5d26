"""From a trained net to the one that ships."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import torch

from gait.inputs import Walk, prepare
from gait.models import registry
from gait.models.conv import ConvNet
from gait.models.family import GaitNet
from gait.models.input_spec import spec_of
from stream.errors import WeightsError


def without_classifier(trained: GaitNet) -> ConvNet:
    """The same net, the weights of the training people left out."""
    if not isinstance(trained, ConvNet):
        raise WeightsError(f"a net of {trained.family}", wanted="a convolutional one", where="ship")
    config = msgspec.structs.replace(trained.config, classes=0)
    net = registry.family(trained.family).build(config)
    kept = net.state_dict().keys()
    net.load_state_dict({name: value for name, value in trained.state_dict().items() if name in kept})
    assert isinstance(net, ConvNet), "of the trained net's family"
    return net.eval()


def settle_neck(net: GaitNet, walks: Iterable[Walk]) -> None:
    """The neck's mean and spread as of whole walks; raises WeightsError for a net without a neck.

    The maximum over a whole walk is larger than that over the few frames of a training clip.
    """
    if not isinstance(net, ConvNet):
        raise WeightsError(f"a net of {net.family}", wanted="a convolutional one", where="ship")
    spec, found = spec_of(net), []
    with torch.inference_mode():
        for walk in walks:
            found.append(net(torch.from_numpy(prepare(spec, walk))[None]).embed_1.flatten(1))
    values = torch.cat(found)
    norm = net.BNNecks.bn1d
    assert norm.running_mean is not None, "a neck keeps its statistics"
    assert norm.running_var is not None, "a neck keeps its statistics"
    norm.running_mean.copy_(values.mean(dim=0))
    norm.running_var.copy_(values.var(dim=0))
