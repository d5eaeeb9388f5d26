"""Taking down and putting back what a run must not lose: tensors by name, the rest as plain values."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn, optim

from gait.training.checkpoint import Facts
from gait.training.parallel import Processes

NET: Final = "net."
AVERAGE: Final = "average."
_OPTIMIZER: Final = "optimizer."
_TORCH: Final = "random.torch"
_CUDA: Final = "random.cuda"

Tensors = dict[str, Tensor]


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Copies under ``prefix``, sharing no memory."""
    return {prefix + name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Those under ``prefix``, by the names they had."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def take_optimizer(optimizer: optim.Optimizer) -> tuple[Tensors, list[dict[str, Any]]]:
    """Its tensors by weight's number and name, and its groups as plain values."""
    state = optimizer.state_dict()
    tensors = {
        f"{_OPTIMIZER}{number}.{name}": value.detach().cpu().clone()
        for number, values in state["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }
    return tensors, state["param_groups"]


def put_optimizer(optimizer: optim.Optimizer, tensors: Tensors, groups: list[dict[str, Any]]) -> None:
    """As ``take_optimizer`` found it."""
    state: dict[int, Tensors] = {}
    for name, tensor in under(_OPTIMIZER, tensors).items():
        number, _, field = name.partition(".")
        state.setdefault(int(number), {})[field] = tensor
    restored = [{key: tuple(v) if key == "betas" else v for key, v in group.items()} for group in groups]
    optimizer.load_state_dict({"state": state, "param_groups": restored})


def take_random(processes: Processes) -> tuple[Tensors, list[Any], dict[str, Any]]:
    """Every generator: torch's of each process (and device), python's and numpy's."""
    tensors = {_TORCH: processes.stack(torch.get_rng_state())}
    if processes.device.type == "cuda":
        tensors[_CUDA] = processes.stack(torch.cuda.get_rng_state(processes.device))
    version, numbers, spare = random.getstate()
    legacy = np.random.get_state(legacy=False)
    inner = {name: np.asarray(value).tolist() for name, value in legacy["state"].items()}
    return tensors, [version, list(numbers), spare], {**legacy, "state": inner}


def put_random(tensors: Tensors, facts: Facts, processes: Processes) -> None:
    """As ``take_random`` found them."""
    # A copy: torch reads a view as if it began where its memory does.
    torch.set_rng_state(tensors[_TORCH][processes.rank].clone())
    if processes.device.type == "cuda" and _CUDA in tensors:
        torch.cuda.set_rng_state(tensors[_CUDA][processes.rank].clone(), processes.device)
    version, numbers, spare = facts.python
    random.setstate((version, tuple(numbers), spare))
    key = np.asarray(facts.numpy["state"]["key"], np.uint32)
    np.random.set_state({**facts.numpy, "state": {**facts.numpy["state"], "key": key}})


def seed_all(seed: int, rank: int) -> None:
    """The generators' start: nets are drawn alike in every process, what follows differs by ``rank``."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed + 1_000_003 * rank)


def put_net(net: nn.Module, tensors: Tensors, prefix: str = NET) -> None:
    """A net's weights, strictly."""
    net.load_state_dict(under(prefix, tensors), strict=True)
