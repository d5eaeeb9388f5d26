"""The net that a run trains, and the arithmetic it is trained in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import torch

from gait.inputs import InputSpec
from gait.models import checkpoints, registry
from gait.models.family import GaitNet
from gait.models.input_spec import spec_of
from gait.training.config import ModelSection, Precision
from stream.errors import ConfigError, ResourceError, WeightsError

TYPES: Final[dict[Precision, torch.dtype]] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def build_net(section: ModelSection, classes: int) -> tuple[GaitNet, tuple[str, ...]]:
    """A new net with a classifier of ``classes`` people (0: none), from fresh or given weights.

    Also the tensors of the given weights that found no place, such as another classifier's.
    """
    fields = dict(section.config)
    if classes:
        known = {field.name for field in msgspec.structs.fields(registry.family(section.family).config)}
        if "classes" not in known:
            raise ConfigError(
                f"{section.family} has no classifier",
                where="losses.cross_entropy",
                wanted="null for this family, and triplet or a contrastive loss",
            )
        fields["classes"] = classes
    net = registry.build(section.family, section.size, **fields)
    return net, _start_from(net, section.weights) if section.weights else ()


def _start_from(net: GaitNet, path: str) -> tuple[str, ...]:
    given = checkpoints.load(path)
    if given.family != net.family:
        raise WeightsError(f"weights of {given.family}", where=path, wanted=f"weights of {net.family}")
    own = net.state_dict()
    theirs = given.state_dict()
    fitting = {n: t for n, t in theirs.items() if n in own and own[n].shape == t.shape}
    if not fitting:
        raise WeightsError("no tensor fits the net", where=path, wanted=f"{net.family} of the same size")
    net.load_state_dict({**own, **fitting})
    return tuple(sorted(theirs.keys() - fitting.keys()))


def training_spec(net: GaitNet) -> InputSpec:
    """What the net is fed while it is trained: one view, though it may be judged on several."""
    return msgspec.structs.replace(spec_of(net), views=False)


def compiled(net: Any) -> Any:
    """The net through torch.compile, which needs a C++ compiler; raises ResourceError where there is none."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++", "cl"]
    if not any(shutil.which(name) for name in names):
        raise ResourceError(
            "no C++ compiler, which a compiled step needs",
            wanted=" or ".join(names),
            fix="Install one, or leave trainer.compiled off",
        )
    return torch.compile(net)


@contextmanager
def arithmetic(device: torch.device, threads: int, *, deterministic: bool) -> Iterator[None]:
    """Operators that give the same bits each time, while it lasts; ``threads`` 0 leaves them alone.

    On a GPU a warning marks the few operators that have no such form.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=device.type == "cuda")
    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_num_threads(before[1])
