#!/usr/bin/env python3
"""Gaitway: recognises people by how they walk, live.

    source --frame--> perceive --people--> track --samples--> embed --vectors--> identify --events--> publish

``commands/pipeline.py`` lays these stages out from pipeline.yaml, starts them and watches; every verb below
is one file in ``commands/``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from dataclasses import dataclass
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from stream.errors import GaitwayError

VERSION = "0.1.0"


@dataclass(frozen=True)
class Verb:
    """One thing this program does: a module of ``commands/`` with ``configure`` and ``run``."""

    module: str
    help: str
    example: str
    hidden: bool = False


VERBS = {
    "demo": Verb("demo", "render walkers, enrol some, recognise them in a second clip", "demo --seed 7"),
    "walkers": Verb(
        "walkers", "render a clip of walkers with its truth", "walkers --people 8 --out clip.mp4"
    ),
    "run": Verb("run", "run the pipeline on cameras, files, folders or addresses", "run --source hall.mp4"),
    "enrol": Verb(
        "enrol", "add a person to the gallery from a clip or a finished track", "enrol ada.mp4 --name Ada"
    ),
    "gallery": Verb("gallery", "list, show, rename or remove enrolled people", "gallery list"),
    "subscribe": Verb("subscribe", "print identity events as they are published", "subscribe --camera hall"),
    "track": Verb(
        "track", "follow the people in a recording, as MOTChallenge files and a video", "track hall.mp4"
    ),
    "keys": Verb("keys", "say who may connect from other machines", "keys make display --role subscriber"),
    "replay": Verb("replay", "play a run again that was made with run --record", "replay recordings/monday"),
    "cameras": Verb(
        "cameras",
        "list, attach, detach or pause the cameras of a running pipeline",
        "cameras pause hall",
    ),
    "top": Verb("top", "watch a running pipeline: cameras, stages, latencies, drops", "top"),
    "config": Verb("config", "check pipeline.yaml and print what it resolves to", "config --show"),
    "bench": Verb("bench", "measure, beside a peer and the limit", "bench endtoend --json"),
    "doctor": Verb("doctor", "say what this machine has, what is missing and what to do", "doctor"),
    "models": Verb("models", "show, check or import gait models", "models show silskeletongait"),
    "export": Verb("export", "turn a net into a compiled graph", "export gaitgraph2 --format onnx"),
    "prepare": Verb(
        "prepare", "bring a data set into our form", "prepare casia-b GaitDatasetB-silh data/casia-b"
    ),
    "augment": Verb(
        "augment", "put other clothes on a data set's walks", "augment data/casia-b data/casia-b-clothes"
    ),
    "train": Verb("train", "train a gait model from a configuration", "train configs/siamese_synthetic.yaml"),
    "evaluate": Verb(
        "evaluate",
        "measure a model by a protocol",
        "evaluate --baseline average-silhouette --protocol usf --data usf17",
    ),
    "calibrate": Verb(
        "calibrate",
        "measure what runs are given: cameras, precisions, scores",
        "calibrate camera --size 1280x720 --angle 70 --people hall.mp4",
    ),
    "completion": Verb("completion", "print a tab-completion script", "completion bash"),
    "stage": Verb(
        "stage", "run one stage in this process (the pipeline starts these)", "stage perceive", hidden=True
    ),
}


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command line; with ``only``, no other verb's module is imported (start-up stays quick)."""
    shown = {name: verb for name, verb in VERBS.items() if not verb.hidden}
    examples = "\n".join(f"  python run_pipeline.py {verb.example}" for verb in shown.values())
    parser = argparse.ArgumentParser(
        prog="run_pipeline.py",
        description="Recognise people by how they walk, live.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gaitway {VERSION}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        text: dict[str, Any] = {} if verb.hidden else {"help": verb.help}
        child = verbs.add_parser(
            name,
            description=verb.help[0].upper() + verb.help[1:] + ".",
            epilog=f"example:\n  python run_pipeline.py {verb.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **text,
        )
        if only in (None, name):
            importlib.import_module(f"commands.{verb.module}").configure(child)
    return parser


def main(argv: list[str]) -> int:
    """Run one verb; errors the user can act on end in one line and their own exit status."""
    verb = next((word for word in argv if not word.startswith("-")), "")
    parser = build_parser(only=verb if verb in VERBS else "")
    if verb == "completion":
        parser = build_parser()
    arguments = parser.parse_args(argv)
    arguments.parser = parser
    try:
        return int(importlib.import_module(f"commands.{VERBS[arguments.verb].module}").run(arguments))
    except GaitwayError as error:
        sys.stderr.write(f"gaitway: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("gaitway: stopped\n")
        return 130
    except BrokenPipeError:
        # Whoever read our output went away (``| head``): end quietly, also when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
