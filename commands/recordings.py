"""What a recording holds beside its frames: how the run was set up, and who was known when it began."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from commands.config import GalleryConfig, PipelineConfig
from commands.plan import RunPlan
from stream.errors import FOREIGN, ConfigError, MessageError, ResourceError
from stream.sinks.config import SinksConfig
from stream.sources import redact

VERSION: Final = 1
_SHEET: Final = "recording.json"
_GALLERY: Final = "gallery.sqlite"


class Sheet(msgspec.Struct, frozen=True):
    """``recording.json``."""

    config: PipelineConfig
    version: int = VERSION


def begin_recording(plan: RunPlan) -> None:
    """Make the folder of ``plan.record``; raises where it is in use, or the log would not begin at 1."""
    folder = Path(plan.record)
    if plan.event_log.is_file() and plan.event_log.stat().st_size:
        raise ConfigError(
            "there is an event log of earlier runs, and a recording begins with an empty one",
            where=str(plan.event_log),
            fix="Name another --out",
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(
                "the folder for the recording is not empty", where=str(folder), fix="Name another"
            )
        cameras = {
            name: msgspec.structs.replace(camera, source=redact(camera.source))
            for name, camera in plan.config.cameras.items()
        }
        # What a replay must not do again, and the secrets that go with it, stay out.
        sheet = Sheet(msgspec.structs.replace(plan.config, cameras=cameras, sinks=SinksConfig()))
        (folder / _SHEET).touch(mode=0o600)
        (folder / _SHEET).write_bytes(msgspec.json.encode(sheet))
        _copy_gallery(Path(plan.config.gallery.path), folder / _GALLERY)
    except OSError as error:
        raise ResourceError(
            f"the recording cannot be begun ({error.strerror})", where=str(folder), fix="Name another folder"
        ) from error


def read_sheet(folder: Path) -> Sheet:
    """The settings of a recording."""
    try:
        sheet = msgspec.json.decode((folder / _SHEET).read_bytes(), type=Sheet)
    except OSError as error:
        raise ResourceError(
            f"no recording ({error.strerror})", where=str(folder), fix="Make one with run --record DIR"
        ) from error
    except FOREIGN as error:
        raise MessageError(f"damaged recording ({error})", where=str(folder / _SHEET)) from error
    if sheet.version != VERSION:
        raise MessageError(f"recording of version {sheet.version}", where=str(folder), wanted=str(VERSION))
    return sheet


def replay_config(folder: Path, results: Path, own: PipelineConfig) -> PipelineConfig:
    """The recorded settings, with this machine's sockets and memory, and a copy of the recorded gallery."""
    recorded = read_sheet(folder).config
    gallery = results / _GALLERY
    if gallery.exists():
        raise ConfigError("a gallery is in the way", where=str(gallery), fix="Name another --out")
    results.mkdir(parents=True, exist_ok=True)
    _copy_gallery(folder / _GALLERY, gallery)
    placed = GalleryConfig(str(gallery)) if not recorded.gallery.path else recorded.gallery
    placed = msgspec.structs.replace(placed, path=str(gallery))
    here = {name: getattr(own, name) for name in ("events", "stream", "monitor", "logs", "tracing")}
    return msgspec.structs.replace(recorded, gallery=placed, **here)


def _copy_gallery(source: Path, target: Path) -> None:
    """A whole copy, also while somebody reads; nothing where there is none yet."""
    if not source.is_file():
        return
    target.touch(mode=0o600)
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
            contextlib.closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as error:
        raise ResourceError(f"the gallery cannot be copied ({error})", where=str(source)) from error
