"""ONNX operators in torch's functions: those that our nets, BlazePose and the YOLO families are made of.

Each takes its inputs (None for one left out) and its attributes, and gives a tensor or a tuple of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import onnx
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from onnx import numpy_helper
from torch import Tensor

from stream.errors import WeightsError

Value = Tensor | None
Inputs = Sequence[Any]
Attributes = Mapping[str, Any]
Operator = Callable[[Inputs, Attributes], Any]


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes as plain values; tensors as torch's, texts as str."""
    found = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    for name, value in found.items():
        if isinstance(value, bytes):
            found[name] = value.decode()
        elif isinstance(value, onnx.TensorProto):
            found[name] = torch.from_numpy(numpy_helper.to_array(value).copy())
    return found


def _numbers(value: Tensor) -> list[int]:
    return [int(number) for number in value.tolist()]


def _pads(attributes: Attributes, sides: int) -> list[int]:
    """Padding for ``F.pad`` (last side first), from ONNX's begins and ends."""
    pads = list(attributes.get("pads", [0] * 2 * sides))
    return [pads[side + end * sides] for side in reversed(range(sides)) for end in (0, 1)]


def _refuse_auto(attributes: Attributes, image: Tensor) -> None:
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise WeightsError(f"automatic padding for {tuple(image.shape)}", wanted="explicit pads")


def _conv(inputs: Inputs, attributes: Attributes) -> Tensor:
    image, weight, bias = (*inputs, None)[:3]
    _refuse_auto(attributes, image)
    sides = weight.ndim - 2
    pads = _pads(attributes, sides)
    if any(pads):
        image = F.pad(image, pads)
    convolve: Any = (F.conv1d, F.conv2d, F.conv3d)[sides - 1]
    strides = attributes.get("strides", [1] * sides)
    dilations = attributes.get("dilations", [1] * sides)
    found: Tensor = convolve(
        image, weight, bias, stride=strides, dilation=dilations, groups=attributes.get("group", 1)
    )
    return found


def _conv_transpose(inputs: Inputs, attributes: Attributes) -> Tensor:
    image, weight, bias = (*inputs, None)[:3]
    _refuse_auto(attributes, image)
    sides = weight.ndim - 2
    pads = list(attributes.get("pads", [0] * 2 * sides))
    if pads[:sides] != pads[sides:] or sides != 2:
        raise WeightsError("a transposed convolution with uneven padding", wanted="even, in 2 sides")
    return F.conv_transpose2d(
        image,
        weight,
        bias,
        stride=attributes.get("strides", [1, 1]),
        padding=pads[:2],
        output_padding=attributes.get("output_padding", [0, 0]),
        groups=attributes.get("group", 1),
    )


def _max_pool(inputs: Inputs, attributes: Attributes) -> Tensor:
    _refuse_auto(attributes, inputs[0])
    padded = F.pad(inputs[0], _pads(attributes, 2), value=-math.inf)
    return F.max_pool2d(
        padded,
        attributes["kernel_shape"],
        attributes.get("strides"),
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
    )


def _average_pool(inputs: Inputs, attributes: Attributes) -> Tensor:
    _refuse_auto(attributes, inputs[0])
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    return F.avg_pool2d(
        inputs[0],
        attributes["kernel_shape"],
        attributes.get("strides"),
        padding=pads[:2],
        count_include_pad=bool(attributes.get("count_include_pad", 0)),
    )


def _resize(inputs: Inputs, attributes: Attributes) -> Tensor:
    image, _, scales, sizes = (*inputs, None, None, None)[:4]
    if sizes is not None and sizes.numel():
        target = _numbers(sizes)[2:]
    else:
        target = [int(side * scale) for side, scale in zip(image.shape[2:], scales.tolist()[2:], strict=True)]
    if attributes.get("mode", "nearest") == "nearest":
        return F.interpolate(image, size=target, mode="nearest")
    aligned = attributes.get("coordinate_transformation_mode") == "align_corners"
    return F.interpolate(image, size=target, mode="bilinear", align_corners=aligned)


