"""What a net is, in numbers: layers, shapes, parameters, work and reach, as `models show` prints them."""

from __future__ import annotations

from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gait.models import registry
from gait.models.family import GaitNet

_DEPTH = 2


class Layer(msgspec.Struct, frozen=True):
    """One part of a net in the order in which it runs; ``shape`` is its output's, of one sequence."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


class Description(msgspec.Struct, frozen=True):
    """A net over a window of ``frames`` frames.

    ``gflops`` counts a multiply-add as two, without the classifier's share where there is none.
    ``deployed_parameters``: those that an exported net keeps, so without the classifier.
    ``receptive_frames``: input frames that one frame sees before the pooling over time, None for all.
    ``look_ahead``: frames by which the streaming form lags, None where the window is run again.
    """

    family: str
    summary: str
    config: dict[str, Any]
    frames: int
    frame_shape: tuple[int, ...]
    vector_shape: tuple[int, int]
    layers: tuple[Layer, ...]
    parameters: int
    deployed_parameters: int
    gflops: float
    receptive_frames: int | None
    look_ahead: int | None


def describe(net: GaitNet, frames: int | None = None) -> Description:
    """Describe a net; nothing is computed, shapes alone run through it. The net itself is left as it is."""
    family = registry.family(net.family)
    window = frames or family.frames
    with torch.device("meta"):
        ghost = family.build(net.config).to("meta").eval()
        pair = ghost.streaming()
    layers: list[Layer] = []
    handles = [
        module.register_forward_hook(_recorder(name, layers))
        for name, module in ghost.named_modules()
        if name and name.count(".") < _DEPTH
    ]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        ghost(torch.empty(1, window, *ghost.frame_shape, device="meta"))
    for handle in handles:
        handle.remove()
    total = _count(net)
    return Description(
        family=net.family,
        summary=family.summary,
        config=msgspec.to_builtins(net.config),
        frames=window,
        frame_shape=tuple(net.frame_shape),
        vector_shape=net.vector_shape,
        layers=_outermost(layers),
        parameters=total,
        deployed_parameters=total - _classifier(net),
        gflops=counter.get_total_flops() / 1e9,
        receptive_frames=net.receptive_frames,
        look_ahead=None if pair is None else pair.look_ahead,
    )


def _recorder(name: str, layers: list[Layer]) -> Any:
    def record(module: nn.Module, _: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        shape = tuple(first.shape) if isinstance(first, Tensor) else ()
        layers.append(Layer(name, type(module).__name__, shape, _count(module)))

    return record


def _outermost(layers: list[Layer]) -> tuple[Layer, ...]:
    """Each part once: by its inner parts where those ran and hold all its parameters, else as a whole."""
    once = {layer.name: layer for layer in layers}
    inner: dict[str, int] = {}
    for layer in once.values():
        parent = layer.name.rpartition(".")[0]
        inner[parent] = inner.get(parent, 0) + layer.parameters
    split = {name for name, layer in once.items() if inner.get(name, -1) == layer.parameters}
    whole = once.keys() - split
    return tuple(
        layer for name, layer in once.items() if name in whole and name.rpartition(".")[0] not in whole
    )


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _classifier(net: GaitNet) -> int:
    """The weights that only training uses: the classes' vectors in the neck."""
    weights = getattr(getattr(net, "BNNecks", None), "fc_bin", None)
    return weights.numel() if isinstance(weights, Tensor) else 0
