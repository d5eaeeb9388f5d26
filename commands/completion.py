"""``run_pipeline.py completion bash|zsh|tcsh``: a script for the shell to complete verbs and flags."""

from __future__ import annotations

import argparse
import sys

import shtab


def configure(parser: argparse.ArgumentParser) -> None:
    """One argument: the shell."""
    parser.add_argument(
        "shell", choices=shtab.SUPPORTED_SHELLS, help='e.g. eval "$(python run_pipeline.py completion bash)"'
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    sys.stdout.write(shtab.complete(arguments.parser, arguments.shell) + "\n")
    return 0
