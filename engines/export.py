"""torch -> ONNX, with what a runtime must know written inside, and the proof that both compute the same.

A net becomes its whole-window graph, in the flat form; a max-pooled one also becomes the streaming pair:
``trunk``, one frame with its temporal memory as inputs and outputs, and ``head``. Batch norms are folded and
the classifier is left out. Only ``GaitNet``'s protocol is used, so every family exports alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import onnx
import torch
from torch import Tensor, nn

from engines.net_metadata import (
    FRAMES,
    MAP,
    MAP_REAL,
    METADATA_KEY,
    NEXT,
    REAL,
    VECTOR,
    Form,
    NetMetadata,
    layout_of,
    parse_metadata,
)
from engines.parity import (
    RUNTIMES,
    STREAMING_LIMIT,
    WINDOW_LIMIT,
    Parity,
    Runtime,
    StreamingNames,
    Values,
    relative_error,
    run_streaming,
    runner,
)
from gait.models import registry
from gait.models.checkpoints import digest_of
from gait.models.family import GaitNet, StreamingPair, Which
from gait.models.input_spec import spec_of
from stream.errors import ConfigError, WeightsError

__all__ = [
    "FRAMES",
    "MAP",
    "MAP_REAL",
    "METADATA_KEY",
    "NEXT",
    "REAL",
    "VECTOR",
    "Exported",
    "NetMetadata",
    "check_parity",
    "export_onnx",
    "parse_metadata",
    "read_metadata",
]

OPSET: Final = 17


@dataclass(frozen=True)
class Exported:
    """The files of one net: the window's graph, and the streaming pair where the family has one."""

    window: Path
    trunk: Path | None
    head: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that were written."""
        return tuple(path for path in (self.window, self.trunk, self.head) if path is not None)


def export_onnx(
    net: GaitNet, stem: str | Path, *, frames: int | None = None, which: Which = "embed_1", opset: int = OPSET
) -> Exported:
    """Write ``<stem>.window.onnx``, and ``.trunk.onnx`` and ``.head.onnx`` for a max-pooled family.

    ``frames`` is the window T, the family's usual one unless given. The batch is free in every graph.
    """
    if opset < OPSET:
        raise ConfigError(f"ONNX opset {opset}", wanted=f"{OPSET} or later")
    net.eval()
    window = frames or registry.family(net.family).frames
    describe = _describer(net, window, which)
    paths = {form: Path(f"{stem}.{form}.onnx") for form in ("window", "trunk", "head")}
    _make_folder(paths["window"].parent)
    example = net.example(2, window)
    _write(
        _Graph(net.flat(window, which), (net.flat_input(example),), (FRAMES,), (VECTOR,)),
        paths["window"],
        describe("window", 0, ()),
        opset,
    )
    pair = net.streaming(which)
    if pair is None:
        return Exported(paths["window"], None, None)
    trunk, head = _streaming_graphs(pair, example[:, 0])
    _write(trunk, paths["trunk"], describe("trunk", pair.look_ahead, pair.state_names()), opset)
    _write(head, paths["head"], describe("head", pair.look_ahead, ()), opset)
    return Exported(paths["window"], paths["trunk"], paths["head"])


def check_parity(
    net: GaitNet, exported: Exported, sequences: Sequence[Tensor], which: Which = "embed_1"
) -> tuple[Parity, ...]:
    """Both runtimes against torch over the window, and the streaming pair against the window's graph.

    ``sequences`` (N, T, *frame_shape), T the exported window. The errors are the worst over all of them.
    """
    net.eval()
    with torch.no_grad():
        wanted = [net.vector(net(frames), which).numpy() for frames in sequences]
    results: list[Parity] = []
    for runtime in RUNTIMES:
        window = runner(exported.window, runtime)
        vectors = [window({FRAMES: net.flat_input(frames).numpy()})[VECTOR] for frames in sequences]
        results.append(
            Parity(runtime, "window", "torch", _worst(vectors, wanted), WINDOW_LIMIT),
        )
        if exported.trunk is not None and exported.head is not None:
            streamed = _streamed(net, exported.trunk, exported.head, runtime, sequences, which)
            results.append(Parity(runtime, "streaming", "window", _worst(streamed, vectors), STREAMING_LIMIT))
    return tuple(results)


def _streamed(
    net: GaitNet, trunk: Path, head: Path, runtime: Runtime, sequences: Sequence[Tensor], which: Which
) -> list[Values]:
    pair = net.streaming(which)
    assert pair is not None, "a net with an exported trunk has a streaming pair"
    names = StreamingNames(FRAMES, REAL, MAP, pair.state_names(), NEXT)
    run_trunk, run_head = runner(trunk, runtime), runner(head, runtime)
    results = []
    for frames in sequences:
        fresh = zip(names.states, (state.numpy() for state in pair.fresh(len(frames))), strict=True)
        results.append(
            run_streaming(run_trunk, run_head, frames.numpy(), dict(fresh), names, pair.look_ahead)
        )
    return results


def _worst(found: Sequence[Values], wanted: Sequence[Values]) -> float:
    return max(relative_error(one, other) for one, other in zip(found, wanted, strict=True))


def read_metadata(path: str | Path) -> NetMetadata:
    """What an exported graph says of itself; raises WeightsError where it is not one of ours."""
    try:
        onnx.checker.check_model(str(path))
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"cannot read the graph ({reason})", where=str(path), wanted="an ONNX file of `export`"
        ) from error
    return parse_metadata({entry.key: entry.value for entry in model.metadata_props}, str(path))


@dataclass(frozen=True)
class _Graph:
    """A module with example inputs and the names of what goes in and out."""

    module: nn.Module
    inputs: tuple[Tensor, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]


def _describer(net: GaitNet, frames: int, which: Which) -> Callable[[Form, int, Sequence[str]], NetMetadata]:
    strips, numbers = net.vector_shape
    spec, digest = spec_of(net), digest_of(net)

    def describe(form: Form, look_ahead: int, states: Sequence[str]) -> NetMetadata:
        return NetMetadata(
            family=net.family,
            digest=digest,
            form=form,
            input=spec,
            frame_shape=tuple(net.frame_shape),
            frames=frames,
            look_ahead=look_ahead,
            strips=strips,
            strip_numbers=numbers,
            embedding=which,
            layout=layout_of(spec),
            states=tuple(states),
            crop_size=(spec.maps.height, spec.maps.width),
        )

    return describe


def _streaming_graphs(pair: StreamingPair, frame: Tensor) -> tuple[_Graph, _Graph]:
    names = pair.state_names()
    inputs = (frame, torch.ones(len(frame), 1), *pair.fresh(len(frame)))
    with torch.no_grad():
        pooled = pair.trunk(*inputs)[0]
    trunk = _Graph(
        pair.trunk, inputs, (FRAMES, REAL, *names), (MAP, MAP_REAL, *(NEXT + name for name in names))
    )
    return trunk, _Graph(pair.head, (pooled,), (MAP,), (VECTOR,))


def _write(graph: _Graph, path: Path, metadata: NetMetadata, opset: int) -> None:
    names = (*graph.input_names, *graph.output_names)
    batch = {name: {0: "rows" if name == FRAMES and metadata.form == "window" else "batch"} for name in names}
    with warnings.catch_warnings():
        # The tracing exporter announces its successor, which needs a package that we do without.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            graph.module.eval(),
            graph.inputs,
            str(path),
            input_names=list(graph.input_names),
            output_names=list(graph.output_names),
            dynamic_axes=batch,
            opset_version=opset,
            dynamo=False,
        )
    model = onnx.load(str(path))
    _tidy(model.graph)
    model.producer_name = "gaitway"
    onnx.helper.set_model_props(model, {METADATA_KEY: msgspec.json.encode(metadata).decode()})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def _tidy(graph: onnx.GraphProto) -> None:
    """Constants become initializers and identities vanish: what is left is what runs."""
    outputs = {value.name for value in graph.output}
    same: dict[str, str] = {}
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constant = node.attribute[0].t
            constant.name = node.output[0]
            graph.initializer.append(constant)
        elif node.op_type == "Identity" and node.output[0] not in outputs:
            same[node.output[0]] = same.get(node.input[0], node.input[0])
        else:
            kept.append(node)
    for node in kept:
        for k, name in enumerate(node.input):
            node.input[k] = same.get(name, name)
    del graph.node[:]
    graph.node.extend(kept)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"cannot write there ({error})", where=str(folder)) from error
