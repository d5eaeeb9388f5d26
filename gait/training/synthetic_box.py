"""From a trained net to the one that ships: without its classifier, and with a cohort of strangers."""

from __future__ import annotations

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from gait.inputs import prepare
from gait.models import registry
from gait.models.conv import ConvNet
from gait.models.family import GaitNet
from gait.models.input_spec import spec_of
from gait.models.weights import EMBEDDING
from gait.training.synthetic import TrainingWalkers, WalkerSet
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


def cohort(net: GaitNet, chosen: WalkerSet) -> NDArray[np.float16]:
    """(people, 512) one vector of each."""
    preparation, vectors = TrainingWalkers(chosen), []
    for found in preparation.find().found:
        frames = torch.from_numpy(prepare(spec_of(net), preparation.load(found).walk))[None]
        with torch.inference_mode():
            vectors.append(net.vector(net(frames), EMBEDDING)[0].numpy())
    return np.stack(vectors).astype(np.float16)
