"""OpenVINO behind the Net protocol: reads .tflite, .onnx and its own .xml as they are.

Inference precision is always set. Left alone, OpenVINO picks bf16 on processors that have it, so that one
file would give other landmarks on another machine; f32 is our default and bf16 a choice the user makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import ColorFormat, PrePostProcessor

from engines.runtimes.base import LoadedNet
from engines.runtimes.net import (
    FREE,
    Arrays,
    NetInfo,
    NetOptions,
    PixelInput,
    TensorSpec,
    check_inputs,
    damaged,
    is_no_weight,
    usable_threads,
)
from engines.runtimes.openvino_core import core
from engines.weights import sha256_of
from stream.errors import ResourceError, WeightsError

MULTIPLIES: Final = (
    "Convolution",
    "GroupConvolution",
    "ConvolutionBackpropData",
    "GroupConvolutionBackpropData",
    "MatMul",
)


@dataclass(frozen=True)
class OpenVinoOptions(NetOptions):
    """How a net is compiled; ``compile_cache``: a folder that spares the next start the compiling."""

    compile_cache: Path | None = None


class OpenVinoNet(LoadedNet):
    """A model compiled for one inference at a time and, where streams are wanted, for some side by side.

    Two inferences side by side on a core each wait for each other less than one after the other on both do,
    and the numbers are the same to the last bit; a lone one would leave a core idle. Not for use by two
    threads at once.
    """

    def __init__(
        self,
        path: Path,
        options: NetOptions | None = None,
        *,
        pixels: PixelInput | None = None,
        device: str = "CPU",
    ) -> None:
        self._options = options or NetOptions()
        shared = core()
        model = _read(shared, path)
        _check_weights(model, path)
        model = _prepare(model, path, self._options, pixels)
        # Compiling gives tensors further names; ours are those of the file, in the same order.
        names = [[port.get_any_name() for port in ports] for ports in (model.inputs, model.outputs)]
        threads = usable_threads(self._options.threads)
        alone = _compile(shared, model, path, device, self._options, streams=1)
        self._inputs = _specs(names[0], alone.inputs)
        self._outputs = _specs(names[1], alone.outputs)
        self._alone = alone.create_infer_request()
        self._abreast = [self._alone]
        if (streams := min(self._options.streams, threads)) > 1:
            several = _compile(shared, model, path, device, self._options, streams=streams)
            self._abreast = [several.create_infer_request() for _ in range(streams)]
        self._info = NetInfo(
            name=path.name,
            sha256=sha256_of(path),
            runtime="openvino",
            version=ov.__version__.split("-")[0],
            device=str(shared.get_property(device, "FULL_DEVICE_NAME")).strip(),
            precision=self._options.precision,
            threads=threads,
            streams=len(self._abreast),
        )

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One inference; the results are the caller's own copies."""
        return self.run_each([arrays])[0]

    def run_each(self, batches: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Independent inferences, as many in flight as there are streams."""
        for arrays in batches:
            check_inputs(self._inputs, arrays)
        results: list[dict[str, NDArray[Any]]] = []
        for first in range(0, len(batches), len(self._abreast)):
            try:
                results += self._together(batches[first : first + len(self._abreast)])
            except RuntimeError as error:
                raise WeightsError(
                    f"OpenVINO failed in this net ({_first_line(error)})", where=self._info.name
                ) from error
        return results

    def _together(self, group: Sequence[Arrays]) -> list[dict[str, NDArray[Any]]]:
        """As many inferences as there are streams, or fewer; a lone one on every core."""
        requests = self._abreast[: len(group)] if len(group) > 1 else [self._alone]
        for request, arrays in zip(requests, group, strict=True):
            request.start_async(dict(arrays), share_inputs=True)
        results = []
        for request in requests:
            request.wait()
            results.append({name: request.get_tensor(name).data.copy() for name in self._outputs})
        return results


def _read(shared: ov.Core, path: Path) -> ov.Model:
    if not path.is_file():
        raise WeightsError("no such net", where=str(path))
    try:
        return shared.read_model(path)
    except RuntimeError as error:
        raise WeightsError(
            f"OpenVINO cannot read this net ({_first_line(error)})",
            where=str(path),
            wanted=".tflite or .onnx",
        ) from error


def _check_weights(model: ov.Model, path: Path) -> None:
    """Refuse NaN among the constants: behind a rectifier it becomes 0, and the answers look sound."""
    for node in model.get_ops():
        if node.get_type_name() != "Constant" or not node.get_element_type().is_real():
            continue
        if is_no_weight(node.get_data(dtype=np.float32), multiplied=_multiplied(node)):
            raise damaged(node.get_friendly_name(), str(path))


def _multiplied(node: Any) -> bool:
    """Whether a constant is a weight, perhaps after it was widened."""
    for target in node.output(0).get_target_inputs():
        user = target.get_node()
        kind = user.get_type_name()
        if kind in MULTIPLIES or (kind == "Convert" and _multiplied(user)):
            return True
    return False


def _prepare(model: ov.Model, path: Path, options: NetOptions, pixels: PixelInput | None) -> ov.Model:
    """Keep the wanted outputs, set the batch, take 8-bit pixels where asked."""
    try:
        if options.outputs:
            model = _only(model, options.outputs)
        _set_batch(model, options.batch)
        if pixels is None:
            return model
        steps = PrePostProcessor(model)
        source = steps.input()
        source.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_color_format(
            ColorFormat.BGR
        )
        source.model().set_layout(ov.Layout("NCHW" if pixels.planar else "NHWC"))
        plan = source.preprocess().convert_element_type(ov.Type.f32)
        if not pixels.bgr:
            plan.convert_color(ColorFormat.RGB)
        plan.mean(pixels.mean).scale(pixels.scale)
        return steps.build()
    except RuntimeError as error:
        raise WeightsError(f"cannot adapt this net ({_first_line(error)})", where=str(path)) from error


def _set_batch(model: ov.Model, batch: int) -> None:
    """The first side of every input, where it is free or another number is asked for; 0 frees it."""
    wanted = {}
    for port in model.inputs:
        shape = port.get_partial_shape()
        if shape.rank.get_length() and (batch != 1 or shape[0].is_dynamic):
            shape[0] = ov.Dimension(batch if batch else -1)
            wanted[port.get_any_name()] = shape
    if wanted:
        model.reshape(wanted)


def _only(model: ov.Model, outputs: tuple[str, ...]) -> ov.Model:
    results = [model.output(name).get_node() for name in outputs]
    return ov.Model(results, model.get_parameters(), model.get_friendly_name())


def _compile(
    shared: ov.Core, model: ov.Model, path: Path, device: str, options: NetOptions, *, streams: int
) -> ov.CompiledModel:
    if device not in shared.available_devices:
        raise ResourceError(
            f"OpenVINO has no device {device!r}", wanted=f"one of {shared.available_devices}", where=str(path)
        )
    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": options.precision,
        "INFERENCE_NUM_THREADS": usable_threads(options.threads),
        "NUM_STREAMS": streams,
        # Pinning would put two processes' threads on the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    if isinstance(options, OpenVinoOptions) and options.compile_cache is not None:
        properties["CACHE_DIR"] = str(options.compile_cache)
    try:
        return shared.compile_model(model, device, properties)
    except RuntimeError as error:
        raise WeightsError(f"cannot compile this net ({_first_line(error)})", where=str(path)) from error


def _specs(names: Sequence[str], ports: Sequence[Any]) -> dict[str, TensorSpec]:
    specs = {}
    for name, port in zip(names, ports, strict=True):
        dtype = port.get_element_type().to_dtype().name
        sides = (FREE if side.is_dynamic else side.get_length() for side in port.get_partial_shape())
        specs[name] = TensorSpec(name, dtype, tuple(sides))
    return specs


def _first_line(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
