"""Which family a foreign checkpoint belongs to and of what size, told from its tensors' names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gait.models.blocks import STRIPS
from stream.errors import WeightsError

Shapes = Mapping[str, tuple[int, ...]]

# A tensor that only this layout has -> the family. The stem of the two single-stream nets tells them apart.
_FUSED: Final = "sil_layer0.forward_block.0.weight"
_SINGLE: Final = "layer0.forward_block.0.weight"
_GRAPH: Final = "input_branches.0.bn.weight"
_PUBLISHED_MAPS: Final = {"reference_maps": True}
_KNOWN: Final = "SkeletonGait, SkeletonGait++, DeepGaitV2-P3D and GaitGraph2 checkpoints"


@dataclass(frozen=True)
class Recognised:
    """A family and the fields of its config that the shapes tell."""

    family: str
    config: dict[str, Any]


def recognise(shapes: Shapes, where: str = "") -> Recognised:
    """The family of a checkpoint; raises WeightsError for one of no known layout."""
    if _GRAPH in shapes:
        return Recognised("gaitgraph2", _graph_config(shapes, where))
    if _FUSED in shapes:
        return Recognised("skeletongait++", _conv_config(shapes, "sil_layer", where) | _PUBLISHED_MAPS)
    if _SINGLE in shapes:
        inputs = _shape(shapes, _SINGLE, 4, where)[1]
        if inputs == 1:
            return Recognised("deepgaitv2", _conv_config(shapes, "layer", where))
        if inputs == 2:
            return Recognised("skeletongait", _conv_config(shapes, "layer", where) | _PUBLISHED_MAPS)
    some = ", ".join(sorted(shapes)[:3])
    raise WeightsError(f"no known layout has tensors such as {some}", where=where, wanted=_KNOWN)


def _conv_config(shapes: Shapes, first: str, where: str) -> dict[str, Any]:
    stem = _shape(shapes, f"{first}0.forward_block.0.weight", 4, where)[0]
    later = [_shape(shapes, f"layer{k}.0.sbn.weight", 1, where)[0] for k in (2, 3, 4)]
    strips, _, embedding = _shape(shapes, "FCs.fc_bin", 3, where)
    if strips != STRIPS:
        raise WeightsError(f"the checkpoint has {strips} strips", where=where, wanted=str(STRIPS))
    classes = shapes.get("BNNecks.fc_bin", (0, 0, 0))[-1]
    return {
        "channels": [stem, *later],
        "blocks": [
            _count(shapes, rf"{first}1\.forward_block\.(\d+)\."),
            *(_count(shapes, rf"layer{k}\.(\d+)\.") for k in (2, 3, 4)),
        ],
        "embedding": embedding,
        "classes": classes,
    }


def _graph_config(shapes: Shapes, where: str) -> dict[str, Any]:
    """As released: raw pixels in, the confidence where the released features put it."""
    modules = _count(shapes, r"main_stream\.(\d+)\.")
    return {
        "graph": {17: "coco17", 18: "coco18"}.get(_shape(shapes, "A", 3, where)[1], "coco17"),
        "branch_widths": [
            _shape(shapes, f"input_branches.0.layers.{k}.tcn.{norm}.weight", 1, where)[0]
            for k, norm in enumerate(("bn", "bn_up"))
        ],
        "widths": [_shape(shapes, f"main_stream.{k}.tcn.bn_up.weight", 1, where)[0] for k in range(modules)],
        "embedding": _shape(shapes, "fcn.weight", 2, where)[0],
        "temporal_kernel": _shape(shapes, "input_branches.0.layers.0.tcn.conv.weight", 4, where)[2],
        "normalise": False,
        "confidence_as_released": True,
    }


def _count(shapes: Shapes, pattern: str) -> int:
    found = {match.group(1) for name in shapes if (match := re.match(pattern, name))}
    return len(found)


def _shape(shapes: Shapes, name: str, sides: int, where: str) -> tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None or len(shape) != sides:
        raise WeightsError(f"the checkpoint has no {name} of {sides} dimensions", where=where, wanted=_KNOWN)
    return shape
