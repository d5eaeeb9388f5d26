"""What the nets of all runtimes have in common: what they tell of themselves, and how outputs are chosen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes.net import FREE, Arrays, NetInfo, TensorSpec
from stream.errors import WeightsError

Infer = Callable[[Arrays], dict[str, NDArray[Any]]]


class LoadedNet(ABC):
    """A net whose specs and description are known once it is loaded; ``run`` is the runtime's own."""

    _inputs: Mapping[str, TensorSpec]
    _outputs: Mapping[str, TensorSpec]
    _info: NetInfo

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """What ``run`` wants, by name."""
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """What ``run`` gives, by name."""
        return self._outputs

    def describe(self) -> NetInfo:
        """The runtime, its version, the device and the precision."""
        return self._info

    @abstractmethod
    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One inference; the results are the caller's own copies."""

    def run_each(self, batches: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Independent inferences, one after the other."""
        return [self.run(arrays) for arrays in batches]


def in_parts(infer: Infer, arrays: Arrays, cut: Collection[str], most: int) -> dict[str, NDArray[Any]]:
    """``infer`` over at most ``most`` rows at a time of the inputs in ``cut``; the others go in whole."""
    rows = max(len(arrays[name]) for name in cut)
    parts = [
        infer({name: array[low : low + most] if name in cut else array for name, array in arrays.items()})
        for low in range(0, rows, most)
    ]
    return parts[0] if len(parts) == 1 else {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}


def with_batch(specs: Iterable[TensorSpec], batch: int) -> dict[str, TensorSpec]:
    """By name, with a free first side set to ``batch``; 0 leaves it free."""
    return {
        spec.name: TensorSpec(spec.name, spec.dtype, (batch, *spec.shape[1:]))
        if batch and spec.shape[:1] == (FREE,)
        else spec
        for spec in specs
    }


def chosen(found: Mapping[str, TensorSpec], wanted: Sequence[str], where: str) -> dict[str, TensorSpec]:
    """The outputs wanted, in that order, all for none; raises WeightsError for one that is not there."""
    if unknown := sorted(set(wanted) - found.keys()):
        raise WeightsError(f"no output {unknown[0]!r}", where=where, wanted=f"one of {sorted(found)}")
    return {name: found[name] for name in wanted} if wanted else dict(found)
