"""Several trained nets of one form as a single wider one, which begins as their mean and can learn on.

The narrow nets lie side by side in the wide one's weights, with zeros where one would hear another. Its
vector before the neck is the mean of theirs to the rounding of float32; training fills the zeros. A net and
its ``mirrored`` self side by side look at every walk and its mirror image in one pass.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor, nn

from gait.models.blocks import SeparateBNNecks, SeparateFCs
from gait.models.conv import ConvNet
from gait.models.skeletongait_pp import AttentionFusion
from stream.errors import ConfigError


def widened(nets: Sequence[ConvNet]) -> ConvNet:
    """The net as wide as all of them together; raises ConfigError where they cannot lie side by side.

    The neck's statistics are the mean of theirs, which is only near those of the mean vector: settle them.
    """
    first = nets[0]
    if any((net.family, net.config) != (first.family, first.config) for net in nets):
        raise ConfigError("nets of different forms", where="widened", wanted="one family, one config")
    if first.config.classes:
        raise ConfigError("a net with its classifier", where="widened", wanted="classes 0: leave it out")
    first_stage, *later = (width * len(nets) for width in first.config.channels)
    wide = type(first)(msgspec.structs.replace(first.config, channels=(first_stage, *later)))
    fusions = {
        id(part.conv.get_submodule("forward_block.0"))
        for part in wide.modules()
        if isinstance(part, AttentionFusion)
    }
    for name, module in wide.named_modules():
        parts = [net.get_submodule(name) for net in nets]
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            kernels = [_tensor(part, "weight") for part in parts]
            _fill(name, module.weight, _side_by_side(module, kernels, halves=id(module) in fusions))
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            for kind in ("weight", "bias", "running_mean", "running_var"):
                _fill(name, _tensor(module, kind), torch.cat([_tensor(part, kind) for part in parts]))
        elif isinstance(module, SeparateFCs):
            matrices = torch.cat([_tensor(part, "fc_bin") for part in parts], 1)
            _fill(name, module.fc_bin, matrices / len(nets))
        elif isinstance(module, SeparateBNNecks):
            for kind in ("weight", "bias", "running_mean", "running_var"):
                means = torch.stack([_tensor(part, f"bn1d.{kind}") for part in parts]).mean(dim=0)
                _fill(name, _tensor(module, f"bn1d.{kind}"), means)
    return wide.eval()


def mirrored(net: ConvNet) -> ConvNet:
    """The net whose kernels are reflected: what it says of a walk, ``net`` says of the walk's mirror image.

    Exactly so but for the first column of a map of even width, at which a stride begins to count.
    """
    turned = copy.deepcopy(net)
    with torch.no_grad():
        for module in turned.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                module.weight.copy_(module.weight.flip(-1))
    return turned.eval()


def _side_by_side(module: nn.Conv2d | nn.Conv3d, kernels: list[Tensor], *, halves: bool) -> Tensor:
    """Kernels (out, in, ...) along a diagonal; stacked where all nets look at the same maps."""
    if module.in_channels == kernels[0].shape[1]:
        return torch.cat(kernels)
    if halves:  # silhouettes' maps of all nets come first, then the skeletons'
        width = kernels[0].shape[1] // 2
        both = [
            _diagonal([kernel[:, side] for kernel in kernels]) for side in (slice(width), slice(width, None))
        ]
        return torch.cat(both, 1)
    return _diagonal(kernels)


def _diagonal(blocks: list[Tensor]) -> Tensor:
    rows, columns = (sum(block.shape[side] for block in blocks) for side in (0, 1))
    out = blocks[0].new_zeros(rows, columns, *blocks[0].shape[2:])
    row = column = 0
    for block in blocks:
        out[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return out


def _tensor(module: nn.Module, name: str) -> Tensor:
    """A parameter or buffer."""
    found = module
    *path, last = name.split(".")
    for part in path:
        found = getattr(found, part)
    tensor = getattr(found, last)
    assert isinstance(tensor, Tensor), name
    return tensor


def _fill(name: str, target: Tensor, values: Tensor) -> None:
    if target.shape != values.shape:  # as the fusion's few channels, which need sixteen maps each
        raise ConfigError(
            f"{name} of {tuple(target.shape)} cannot hold these nets'",
            where="widened",
            wanted=f"channels that are multiples of 16, for a shape of {tuple(values.shape)}",
        )
    with torch.no_grad():
        target.copy_(values)
