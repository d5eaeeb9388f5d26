"""mediapipe's own environment: 0.10.21, the last with its Pose inside, wants numpy 1 and protobuf 4.

Gaitway wants numpy 2, so mediapipe can be no extra that is installed beside it: it gets a virtual
environment in the cache, made once, and is spoken to over a pipe. A machine without an index names an
interpreter that has these packages in ``GAITWAY_MEDIAPIPE_PYTHON``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.weights import cache_folder
from stream.errors import ResourceError

VERSION: Final = "0.10.21"
PACKAGES: Final = (
    f"mediapipe=={VERSION}",
    "absl-py==2.5.1",
    "attrs==26.1.0",
    "contourpy==1.3.3",
    "cycler==0.12.1",
    "flatbuffers==25.12.19",
    "fonttools==4.68.0",
    "kiwisolver==1.5.1",
    "matplotlib==3.11.2",
    "msgspec==0.22.0",
    "numpy==1.26.4",
    "opencv-python-headless==4.11.0.86",
    "packaging==26.4",
    "pillow==13.0.0",
    "protobuf==4.25.9",
    "pyparsing==3.3.3",
    "python-dateutil==4.0.0",
    "six==1.17.0",
)
"""What its Pose imports, named one by one: its full list brings jax, which Pose never touches."""
PYTHONS: Final = ((3, 11), (3, 12))
CHOSEN: Final = "GAITWAY_MEDIAPIPE_PYTHON"
MAKING_S: Final = 900
"""Longer than 120 MB take over the slowest link that anyone will wait for."""


@dataclass(frozen=True)
class Found:
    """An interpreter that has mediapipe; or, where ``python`` is None, why there is none and what to do.

    ``makeable``: whether the first use makes it.
    """

    python: Path | None
    reason: str = ""
    fix: str = ""
    makeable: bool = False


def find(environment: Mapping[str, str] = os.environ) -> Found:
    """The environment if it is there; nothing is made."""
    if chosen := environment.get(CHOSEN):
        path = Path(chosen).expanduser()
        if path.is_file():
            return Found(path)
        return Found(
            None, f"{CHOSEN} names {chosen}, which is not there", "Name an interpreter with mediapipe"
        )
    folder = folder_of(environment)
    if (folder / "ready").is_file():
        return Found(python_in(folder))
    if base_python() is None:
        return Found(
            None,
            f"mediapipe {VERSION} is not made for Python {sys.version_info[0]}.{sys.version_info[1]}",
            f"Install Python 3.12 beside it, or name one with mediapipe in {CHOSEN}",
        )
    fix = "Made at the first run that asks for it, which needs the package index once"
    return Found(None, f"not made yet: {folder}", fix, makeable=True)


def ensure(environment: Mapping[str, str] = os.environ) -> Path:
    """The interpreter of mediapipe's environment, made on demand; raises ResourceError where it cannot be."""
    found = find(environment)
    if found.python is not None:
        return found.python
    base = base_python()
    if base is None or not found.makeable:
        raise ResourceError(found.reason, where="pose: mediapipe", fix=found.fix)
    folder = folder_of(environment)
    _run([str(base), "-m", "venv", "--clear", str(folder)], folder)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    _run([str(python_in(folder)), *install, *PACKAGES], folder)
    (folder / "ready").touch()
    return python_in(folder)


def folder_of(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the environment lies."""
    return cache_folder(environment) / f"mediapipe-{VERSION}"


def python_in(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def base_python() -> Path | None:
    """A Python that mediapipe is made for: this one, or one on the PATH."""
    if sys.version_info[:2] in PYTHONS:
        return Path(sys.executable)
    found = (shutil.which(f"python{major}.{minor}") for major, minor in reversed(PYTHONS))
    return next((Path(path) for path in found if path), None)


def _run(arguments: list[str], folder: Path) -> None:
    """Run it; raises ResourceError with its last word."""
    try:
        done = subprocess.run(
            arguments, capture_output=True, check=False, cwd=Path.home(), timeout=MAKING_S, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    else:
        if not done.returncode:
            return
        said = next(iter(done.stderr.strip().splitlines()[-1:]), "no message")
    raise ResourceError(
        f"mediapipe's environment could not be made ({said[:200]})",
        where=str(folder),
        fix=f"Connect once, free 500 MB, or name an interpreter with mediapipe in {CHOSEN}",
    )
