"""Requests to the gallery: over the control socket of the pipeline that holds it, else directly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from commands.config import PipelineConfig
from gait.baseline import BaselineEmbedder
from gait.gallery.desk import GalleryDesk
from gait.gallery.lock import holder_of
from stream.control import ask
from stream.errors import GalleryError
from stream.messages import ControlReply, ControlRequest

PATIENCE_S = 30.0  # a stage answers between two frames, but its machine may be busy


def ask_gallery(config: PipelineConfig, request: ControlRequest) -> dict[str, Any]:
    """What the gallery answers; raises GalleryError with its one line where it refuses."""
    path = Path(config.gallery.path)
    holder = holder_of(path)
    if holder is None and not path.exists() and request.verb != "gallery.enrol":
        return _nobody(path, request)
    if holder is not None and holder.endpoint:
        reply = ask(holder.endpoint, request, timeout_s=PATIENCE_S)
    else:
        reply = _directly(config, request)
    if not reply.ok:
        raise GalleryError(reply.error)
    return reply.result


def _nobody(path: Path, request: ControlRequest) -> dict[str, Any]:
    """The answer where there is no gallery yet: looking must not make one."""
    if request.verb == "gallery.list":
        return {"epoch": 0, "people": []}
    raise GalleryError(
        "there is no gallery yet", where=str(path), fix="Start it: run_pipeline.py enrol CLIP --name NAME"
    )


def _directly(config: PipelineConfig, request: ControlRequest) -> ControlReply:
    gallery = config.gallery.open()
    try:
        return GalleryDesk(gallery, BaselineEmbedder().model).answer(request)
    finally:
        gallery.close()
