"""``run_pipeline.py doctor``: what this machine has, what is missing, and what to do about each."""

from __future__ import annotations

import argparse
import ctypes.util
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import av
import zmq
from rich.text import Text

from commands.cli import add_config_arguments, add_json_argument, out, print_json, say
from commands.config import PipelineConfig, load_config
from commands.profiles import BUILT_IN
from engines import mediapipe_environment
from engines.config import MEDIAPIPE
from engines.inventory import Inventory, take_inventory
from engines.runtimes.choose import choose, installed
from engines.runtimes.cuda import NoGpu, find_gpu
from stream.errors import GaitwayError
from stream.frames import shared_memory_folder
from stream.sockets import check_bindable
from stream.sources.hardware import working

State = Literal["ok", "note", "missing"]
NEEDED_MB = 64
CODECS = ("h264", "hevc", "mpeg4", "mjpeg", "vp9", "av1")
# What wheels and cameras ask of the system, and the package that brings it (Debian name, Fedora name).
LIBRARIES = {
    "GL": ("libgl1", "mesa-libGL", "only for the opencv-python build with windows; ours has none"),
    "v4l2": ("libv4l-0", "libv4l", "only for some USB cameras"),
    "cuda": ("nvidia-driver", "akmod-nvidia", "only for TensorRT and CUDA"),
}
# Runtimes that only some need, and what brings them.
BRINGS = {
    "torch": "training and checkpoint import: pip install -e '.[train]'",
    "onnxruntime": "exports and a second CPU runtime: pip install -e '.[train]'",
    "tensorrt": "NVIDIA GPUs: pip install -e '.[gpu]', with a driver",
}
COLOURS = {"ok": "green", "note": "yellow", "missing": "red"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what it is, how it stands, and what to do if it does not."""

    area: str
    what: str
    state: State
    found: str
    fix: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own beyond the configuration to check."""
    add_config_arguments(parser)
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; 1 if something the default pipeline needs is missing."""
    config = load_config(arguments.config, arguments.overrides)
    names = sorted({*BUILT_IN, *config.profiles})
    profiles = {
        name: load_config(arguments.config, [*arguments.overrides, f"profile={name}"]) for name in names
    }
    findings = examine(config, profiles)
    healthy = all(finding.state != "missing" for finding in findings)
    if arguments.json:
        print_json({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
        return 0 if healthy else 1
    for finding in findings:
        _print(finding)
    say("\neverything the pipeline needs is here" if healthy else "\nsomething the pipeline needs is missing")
    return 0 if healthy else 1


def _print(finding: Finding) -> None:
    """One line, and the way out below it where there is one."""
    line = Text.assemble(
        (f"{finding.state:<8}", COLOURS[finding.state]),
        f"{finding.area}: {finding.what}",
        (f"  {finding.found}", "dim"),
    )
    out.print(line)
    if finding.fix:
        out.print(Text(f"{'':<8}{finding.fix}", style="italic"))


def examine(config: PipelineConfig, profiles: Mapping[str, PipelineConfig]) -> list[Finding]:
    """Every finding, in the order of the table; ``profiles``: the configuration under each of them."""
    inventory = take_inventory()
    checks: tuple[Callable[[], list[Finding]], ...] = (
        _python,
        _libraries,
        _codecs,
        lambda: _runtimes(inventory),
        lambda: _profiles(config, profiles),
        lambda: _weights(inventory),
        lambda: _mediapipe(config),
        lambda: _memory(config),
        lambda: _ports(config),
    )
    return [finding for check in checks for finding in check()]


def _python() -> list[Finding]:
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("numpy", "openvino", "av", "pyzmq", "msgspec")
    )
    return [
        Finding(
            "python",
            platform.python_version(),
            "ok" if good else "missing",
            f"{platform.system()} {platform.machine()}; {versions}",
            "" if good else "Use Python 3.11, 3.12 or 3.13: make clean, then make run PYTHON=python3.12",
        )
    ]


def _libraries() -> list[Finding]:
    findings = []
    for name, (debian, fedora, why) in LIBRARIES.items():
        found = ctypes.util.find_library(name)
        fix = "" if found else f"{why}: install {debian} (Debian, Ubuntu) or {fedora} (Fedora)"
        findings.append(
            Finding("library", f"lib{name}", "ok" if found else "note", found or "not there", fix)
        )
    return findings


def _codecs() -> list[Finding]:
    known = av.codecs_available
    lacking = [codec for codec in CODECS if codec not in known]
    encoder = "libx264" in known
    return [
        Finding(
            "codecs",
            "decoders",
            "ok" if not lacking else "note",
            ", ".join(codec for codec in CODECS if codec in known),
            f"reinstall PyAV from its wheel to read {', '.join(lacking)}" if lacking else "",
        ),
        Finding(
            "codecs",
            "H.264 encoder",
            "ok" if encoder else "missing",
            "libx264" if encoder else "not there",
            "" if encoder else "reinstall PyAV from its wheel: pip install --force-reinstall av",
        ),
        Finding(
            "codecs",
            "hardware decoding",
            "ok" if working() else "note",
            ", ".join(working()) or "none works here",
            "" if working() else "cameras are decoded by the processor: a few per cent of a core each",
        ),
    ]


def _runtimes(inventory: Inventory) -> list[Finding]:
    findings = [
        Finding(
            "runtime",
            f"{runtime.name} {runtime.version or ''}".strip(),
            "ok" if runtime.available else "note",
            ", ".join(runtime.devices) or ("installed" if runtime.available else "not installed"),
            runtime.note if runtime.available else BRINGS.get(runtime.name, ""),
        )
        for runtime in inventory.runtimes
    ]
    flags = ", ".join(inventory.cpu_flags) or "none that matter"
    runtime, _, reason = inventory.auto.partition(": ")
    findings.append(
        Finding("runtime", f"auto takes {runtime}", "missing" if runtime == "none" else "ok", reason)
    )
    return [*findings, Finding("cpu", inventory.cpu, "ok", f"{inventory.cores} cores; {flags}")]


def _profiles(config: PipelineConfig, profiles: Mapping[str, PipelineConfig]) -> list[Finding]:
    """What the configuration comes to here as it is, and under each profile."""
    every = {"": config} if config.profile not in profiles else {}
    return [
        _comes_to(f"profile {name}" if name else "no profile", one, asked=name == config.profile)
        for name, one in {**every, **profiles}.items()
    ]


def _comes_to(what: str, config: PipelineConfig, *, asked: bool) -> Finding:
    """Its engines and the runtime that they get; an error only for the one that is asked for."""
    nets, engines = config.perceive.nets, config.perceive.engines
    asked_for = f"{what} (asked for)" if asked and config.profile else what
    parts = f"detector {engines.detector}, silhouettes {engines.silhouettes}, pose {engines.pose}"
    try:
        runtime = choose(nets.runtime).runtime
    except GaitwayError as error:
        return Finding("nets", asked_for, "missing" if asked else "note", error.what, error.fix)
    if runtime == "tensorrt" and isinstance(gpu := find_gpu(), NoGpu):
        fix = "Use profile cpu, or none" if asked else ""
        return Finding("nets", asked_for, "missing" if asked else "note", f"needs a GPU: {gpu.reason}", fix)
    device = "" if runtime == "tensorrt" else f" on {nets.device}"
    found = f"{runtime} {installed(runtime)}{device}, {nets.precision}; {parts}"
    return Finding("nets", asked_for, "ok", found)


def _weights(inventory: Inventory) -> list[Finding]:
    fixes = {
        "ready": "",
        "missing": "fetched at the first run, which needs the package index once; or put the file there",
        "damaged": "delete it; it is fetched again at the next run",
    }
    states: dict[str, State] = {"ready": "ok", "missing": "note", "damaged": "missing"}
    return [
        Finding(
            "weights",
            weights.name,
            states[weights.state],
            f"{weights.path}, sha256 {weights.sha256[:16]}" if weights.sha256 else f"not at {weights.path}",
            fixes[weights.state],
        )
        for weights in inventory.weights
    ]


def _mediapipe(config: PipelineConfig) -> list[Finding]:
    """The environment of `pose: mediapipe`: an error only where it is asked for and cannot be made."""
    found = mediapipe_environment.find()
    wanted = config.perceive.engines.pose == MEDIAPIPE
    what = f"mediapipe {mediapipe_environment.VERSION}{'' if wanted else ' (not asked for)'}"
    if found.python is not None:
        return [Finding("pose", what, "ok", str(found.python))]
    state: State = "missing" if wanted and not found.makeable else "note"
    return [Finding("pose", what, state, found.reason, found.fix)]


def _memory(config: PipelineConfig) -> list[Finding]:
    try:
        folder = shared_memory_folder(config.stream.shared_memory)
    except GaitwayError as error:
        return [Finding("shared memory", "folder", "missing", str(error), error.fix)]
    free_mb = shutil.disk_usage(folder).free // 2**20
    enough = free_mb >= NEEDED_MB
    fix = (
        "" if enough else f"free {NEEDED_MB} MB there, or set stream.shared_memory (in Docker: --shm-size=1g)"
    )
    return [Finding("shared memory", str(folder), "ok" if enough else "missing", f"{free_mb} MB free", fix)]


def _ports(config: PipelineConfig) -> list[Finding]:
    findings = []
    for name, endpoint in (("events", config.events.endpoint), ("repair", config.events.repair)):
        try:
            check_bindable(endpoint)
            findings.append(Finding("endpoint", f"{name} {endpoint}", "ok", "free"))
        except GaitwayError as error:
            findings.append(Finding("endpoint", f"{name} {endpoint}", "note", error.what, error.fix))
    curve = "CURVE" if zmq.has("curve") else "no CURVE"
    return [*findings, Finding("zeromq", zmq.zmq_version(), "ok", curve)]
