"""``run_pipeline.py calibrate``: measure what runs are given: cameras, precisions, scores."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import dataclass
from typing import Final

from commands.cli import add_action


@dataclass(frozen=True)
class Kind:
    """One thing to calibrate: a module of ``commands/`` with ``configure`` and ``run``."""

    module: str
    help: str
    example: str


KINDS: Final = {
    "camera": Kind(
        "calibrate_camera",
        "a camera's lens from a clip of a board, its ground from people walking or clicked points",
        "calibrate camera --size 1280x720 --angle 70 --people hall.mp4 --out hall.camera.json",
    ),
    "precision": Kind(
        "calibrate_precision",
        "an exported net in bf16, f16 and int8, each with its accuracy beside f32",
        "calibrate precision out/export/silskeletongait --people 60",
    ),
    "scores": Kind(
        "calibrate_scores",
        "from labelled tracks to probabilities, and the threshold for a wanted false-alarm rate",
        "calibrate scores labels.csv --false-alarm-rate 0.01 --out out/calibration",
    ),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """One subcommand per kind."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for name, kind in KINDS.items():
        child = add_action(kinds, name, kind.help, kind.example)
        importlib.import_module(f"commands.{kind.module}").configure(child)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    return int(importlib.import_module(f"commands.{KINDS[arguments.kind].module}").run(arguments))
