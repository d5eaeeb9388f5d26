"""Requests to the gallery: over the control socket of the pipeline that holds it, else directly."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import msgspec

from commands.config import PipelineConfig
from commands.recogniser import recogniser
from gait.gallery.config import GalleryConfig
from gait.gallery.desk import GalleryDesk
from gait.gallery.keys import read_key
from gait.gallery.lock import holder_of
from gait.gallery.redact import redact
from gait.gallery.sequences import re_embed
from stream.control import ask
from stream.errors import GalleryError
from stream.messages import ControlReply, ControlRequest

PATIENCE_S: Final = 30.0  # a stage answers between two frames, but its machine may be busy
STRAGGLERS_S: Final = 2.0
"""How long events that were on their way when a person was removed may take to reach the log."""
MAKES: Final = ("gallery.enrol", "gallery.import", "gallery.preview")
"""Requests that may make a gallery where none is; looking at one must not."""


def ask_gallery(config: PipelineConfig, request: ControlRequest) -> dict[str, Any]:
    """What the gallery answers; raises GalleryError with its one line where it refuses."""
    path = Path(config.gallery.path)
    holder = holder_of(path)
    if holder is None and not path.exists() and request.verb not in MAKES:
        return _nobody(path, request)
    if holder is not None and holder.endpoint:
        reply = ask(holder.endpoint, request, timeout_s=PATIENCE_S)
    else:
        reply = _directly(config, request)
    if not reply.ok:
        raise GalleryError(reply.error)
    return reply.result


def remove_person(config: PipelineConfig, request: ControlRequest) -> dict[str, Any]:
    """Remove somebody; while a pipeline runs, look into its log again for what was on its way."""
    holder = holder_of(Path(config.gallery.path))
    result = ask_gallery(config, request)
    if holder is not None and holder.endpoint:
        time.sleep(STRAGGLERS_S)
        places = [(path, kind) for path, kind in result["places"]]
        late = redact(places, result["person"]["id"], result["tracks"])
        result["redacted"] += msgspec.to_builtins(late)
    return result


def rekey_gallery(config: PipelineConfig, source: str, *, cancelable: bool) -> None:
    """Seal the gallery by the key that ``source`` names; raises GalleryError while a pipeline holds it."""
    key = read_key(source)
    with _there(config).open() as gallery:
        gallery.rekey(key, cancelable=cancelable)


def re_embed_gallery(config: PipelineConfig) -> dict[str, Any]:
    """Make templates of the configured model from kept walks; not while a pipeline holds the gallery."""
    embedder = recogniser(config)
    with _there(config).open() as gallery:
        done = re_embed(gallery, embedder)
        return {**msgspec.to_builtins(done), "model": embedder.model.digest, "epoch": gallery.epoch}


def _there(config: PipelineConfig) -> GalleryConfig:
    if not Path(config.gallery.path).exists():
        raise _none(Path(config.gallery.path))
    return config.gallery


def _nobody(path: Path, request: ControlRequest) -> dict[str, Any]:
    """The answer where there is no gallery yet: looking must not make one."""
    if request.verb == "gallery.list":
        return {"epoch": 0, "people": []}
    raise _none(path)


def _none(path: Path) -> GalleryError:
    fix = "Start it: run_pipeline.py enrol CLIP --name NAME"
    return GalleryError("there is no gallery yet", where=str(path), fix=fix)


def _directly(config: PipelineConfig, request: ControlRequest) -> ControlReply:
    gallery = config.gallery.open()
    try:
        return GalleryDesk(gallery, recogniser(config).model, idle=True).answer(request)
    finally:
        gallery.close()
