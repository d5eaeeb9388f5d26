"""8-bit pixels for a net that wants floats: what OpenVINO does inside its graph, for the other runtimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes.net import Arrays, Net, NetInfo, PixelInput, TensorSpec, check_inputs
from stream.errors import WeightsError


class PixelNet:
    """A net of one image input that is fed uint8 BGR (N, rows, columns, 3)."""

    def __init__(self, net: Net, pixels: PixelInput) -> None:
        if len(net.inputs) != 1:
            raise WeightsError(
                f"a net of {len(net.inputs)} inputs takes no pixels", where=net.describe().name
            )
        (spec,) = net.inputs.values()
        self._net, self._pixels, self._dtype = net, pixels, spec.dtype
        shape = spec.shape
        if pixels.planar:
            shape = (shape[0], shape[2], shape[3], shape[1])
        self._inputs = {spec.name: TensorSpec(spec.name, "uint8", shape)}

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """What ``run`` wants, by name."""
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """What ``run`` gives, by name."""
        return self._net.outputs

    def describe(self) -> NetInfo:
        """The runtime, its version, the device and the precision."""
        return self._net.describe()

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One inference; the results are the caller's own copies."""
        return self._net.run(self._values(arrays))

    def run_each(self, batches: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Independent inferences; results in the order given."""
        return self._net.run_each([self._values(arrays) for arrays in batches])

    def _values(self, arrays: Arrays) -> Arrays:
        check_inputs(self._inputs, arrays)
        return {name: normalised(image, self._pixels, self._dtype) for name, image in arrays.items()}


def normalised(image: NDArray[np.uint8], pixels: PixelInput, dtype: str = "float32") -> NDArray[Any]:
    """(N, rows, columns, 3) BGR pixels as the net's own numbers, in its order of channels."""
    values = image if pixels.bgr else image[..., ::-1]
    if pixels.planar:
        values = values.transpose(0, 3, 1, 2)
    floats = np.ascontiguousarray(values, dtype=np.float32)
    if pixels.mean:
        floats -= np.float32(pixels.mean)
    if pixels.scale != 1.0:
        floats /= np.float32(pixels.scale)
    return floats.astype(dtype, copy=False)
