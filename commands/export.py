"""``run_pipeline.py export``: a net as compiled graphs, with the proof that they compute the same."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.table import Table

from commands.cli import add_json_argument, out, print_json, progress, say
from commands.extras import needing_extra
from commands.models import FAMILIES
from engines.weights import POSE_DETECTOR, POSE_LANDMARKS, ensure
from stream.errors import ConfigError, WeightsError

CHECKED_SEQUENCES: Final = 2
BLAZEPOSE: Final = "blazepose"
YOLO_OPSET: Final = 17
WINDOW: Final = ".window.onnx"
FORMATS: Final = ("onnx", "openvino", "tensorrt")


def configure(parser: argparse.ArgumentParser) -> None:
    """A family and its weights, or the pose nets, or any ONNX; and where to write."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help=f"one of {', '.join(FAMILIES)}; {BLAZEPOSE} for the pose nets; or a path: .onnx, or YOLO's .pt",
    )
    parser.add_argument("--weights", type=Path, help="a .safetensors of ours (default: fresh random weights)")
    parser.add_argument("--size", default="tiny", help="without --weights: which size (default tiny)")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="onnx",
        help="onnx; openvino adds its .xml; tensorrt adds an engine for this machine's GPU (default onnx)",
    )
    parser.add_argument("--frames", type=int, help="frames of the window's graph (default: the family's)")
    parser.add_argument("--batch", type=int, default=32, help="tensorrt: the largest batch (default 32)")
    parser.add_argument(
        "--workspace", type=int, default=2048, metavar="MIB", help="tensorrt: what a layer may borrow (2048)"
    )
    parser.add_argument(
        "--version-compatible",
        action="store_true",
        help="tensorrt: an engine that later TensorRT of the same major version loads; slower",
    )
    parser.add_argument(
        "--hardware-compatible",
        action="store_true",
        help="tensorrt: an engine for every GPU from Ampere on; slower",
    )
    parser.add_argument("--out", type=Path, metavar="STEM", help="path without ending (out/export/NAME)")
    parser.add_argument(
        "--embedding", choices=("embed_1", "embed_2"), default="embed_1", help="before or after the neck"
    )
    parser.add_argument("--no-check", action="store_true", help="skip the comparison with torch")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the graphs, then run them beside their source; 1 if they differ by more than the limit."""
    if arguments.batch < 1:
        raise ConfigError(f"--batch {arguments.batch}", wanted="1 or more")
    if arguments.workspace < 1:
        raise ConfigError(f"--workspace {arguments.workspace}", wanted="1 MiB or more")
    files, parity = _onnx(arguments)
    files = [*files, *_compiled(arguments, files)]
    good = all(one.ok for one in parity)
    if arguments.json:
        print_json(
            {
                "files": [str(path) for path in files],
                "parity": [{**msgspec.to_builtins(one), "ok": one.ok} for one in parity],
                "ok": good,
            }
        )
        return 0 if good else 1
    for path in files:
        say(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    if parity:
        out.print(_table(parity))
    return 0 if good else 1


def _onnx(arguments: argparse.Namespace) -> tuple[list[Path], Sequence[Any]]:
    """The ONNX files asked for, written or at hand, and how they compare with what they were made from."""
    if arguments.name.endswith(".onnx"):
        path = Path(arguments.name)
        needing_extra("engines.runtimes.engine_check").load_graph(path)
        return [path], ()
    if arguments.name.endswith(".pt"):
        return [_from_ultralytics(Path(arguments.name))], ()
    if arguments.name == BLAZEPOSE:
        return _blazepose(arguments)
    export = needing_extra("engines.export")
    net: Any = _net(arguments)
    stem = arguments.out or Path("out/export") / arguments.name.replace("++", "_pp")
    written = export.export_onnx(net, stem, frames=arguments.frames, which=arguments.embedding)
    parity: tuple[Any, ...] = ()
    if not arguments.no_check:
        torch = needing_extra("torch")
        torch.manual_seed(0)
        frames = export.read_metadata(written.window).frames
        sequences = [net.example(1, frames) for _ in range(CHECKED_SEQUENCES)]
        parity = export.check_parity(net, written, sequences, arguments.embedding)
    return list(written.files), parity


def _blazepose(arguments: argparse.Namespace) -> tuple[list[Path], Sequence[Any]]:
    """Both pose nets from their .tflite."""
    converter, judge = needing_extra("engines.tflite_to_onnx"), needing_extra("engines.parity")
    stem, files, parity = arguments.out or Path("out/export") / BLAZEPOSE, [], []
    for weights in (POSE_DETECTOR, POSE_LANDMARKS):
        source = ensure(weights)
        target = stem.with_name(f"{stem.name}.{source.stem}.onnx")
        files.append(converter.convert(source, target))
        if not arguments.no_check:
            parity += judge.tflite_parity(source, target)
    return files, parity


def _from_ultralytics(path: Path) -> Path:
    """The .onnx that ultralytics itself writes beside a .pt; the file is code that it runs."""
    if not zipfile.is_zipfile(path):
        raise WeightsError(
            "this is no .pt of YOLO weights", where=str(path), wanted="a file that torch saved"
        )
    ultralytics = needing_extra("ultralytics")
    say(f"{path} is loaded by ultralytics, which runs the code in it: export only files that you trust")
    yolo = ultralytics.YOLO(str(path))
    return Path(str(yolo.export(format="onnx", opset=YOLO_OPSET, simplify=False, dynamic=False)))


def _compiled(arguments: argparse.Namespace, files: Sequence[Path]) -> list[Path]:
    """What the chosen runtime loads, beside each ONNX."""
    if arguments.format == "onnx":
        return []
    compiled = needing_extra("engines.compiled")
    if arguments.format == "openvino":
        return [compiled.to_openvino(path) for path in files]
    made = []
    for path in files:
        with progress(f"building {path.stem}", None) as bar:
            options = _options(path, arguments)
            made.append(compiled.to_tensorrt(path, options, lambda _, done, total, b=bar: b.set(done, total)))
    return made


def _options(path: Path, arguments: argparse.Namespace) -> Any:
    """How the engine is built; the rows of a window's graph are whole sequences."""
    sequence, batch = 1, arguments.batch
    if path.name.endswith(WINDOW):
        sequence = needing_extra("engines.export").read_metadata(path).frames
    options = needing_extra("engines.runtimes.tensorrt_build").BuildOptions
    return options(
        (sequence, min(4, batch) * sequence, batch * sequence),
        arguments.workspace << 20,
        arguments.version_compatible,
        arguments.hardware_compatible,
    )


def _table(parity: Sequence[Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("runtime", "graph", "against", "error", "limit", ""):
        table.add_column(heading)
    for one in parity:
        verdict = "[green]same[/]" if one.ok else "[red]differs[/]"
        table.add_row(one.runtime, one.form, one.against, f"{one.error:.1e}", f"{one.limit:.0e}", verdict)
    return table


def _net(arguments: argparse.Namespace) -> Any:
    if arguments.weights is None:
        return needing_extra("gait.models.registry").build(arguments.name, arguments.size).eval()
    net = needing_extra("gait.models.checkpoints").load(arguments.weights)
    if net.family != arguments.name:
        say(f"the weights are of {net.family}, not of {arguments.name}; exporting {net.family}")
    return net