def _slice(inputs: Inputs, attributes: Attributes) -> Tensor:
    data, starts, ends, axes, steps = (*inputs, None, None)[:5]
    begin, end = _numbers(starts), _numbers(ends)
    places = _numbers(axes) if axes is not None else list(range(len(begin)))
    strides = _numbers(steps) if steps is not None else [1] * len(begin)
    for axis, low, high, step in zip(places, begin, end, strides, strict=True):
        chosen = range(data.shape[axis])[low:high:step]
        if step > 0:
            data = data.narrow(axis, chosen.start, max(chosen.stop - chosen.start, 0))
            data = data if step == 1 else data.index_select(axis, torch.arange(0, data.shape[axis], step))
        else:
            data = data.index_select(axis, torch.tensor(list(chosen), device=data.device))
    del attributes
    return torch.as_tensor(data)


def _reshape(inputs: Inputs, attributes: Attributes) -> Tensor:
    data, shape = inputs[0], _numbers(inputs[1])
    if not attributes.get("allowzero", 0):
        shape = [data.shape[k] if side == 0 else side for k, side in enumerate(shape)]
    return torch.reshape(data, shape)


def _axes(inputs: Inputs, attributes: Attributes) -> list[int] | None:
    """An operator's axes: an input since opset 13 or 18, an attribute before."""
    if len(inputs) > 1 and inputs[1] is not None:
        return _numbers(inputs[1])
    return list(attributes["axes"]) if "axes" in attributes else None


def _squeeze(inputs: Inputs, attributes: Attributes) -> Tensor:
    data: Tensor = inputs[0]
    axes = _axes(inputs, attributes)
    return data.squeeze() if axes is None else data.squeeze(tuple(axes))


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Tensor:
    data, axes = inputs[0], _axes(inputs, attributes) or []
    for axis in sorted(axis % (data.ndim + len(axes)) for axis in axes):
        data = data.unsqueeze(axis)
    return torch.as_tensor(data)


def _reducer(reduce: Callable[..., Tensor]) -> Operator:
    def compute(inputs: Inputs, attributes: Attributes) -> Tensor:
        axes = _axes(inputs, attributes)
        every = list(range(inputs[0].ndim))
        return reduce(
            inputs[0], dim=every if axes is None else axes, keepdim=bool(attributes.get("keepdims", 1))
        )

    return compute


def _softmax(inputs: Inputs, attributes: Attributes) -> Tensor:
    data: Tensor = inputs[0]
    return data.softmax(attributes.get("axis", -1))


def _split(inputs: Inputs, attributes: Attributes) -> tuple[Tensor, ...]:
    data, axis = inputs[0], attributes.get("axis", 0)
    if len(inputs) > 1 and inputs[1] is not None:
        return tuple(data.split(_numbers(inputs[1]), axis))
    if "split" in attributes:
        return tuple(data.split(list(attributes["split"]), axis))
    return tuple(data.chunk(int(attributes.get("num_outputs", 2)), axis))


def _gemm(inputs: Inputs, attributes: Attributes) -> Tensor:
    left = inputs[0].T if attributes.get("transA", 0) else inputs[0]
    right = inputs[1].T if attributes.get("transB", 0) else inputs[1]
    found: Tensor = attributes.get("alpha", 1.0) * (left @ right)
    return found + attributes.get("beta", 1.0) * inputs[2] if len(inputs) > 2 else found


def _batch_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    data, gain, shift, mean, variance = inputs
    return F.batch_norm(data, mean, variance, gain, shift, eps=attributes.get("epsilon", 1e-5))


def _layer_norm(inputs: Inputs, attributes: Attributes) -> Tensor:
    data, gain, shift = (*inputs, None)[:3]
    shape = list(data.shape[attributes.get("axis", -1) % data.ndim :])
    return F.layer_norm(data, shape, gain, shift, attributes.get("epsilon", 1e-5))


def _clip(inputs: Inputs, attributes: Attributes) -> Tensor:
    _, low, high = (*inputs, None, None)[:3]
    data: Tensor = inputs[0]
    low = attributes.get("min") if low is None else low
    high = attributes.get("max") if high is None else high
    return data if low is None and high is None else torch.clamp(data, low, high)


def _gather(inputs: Inputs, attributes: Attributes) -> Tensor:
    data, places = inputs
    axis = attributes.get("axis", 0) % data.ndim
    found = data.index_select(axis, places.reshape(-1).long() % data.shape[axis])
    return torch.as_tensor(found.reshape(*data.shape[:axis], *places.shape, *data.shape[axis + 1 :]))


