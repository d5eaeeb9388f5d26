"""From a trained net to the one that ships."""

from __future__ import annotations

import msgspec

from gait.models import registry
from gait.models.conv import ConvNet
from gait.models.family import GaitNet
from stream.errors import WeightsError


def without_classifier(trained: GaitNet) -> GaitNet:
    """The same net, the weights of the training people left out."""
    if not isinstance(trained, ConvNet):
        raise WeightsError(f"a net of {trained.family}", wanted="a convolutional one", where="ship")
    config = msgspec.structs.replace(trained.config, classes=0)
    net = registry.family(trained.family).build(config)
    kept = net.state_dict().keys()
    net.load_state_dict({name: value for name, value in trained.state_dict().items() if name in kept})
    return net.eval()
