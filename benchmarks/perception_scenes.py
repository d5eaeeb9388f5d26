"""The bench's rendered scenes, kept on disk between runs where asked: rendering takes longer than perceiving.

What is kept carries a digest of the renderer's source, so that a scene of another renderer is never judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

import gait.walkers
from gait.walkers.scene import Scene
from gait.walkers.scenes import perception_scene
from gait.walkers.truth import FrameRecord, PersonRecord, Rendered, TruthPerson
from stream.errors import MessageError, ResourceError

COUNTS: Final = (1, 2, 3, 4, 5, 6)
HEIGHT_PX: Final = (60.0, 600.0)
IMAGES, TRUTH = "images.npy", "truth.msgpack"


@dataclass(frozen=True)
class Clip:
    """One scene of the bench: ``count`` walkers, chosen by ``seed``, for ``seconds``."""

    seed: int
    count: int
    seconds: float

    @property
    def name(self) -> str:
        """Names the scene in a trace and on disk."""
        return f"{self.seed}-{self.count}-{self.seconds:g}"

    def scene(self) -> Scene:
        """The scene to render."""
        return perception_scene(self.seed, self.count, HEIGHT_PX, self.seconds)


def clips(seed: int, rounds: int, seconds: float) -> Iterator[Clip]:
    """``rounds`` scenes of each count of walkers, none alike."""
    for turn in range(rounds):
        for count in COUNTS:
            yield Clip(seed * 1000 + turn * len(COUNTS) + count, count, seconds)


def frames(clip: Clip, keep: Path | None = None) -> Iterator[Rendered]:
    """The frames of a clip, from ``keep`` where they lie there already; else they are rendered, and kept."""
    if keep is None:
        return clip.scene().frames()
    folder = keep / f"{clip.name}-{renderer_digest()}"
    if not (folder / TRUTH).exists():
        _store(clip.scene(), folder)
    return _stored(folder)


def _store(scene: Scene, folder: Path) -> None:
    """Render the whole scene; the truth comes last, and only a folder that has it is read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shape = (scene.frame_count, *scene.frame(0).image.shape)
        images = np.lib.format.open_memmap(folder / IMAGES, mode="w+", dtype=np.uint8, shape=shape)
        records = []
        for rendered in scene.frames():
            images[rendered.number] = rendered.image
            people = tuple(PersonRecord.of(person) for person in rendered.truth)
            records.append(FrameRecord(rendered.number, rendered.time_s, people))
        images.flush()
        (folder / TRUTH).write_bytes(msgspec.msgpack.encode(records))
    except OSError as error:
        raise ResourceError(f"cannot keep a scene ({error.strerror})", where=str(folder)) from error


def _stored(folder: Path) -> Iterator[Rendered]:
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        records = msgspec.msgpack.decode((folder / TRUTH).read_bytes(), type=list[FrameRecord])
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise MessageError(f"not a kept scene ({error})", where=str(folder), wanted="delete it") from error
    for record, image in zip(records, images, strict=True):
        truth = tuple(_person(person) for person in record.people)
        yield Rendered(record.number, record.time_s, np.array(image), truth)


def _person(record: PersonRecord) -> TruthPerson:
    return TruthPerson(
        identity=record.identity,
        box=record.box,
        visible_box=record.visible_box,
        crop=record.crop(),
        visible=record.visible,
        depth_m=record.depth_m,
        joints_2d=np.array(record.joints_2d),
        joints_3d=np.array(record.joints_3d),
    )


@cache
def renderer_digest() -> str:
    """Of every source file that a rendered pixel may depend on."""
    digest = hashlib.sha256()
    for path in sorted(Path(gait.walkers.__path__[0]).glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
