"""What each stage remembers between frames, for its checkpoint, and where it was left off."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Final

import msgspec

from commands.plan import CHECKPOINTS, RunPlan
from stream.bus import Sent
from stream.checkpoint import Counting, Keeper, Memory, Remembered, fresh_folder, read_checkpoint
from stream.errors import FOREIGN, ConfigError, ResourceError
from stream.once import OnceStage
from stream.publish import PublishStage
from stream.punctual import EasedStage
from stream.recorder import RecordedStage
from stream.sources import Source
from stream.stage import Stage

_MARK: Final = "run.json"


STAYS: Final = {
    "PerceiveStage": ("_frames", "_perception"),
    "TrackStage": ("_shape", "_config"),
    "EmbedStage": ("_embedder", "_config"),
    "IdentifyStage": (
        *("_config", "_decider", "_gallery", "_model", "_config_digest", "_engines", "_desk", "_index"),
        "_linker",
    ),
}
"""What a stage is given when it is made, by its class's name; all else in it is what it remembers. Names, for
to import the classes would load every room into every stage."""


def memory_of(stage: Stage) -> Memory:
    """The part of a stage that changes from frame to frame; nets, configuration and gallery stay outside."""
    while isinstance(stage, (RecordedStage, EasedStage)):
        stage = stage.inner
    kind = type(stage).__name__
    stays = STAYS.get(kind)
    if stays is None:
        raise TypeError(f"nobody knows what a {kind} remembers")
    held = {name: value for name, value in vars(stage).items() if name in stays}
    held |= _parts(held)
    if kind == "IdentifyStage":
        strangers = vars(stage)["_strangers"]
        held |= {"score_map": strangers.score_map, "clusters": strangers.config}
    return Remembered(stage, tuple(name for name in vars(stage) if name not in stays), held)


def _parts(held: dict[str, object]) -> dict[str, object]:
    """What is within the things that stay, where their own parts are handed on: nets, rules."""
    parts: dict[str, object] = {}
    for name, value in held.items():
        fields = value.__struct_fields__ if isinstance(value, msgspec.Struct) else ()
        nets = type(value).__name__ == "Perception"
        inner = vars(value) if nets else {one: getattr(value, one) for one in fields}
        parts |= {f"{name}.{one}": part for one, part in inner.items()}
    plain = (type(None), bool, int, float, str, bytes, tuple)
    return {name: part for name, part in parts.items() if not isinstance(part, plain)}


def with_keeper(plan: RunPlan, name: str, stage: Stage) -> tuple[Stage, Keeper | None]:
    """The stage as it was at its last checkpoint, and who keeps the next; without, where none are kept."""
    if not plan.durable:
        return stage, None
    memory: Memory
    if isinstance(stage, PublishStage):
        memory = Counting(stage.sequences)
        stage = OnceStage(stage, memory)
    else:
        memory = memory_of(stage)
    keeper = Keeper(
        plan.checkpoints,
        name,
        memory,
        every_s=plan.config.stream.checkpoint_s,
        sync=plan.config.events.sync,
        exact=name != "perceive" or plan.recorded,
    )
    return stage, keeper


def sender_of(name: str, keeper: Keeper | None) -> Sent | None:
    """How the stage goes by at the next one: by its own name wherever it can repeat what it said."""
    if keeper is None:
        return None
    if not keeper.exact:
        return Sent(name.encode() + secrets.token_bytes(8))
    return keeper.restored.sent() if keeper.restored else Sent(name.encode())


def first_frame(plan: RunPlan, source: Source) -> tuple[int, bool]:
    """The recording's frame with which to go on, and whether perception has seen its end."""
    kept = read_checkpoint(plan.checkpoints, "perceive") if plan.durable else None
    if kept is None:
        return 0, False
    run, number = kept.frames.get(source.camera, ("", -1))
    return number + 1 if run == source.run else 0, source.camera not in kept.open


class LeftOff(msgspec.Struct, frozen=True):
    """Which run the checkpoints belong to: its pipeline's name, and a hash of its cameras and settings."""

    pipeline: str
    digest: str


def left_off(results: Path) -> LeftOff | None:
    """The run that was left off in the results folder, or None."""
    path = results / CHECKPOINTS / _MARK
    try:
        return msgspec.json.decode(path.read_bytes(), type=LeftOff)
    except FileNotFoundError:
        return None
    except (OSError, *FOREIGN) as error:
        fix = "Remove the folder, or start without --resume"
        raise ResourceError("the checkpoints cannot be read", where=str(path), fix=fix) from error


def prepare_checkpoints(plan: RunPlan, *, resume: bool) -> bool:
    """Make the folder; whether an earlier run is gone on with. ConfigError where that was another run."""
    found = left_off(Path(plan.results)) if resume else None
    digest = hashlib.sha256(msgspec.json.encode((plan.config.cameras, plan.config.digest))).hexdigest()
    if found is not None and found.digest != digest:
        raise ConfigError(
            "the run that was left off there had other cameras or another configuration",
            where=plan.results,
            fix="Give the same ones, name another --out, or start anew without --resume",
        )
    fresh_folder(plan.checkpoints, keep=found is not None)
    (plan.checkpoints / _MARK).write_bytes(msgspec.json.encode(LeftOff(plan.pipeline, digest)))
    return found is not None
