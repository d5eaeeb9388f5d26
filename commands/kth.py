"""``evaluate --protocol kth``: the pipeline's perception over KTH walking, and who is found across scenes."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from commands.cli import out, print_json, progress
from commands.extras import needing_extra
from commands.follow import follow
from commands.subjects import embedder_of, nets_subject
from engines.config import PerceiveConfig
from engines.perceive import Perception
from engines.weights import POSE_DETECTOR, POSE_LANDMARKS, cache_folder
from gait.evaluation.baselines import BASELINES, baseline
from gait.evaluation.controls import control
from gait.evaluation.embedding import Subject
from gait.evaluation.kth import (
    ENLARGED,
    RATE_HZ,
    Clip,
    Found,
    Pass,
    between,
    clips_in,
    comparisons,
    passes_of,
    rank_1,
)
from gait.evaluation.kth_cache import PassCache
from gait.models.weights import SHIPPED
from stream.errors import ConfigError, SourceError
from trackers.config import TrackConfig

PROTOCOL: Final = "kth"
AVERAGE: Final = "average-silhouette"
UNTRAINED_SEED: Final = 0


def run_kth(arguments: argparse.Namespace, folder: Path) -> int:
    """The averaged silhouette, an untrained net and the net given (the shipped one), in one table."""
    if arguments.train or arguments.lda or arguments.out or arguments.submission:
        raise ConfigError(
            "of all options this protocol takes --weights, --baseline, --control and --json", where=PROTOCOL
        )
    passes = perceived_passes(folder)
    weights = arguments.weights or [SHIPPED]
    judged = baseline(arguments.baseline) if arguments.baseline else nets_subject(weights)
    subjects = [baseline(AVERAGE), untrained(weights[0]), judged]
    rows = {one.name: judge(one, passes, arguments.control) for one in subjects}
    if arguments.json:
        print_json(
            {
                "protocol": PROTOCOL,
                "people": len({one.person for one in passes}),
                "passes": [str(one) for one in passes],
                "control": arguments.control or "none",
                "rank_1": {name: [_plain(one) for one in found] for name, found in rows.items()},
            }
        )
        return 0
    for one in passes:
        out.print(str(one), style="dim")
    _print(rows, passes)
    return 0


def _plain(found: Found) -> dict[str, str | int | float]:
    return {
        "name": found.name,
        "rank_1": found.share,
        "hits": found.hits,
        "probes": found.probes,
        "unanswered": found.unanswered,
    }


def untrained(weights: Path) -> Subject:
    """A net of the same form with random weights: what its form alone tells apart."""
    torch, checkpoints = needing_extra("torch"), needing_extra("gait.models.checkpoints")
    registry = needing_extra("gait.models.registry")
    trained = checkpoints.load(weights)
    torch.manual_seed(UNTRAINED_SEED)
    return Subject("untrained net", embedder_of(registry.family(trained.family).build(trained.config)))


def judge(subject: Subject, passes: list[Pass], taken_away: str = "") -> list[Found]:
    """Rank-1 of every comparison; the averaged silhouette by its distance, nets by the mean strip cosine."""
    change = control(taken_away)
    features = [None if one.walk is None else subject.features(change(one.walk)) for one in passes]
    apart = between(features, "euclidean" if subject.name in BASELINES else "cosine")
    return [rank_1(comparison, passes, apart) for comparison in comparisons(passes)]


def _print(rows: dict[str, list[Found]], passes: list[Pass]) -> None:
    people, missed = len({one.person for one in passes}), sum(one.walk is None for one in passes)
    table = Table(title=f"KTH walking: rank-1 %, {people} people, {len(passes)} passes, {missed} not found")
    table.title_justify = "left"
    table.add_column("")
    for found in next(iter(rows.values())):
        table.add_column(f"{found.name} ({found.probes})", justify="right")
    for name, row in rows.items():
        table.add_row(name, *(f"{100 * found.share:.0f}" for found in row))
    out.print(table)


def perceived_passes(folder: Path) -> list[Pass]:
    """All passes of all clips, from the cache where perception has seen a clip before."""
    cache = PassCache(cache_folder() / "kth", _perceived_by())
    loaded: list[Perception] = []

    def perceive(clip: Clip) -> list[Pass]:
        if not loaded:
            loaded.append(Perception.load())
        return passes_of(clip, follow(_pictures(clip.path), RATE_HZ, loaded[0], camera=clip.path.stem))

    clips, found = clips_in(folder), []
    with progress("clips", len(clips)) as step:
        for clip in clips:
            found += cache.passes(clip, perceive)
            step.advance(1)
    return found


def _perceived_by() -> str:
    """A digest of everything that decides what is seen: the nets and the stages' settings."""
    track = TrackConfig()
    # Links between tracklets are the identify stage's; samples do not depend on them.
    tracked = (track.motion, track.association, track.life, track.window)
    settings = msgspec.json.encode((PerceiveConfig(), tracked, ENLARGED))
    nets = f"{POSE_DETECTOR.sha256} {POSE_LANDMARKS.sha256} ".encode()
    return hashlib.sha256(nets + settings).hexdigest()


def _pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The clip's frames in BGR, enlarged; raises SourceError for a file that shows none."""
    video = cv2.VideoCapture(str(path))
    try:
        shown = False
        while True:
            there, picture = video.read()
            if not there:
                break
            shown = True
            size = (ENLARGED * picture.shape[1], ENLARGED * picture.shape[0])
            yield np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        if not shown:
            raise SourceError("shows no picture", where=str(path), wanted="an AVI of KTH actions")
    finally:
        video.release()
