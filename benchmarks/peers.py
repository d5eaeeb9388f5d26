"""Environments of their own for packages that benches compare us with, made when first needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from engines.weights import cache_folder
from stream.errors import ResourceError


def peer_python(name: str, packages: Sequence[str]) -> Path:
    """The interpreter of an environment that holds those packages; ResourceError where none can be made."""
    folder = cache_folder() / "peers" / name
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    ready, wanted = folder / "ready", "\n".join(packages)
    if not ready.is_file() or ready.read_text(encoding="utf-8") != wanted:
        _command([sys.executable, "-m", "venv", "--clear", str(folder)], name)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _command([*pip, *packages], name)
        ready.write_text(wanted, encoding="utf-8")
    return python


def _command(arguments: list[str], name: str) -> None:
    done = subprocess.run(arguments, capture_output=True, check=False, cwd=Path.home())
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
        raise ResourceError(
            f"the environment of {name} cannot be made: {last[0][:200]}",
            fix="Check that the package index can be reached, or leave the peer out (see --help)",
        )