def _pad(inputs: Inputs, attributes: Attributes) -> Tensor:
    data, pads, value = (*inputs, None)[:3]
    if attributes.get("mode", "constant") != "constant":
        raise WeightsError(f"padding by {attributes['mode']}", wanted="constant padding")
    return F.pad(
        data, _pads({"pads": _numbers(pads)}, data.ndim), value=float(value) if value is not None else 0.0
    )


def _flatten(inputs: Inputs, attributes: Attributes) -> Tensor:
    data, axis = inputs[0], attributes.get("axis", 1)
    return torch.reshape(data, (math.prod(data.shape[:axis]), -1))


def _cast(inputs: Inputs, attributes: Attributes) -> Tensor:
    data: Tensor = inputs[0]
    kind: torch.dtype = getattr(torch, str(onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])))
    return data.to(kind)


def _expand(inputs: Inputs, attributes: Attributes) -> Tensor:
    del attributes
    data: Tensor = inputs[0]
    wanted = _numbers(inputs[1])
    held = [1] * (len(wanted) - data.ndim) + list(data.shape)
    sides = [one if other == 1 else other for one, other in zip(held, wanted, strict=False)]
    return data.expand(sides)


def _shape(inputs: Inputs, attributes: Attributes) -> Tensor:
    sides = list(inputs[0].shape)[attributes.get("start", 0) : attributes.get("end")]
    return torch.tensor(sides, dtype=torch.int64)


def _constant_of_shape(inputs: Inputs, attributes: Attributes) -> Tensor:
    value = attributes.get("value", torch.zeros(1))
    return torch.full(_numbers(inputs[0]), value.item(), dtype=value.dtype)


def _prelu(inputs: Inputs, attributes: Attributes) -> Tensor:
    del attributes
    data, slope = inputs
    return torch.where(data < 0, data * slope, data)


def _div(inputs: Inputs, attributes: Attributes) -> Tensor:
    del attributes
    left: Tensor = inputs[0]
    right: Tensor = inputs[1]
    return left / right if left.is_floating_point() else torch.div(left, right, rounding_mode="trunc")


def _depth_to_space(inputs: Inputs, attributes: Attributes) -> Tensor:
    data: Tensor = inputs[0]
    rows, planes, high, wide = data.shape
    block = attributes["blocksize"]
    depth = planes // block**2
    if attributes.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(data, block)
    parts = data.reshape(rows, block, block, depth, high, wide).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(rows, depth, high * block, wide * block)


def _plain(compute: Callable[..., Tensor]) -> Operator:
    """An operator without attributes."""
    return lambda inputs, _: compute(*inputs)


def _norm(order: int) -> Operator:
    def compute(data: Tensor, dim: list[int], keepdim: bool) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(data, order, dim, keepdim)
        return norm

    return _reducer(compute)


OPERATORS: Final[Mapping[str, Operator]] = {
    "Add": _plain(torch.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda inputs, attributes: torch.cat(list(inputs), attributes["axis"]),
    "Constant": lambda _, attributes: torch.as_tensor(next(iter(attributes.values()))),
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "Div": _div,
    "Equal": _plain(torch.eq),
    "Erf": _plain(torch.erf),
    "Exp": _plain(torch.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda inputs, _: inputs[0].mean((-2, -1), keepdim=True),
    "Identity": _plain(lambda data: data),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda inputs, attributes: F.leaky_relu(inputs[0], attributes.get("alpha", 0.01)),
    "MatMul": _plain(torch.matmul),
    "Max": _plain(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _plain(torch.minimum),
    "Mul": _plain(torch.mul),
    "Neg": _plain(torch.neg),
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": _plain(torch.pow),
    "ReduceL2": _norm(2),
    "ReduceMax": _reducer(torch.amax),
    "ReduceMean": _reducer(torch.mean),
    "ReduceMin": _reducer(torch.amin),
    "ReduceSum": _reducer(torch.sum),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Sigmoid": _plain(torch.sigmoid),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Tanh": _plain(torch.tanh),
    "Transpose": lambda inputs, attributes: inputs[0].permute(
        attributes.get("perm", list(range(inputs[0].ndim))[::-1])
    ),
    "Unsqueeze": _unsqueeze,
    "Where": _plain(torch.where),
}
"""What a graph may be made of."""
