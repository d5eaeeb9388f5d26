"""From what the user wrote (``--source``, ``pipeline.yaml``) to a source of frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from stream.errors import SourceError
from stream.redact import redact
from stream.sources.base import Source, SourceOptions
from stream.sources.file import FileSource
from stream.sources.images import open_folder
from stream.sources.live import SCHEMES, USB, LiveSource

SourceFactory = Callable[[str, str, SourceOptions], Source]
"""(specification, camera, options) -> source; raises SourceError."""
FORMS: Final = "a file, a folder, rtsp://..., http(s)://..., usb:0"

_registered: dict[str, SourceFactory] = {}


def register_source(prefix: str, factory: SourceFactory) -> None:
    """Have ``factory`` open whatever starts with ``prefix`` (such as ``walkers:``), in this process."""
    if not prefix.endswith(":"):
        raise ValueError(f"a source prefix ends with ':', {prefix!r} does not")
    _registered[prefix] = factory


def open_source(specification: str, camera: str, options: SourceOptions | None = None) -> Source:
    """The source that ``specification`` names, opened; raises SourceError, which names the fix."""
    options = options or SourceOptions()
    for prefix, factory in _registered.items():
        if specification.startswith(prefix):
            return factory(specification, camera, options)
    if specification.startswith((*SCHEMES, USB)):
        return LiveSource(specification, camera, options)
    if "://" in specification:
        raise SourceError("unknown form of address", where=redact(specification), wanted=_forms())
    path = Path(specification).expanduser()
    if path.is_dir():
        return open_folder(path, camera, options)
    return FileSource(path, camera, options)


def _forms() -> str:
    return ", ".join([FORMS, *(f"{prefix}..." for prefix in sorted(_registered))])
