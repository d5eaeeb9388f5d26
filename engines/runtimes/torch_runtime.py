"""torch behind the Net protocol: the reference that the other runtimes are compared with.

An ONNX file is read node by node into torch's own functions, so that every net comes through the same door.
On a GPU the module can be compiled or captured in a CUDA graph; on a CPU it runs eagerly.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from engines.runtimes.base import LoadedNet, chosen, in_parts, with_batch
from engines.runtimes.engine_check import check_graph, load_graph
from engines.runtimes.net import (
    FREE,
    Arrays,
    NetInfo,
    NetOptions,
    TensorSpec,
    check_inputs,
    usable_threads,
)
from engines.runtimes.torch_operators import OPERATORS, Value, attributes_of
from engines.weights import sha256_of
from stream.errors import ResourceError, WeightsError

Speed = Literal["eager", "compiled", "graphs"]
TYPES: Final = {"f32": torch.float32, "bf16": torch.bfloat16}


class OnnxModule(nn.Module):
    """An ONNX graph as a torch module: tensors in by position, a tuple of the ``outputs`` out."""

    def __init__(self, graph: onnx.GraphProto, outputs: Sequence[str]) -> None:
        super().__init__()
        held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._names: dict[str, str] = {}
        for name, array in held.items():
            self._names[name] = f"value_{len(self._names)}"
            self.register_buffer(self._names[name], torch.from_numpy(np.array(array)))
        self.inputs = tuple(value.name for value in graph.input if value.name not in held)
        self.outputs = tuple(outputs)
        self._steps = [
            (OPERATORS[node.op_type], tuple(node.input), tuple(node.output), attributes_of(node))
            for node in _leading_to(graph.node, set(outputs))
        ]

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs."""
        values: dict[str, Value] = {"": None}
        values.update({name: getattr(self, held) for name, held in self._names.items()})
        values.update(zip(self.inputs, arrays, strict=True))
        for compute, inputs, outputs, attributes in self._steps:
            found = compute([values[name] for name in inputs], attributes)
            values.update(zip(outputs, found if isinstance(found, tuple) else (found,), strict=False))
        wanted = [values[name] for name in self.outputs]
        return tuple(value for value in wanted if value is not None)


class TorchNet(LoadedNet):
    """An ONNX file in torch, on a CPU or a CUDA device."""

    def __init__(
        self, path: Path, options: NetOptions | None = None, *, device: str = "cpu", speed: Speed = "eager"
    ) -> None:
        options = options or NetOptions()
        device = device.lower()
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ResourceError(
                "torch finds no NVIDIA GPU",
                where=str(path),
                fix="Use device CPU, or a torch built for CUDA with its driver",
            )
        try:
            self._device = torch.device(device)
            torch.empty(1, device=self._device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ResourceError(
                f"torch has no device {device!r} here", where=str(path), wanted="CPU or cuda"
            ) from error
        if self._device.type == "cuda":
            exact_floats()
        graph = _read(path).graph
        held = {tensor.name for tensor in graph.initializer}
        given = [value for value in graph.input if value.name not in held]
        specs = [_spec(value) for value in given]
        self._cuts = {spec.name for spec in specs if spec.shape[:1] == (FREE,)}
        self._most = sys.maxsize
        self._inputs = with_batch(specs, options.batch)
        self._outputs = chosen(
            with_batch(map(_spec, graph.output), options.batch), options.outputs, str(path)
        )
        self._type = TYPES[options.precision]
        module = OnnxModule(graph, list(self._outputs)).eval()
        if options.precision != "f32":
            module = _narrowed(module, self._type)
        self._module = module.to(self._device)
        self._run: Any = _faster(self._module, speed, self._device)
        self._threads = usable_threads(options.threads)
        version = str(torch.__version__)
        name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else "CPU"
        self._info = NetInfo(
            path.name,
            sha256_of(path),
            "torch",
            version,
            name,
            options.precision,
            self._threads,
            1,
            "" if speed == "eager" else speed,
        )

    def run(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """One inference; a batch that the GPU's memory does not hold is cut; the results are copies."""
        check_inputs(self._inputs, arrays)
        rows = max((len(array) for array in arrays.values() if array.ndim), default=1)
        if rows <= self._most:
            try:
                return self._infer(arrays)
            except torch.OutOfMemoryError:
                self._halve(rows)
            except RuntimeError as error:
                reason = str(error).splitlines()[0][:200]
                raise WeightsError(f"torch failed in this net ({reason})", where=self._info.name) from error
        # A batch is cut along the sides that were free in the file; a fixed one cannot be.
        return in_parts(self.run, arrays, self._cuts, self._most)

    def _halve(self, rows: int) -> None:
        """Take half as many rows from now on, and say so; raises ResourceError where that cannot be."""
        if rows < 2 or not self._cuts:
            raise ResourceError(
                "the GPU's memory is full", where=self._info.name, fix="Close what else uses the GPU"
            )
        self._most = rows // 2
        torch.cuda.empty_cache()
        note = f"batches of {self._most}: no GPU memory for {rows}"
        said = [part for part in self._info.note.split("; ") if part and not part.startswith("batches of")]
        self._info = msgspec.structs.replace(self._info, note="; ".join([*said, note]))

    def _infer(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        if self._device.type == "cpu" and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        tensors = [self._tensor(arrays[name]) for name in self._module.inputs]
        with torch.inference_mode():
            found = self._run(*tensors)
        return {
            name: (value.float() if value.dtype == torch.bfloat16 else value).cpu().numpy().copy()
            for name, value in zip(self._outputs, found, strict=True)
        }

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
        return tensor.to(self._type) if tensor.is_floating_point() else tensor


def exact_floats() -> None:
    """f32 on a GPU in f32: cuDNN's convolutions would round to mantissas of 10 bits unless told."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def _read(path: Path) -> onnx.ModelProto:
    model = load_graph(path)
    check_graph(model.graph, str(path))
    unknown = sorted({node.op_type for node in model.graph.node} - OPERATORS.keys())
    if unknown:
        raise WeightsError(
            f"the torch runtime knows no {', '.join(unknown)}",
            where=str(path),
            fix="Use the runtime openvino or onnxruntime",
        )
    return model


def _spec(value: onnx.ValueInfoProto) -> TensorSpec:
    kind = value.type.tensor_type
    dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return TensorSpec(value.name, dtype, tuple(side.dim_value or FREE for side in kind.shape.dim))


def _leading_to(nodes: Sequence[onnx.NodeProto], wanted: set[str]) -> list[onnx.NodeProto]:
    """The nodes that the outputs need, in their order."""
    needed, kept = set(wanted), []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    return kept[::-1]


def _narrowed(module: OnnxModule, kind: torch.dtype) -> OnnxModule:
    """Floats of the weights in another type; whole numbers, which are shapes and places, stay."""
    for name, buffer in list(module.named_buffers()):
        if buffer.is_floating_point():
            setattr(module, name, buffer.to(kind))
    return module


def _faster(module: OnnxModule, speed: Speed, device: torch.device) -> Any:
    """The module as it is, compiled, or as a CUDA graph per shape."""
    if speed == "eager":
        return module
    if speed == "compiled":
        return torch.compile(module, mode="max-autotune" if device.type == "cuda" else "default")
    if device.type != "cuda":
        raise ResourceError("CUDA graphs need a CUDA device", fix="Use device cuda, or speed eager")
    return torch.compile(module, mode="reduce-overhead")
