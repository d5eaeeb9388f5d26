"""What drives GaitGraph2's embedding of one walk, shown over the walker as a picture or a GIF."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from gait.models.canvas import View, write_gif, write_png
from gait.models.gaitgraph2 import GaitGraph2
from gait.models.pictures import activation_frames, activation_picture
from gait.pose_features import branches, normalise
from gait.pose_graph import load_graph
from stream.errors import ConfigError

# Half of real time at 25 frames a second: slow enough to see which foot it was.
FRAME_MS: Final = 80


def visualize_activation(
    net: GaitGraph2,
    joints: NDArray[np.floating[Any]],
    save_path: str | Path,
    silhouettes: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32]:
    """Writes a .png of twelve moments or a .gif of the walk; returns the activations (ceil(T / 4), V).

    ``joints`` (T, V, 3): x, y, confidence. With ``silhouettes`` (T, H, W), joints are in their pixels and
    drawn over them. Raises ConfigError for another kind of file.
    """
    path = Path(save_path)
    if path.suffix not in {".png", ".gif"}:
        raise ConfigError(f"cannot draw {path.name}", where=str(path), wanted="a .png or .gif")
    graph, activations = load_graph(net.config.graph), activations_of(net, joints)
    view = View.of(joints, graph, confidence=True)
    if silhouettes is not None:
        view = View.over(silhouettes, joints, graph)
    title = "what drives the embedding"
    if path.suffix == ".png":
        write_png(path, activation_picture(view, activations, graph, title=title))
    else:
        write_gif(path, activation_frames(view, activations, graph, title=title), FRAME_MS)
    return activations


def activations_of(net: GaitGraph2, joints: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Joints (T, V, 3) through the net's own features -> (ceil(T / 4), V) in [0, 1]."""
    config, graph = net.config, load_graph(net.config.graph)
    fed = normalise(joints, graph) if config.normalise else np.nan_to_num(joints).astype(np.float32)
    features = branches(fed, graph, as_released=config.confidence_as_released)
    was_training = net.training
    net.eval()
    with torch.inference_mode():
        activations = net.activations(torch.from_numpy(features[None]))[0].numpy()
    net.train(was_training)
    return activations
