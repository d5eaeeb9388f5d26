"""The chain from end to end, or a stage of it: what ``augment --method diffusion`` runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec

from gait.data.errors import DataError
from gait.data.prepare import Progress, Report
from gait.data.source import Dropped, Found, Perceive, Preparation
from gait.training.clothing import rederived
from gait.training.clothing.chain.chain import STAGES, Chain, Settings, Stage, read_json
from gait.training.clothing.chain.weights import needed
from gait.training.clothing.looked import Look, Looked, read_picture, slug
from gait.training.clothing.rederived import Variant
from gait.training.clothing.shares import Wanted

METHOD: Final = "diffusion"
VERSION: Final = 1
MODULES: Final[dict[Stage, str]] = {
    "describe": "describe",
    "refine": "refine",
    "parse": "human_parsing",
    "inpaint": "inpaint",
    "filter": "judge",
}


@dataclass(frozen=True)
class Eyes:
    """Our own perception, handed in: frame by frame, and as a walk."""

    look: Look
    perceive: Perceive


@dataclass(frozen=True)
class Outcome:
    """What was left out, and the report where a data set was made."""

    dropped: tuple[Dropped, ...]
    report: Report | None


Bar = Callable[[str], Progress]


def diffuse(
    recordings: Preparation,
    folder: Path,
    wanted: Wanted,
    settings: Settings,
    eyes: Eyes,
    *,
    stages: Sequence[Stage] = STAGES,
    say: Callable[[str], None] = lambda _: None,
    bar: Bar | None = None,
) -> Outcome:
    """The stages told, in their order; with a report where the last one, derive, is among them.

    Raises ResourceError, before anything is done, for a stage without weights.
    """
    wanted.check()
    settings.check()
    stages = _runnable(stages, settings)
    told = msgspec.json.encode(
        {"augment": METHOD, "version": VERSION, **msgspec.to_builtins(wanted)}
    ).decode()
    rederived.check_same(folder, told)
    variants = rederived.variants_of(recordings, wanted, METHOD)
    chain = Chain(folder, wanted, variants, settings, say=say)
    for stage in stages:
        chain.progress = bar(stage) if bar is not None else None
        if stage == "look":
            chain.dropped += rederived.look_at_all(variants, eyes.look, folder, chain.progress)[1]
        elif stage == "derive":
            report = _derive(chain, recordings, eyes.perceive, told)
            return Outcome(report.dropped, report)
        else:
            module = importlib.import_module(f"gait.training.clothing.chain.{MODULES[stage]}")
            module.run(chain)
    return Outcome(tuple(chain.dropped), None)


def _runnable(stages: Sequence[Stage], settings: Settings) -> list[Stage]:
    """In the chain's order, without what a file of prompts makes needless; raises ResourceError."""
    needless = {"describe", "refine"} if settings.prompts else set()
    kept = [stage for stage in STAGES if stage in stages and stage not in needless]
    for stage in kept:
        if stage in ("describe", "refine", "parse", "inpaint"):
            needed(stage, getattr(settings, f"{stage}_model"))
            settings.machine.place()
    if "filter" in kept and settings.again:
        needed("inpaint", settings.inpaint_model)
    return kept


def _derive(chain: Chain, recordings: Preparation, perceive: Perceive, told: str) -> Report:
    """Crops into frames, frames through perception."""
    chain.begin("derive")
    made: list[Found] = []

    def work(variant: Variant) -> None:
        track = chain.track(slug(variant.source.entry))
        kept = _kept(chain, variant)
        if track is None or kept is None:
            raise DataError("was not inpainted", where=str(variant.entry))
        made.append(rederived.write_frames(variant, track, _crops(kept[0], track), chain.folder))

    chain.each(chain.variants, lambda variant: str(variant.entry), work)
    report = rederived.derive(
        recordings, made, chain.folder, perceive, settings=told, method=METHOD, dropped=chain.dropped
    )
    rederived.record(chain.folder, chain.variants, lambda one: _wearing(chain, one), chain.wanted, METHOD)
    return report


def _crops(folder: Path, track: Looked) -> rederived.Change:
    return lambda place: read_picture(folder / f"{track.file.crops[place].number:06d}.png", cv2.IMREAD_COLOR)


def _kept(chain: Chain, variant: Variant) -> tuple[Path, Path, int] | None:
    """The crops of the round that is kept, its mark, and which it is."""
    from gait.training.clothing.chain.inpaint import done_mark, painted_in  # noqa: PLC0415 - needs the extra
    from gait.training.clothing.chain.judge import Judged  # noqa: PLC0415

    told = chain.place("filter", f"{slug(variant.entry)}.json")
    attempt = read_json(told, Judged).kept if told.exists() else 0
    mark = done_mark(chain, variant, attempt)
    return (painted_in(chain, variant, attempt), mark, attempt) if mark.exists() else None


def _wearing(chain: Chain, variant: Variant) -> dict[str, Any]:
    kept = _kept(chain, variant)
    assert kept is not None
    return {"outfit": kept[1].read_text(encoding="utf-8"), "round": kept[2]}
