"""``evaluate --protocol kth``: the pipeline's perception over KTH walking, and who is found across scenes."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from commands.cli import ROOT, out, print_json, progress
from commands.extras import needing_extra
from commands.follow import follow
from commands.subjects import with_what_it_needs
from engines.config import PerceiveConfig
from engines.perceive import Perception
from engines.weights import POSE_DETECTOR, POSE_LANDMARKS, cache_folder
from gait.evaluation.baselines import baseline
from gait.evaluation.controls import Control, control
from gait.evaluation.distances import Metric
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
from gait.inputs import prepare
from gait.models.weights import SHIPPED
from stream.errors import ConfigError, SourceError
from trackers.config import TrackConfig

PROTOCOL: Final = "kth"
AVERAGE: Final = "average-silhouette"
UNTRAINED_SEED: Final = 0
SEEING: Final = ("engines", "trackers")
"""Rooms whose code decides what is seen."""


def run_kth(arguments: argparse.Namespace, folder: Path) -> int:
    """The averaged silhouette, an untrained net and the net given (the shipped one), in one table."""
    if arguments.train or arguments.lda or arguments.out or arguments.submission:
        raise ConfigError(
            "of all options this protocol takes --weights, --baseline, --control and --json", where=PROTOCOL
        )
    passes = perceived_passes(folder)
    weights, change = (arguments.weights or [SHIPPED])[0], control(arguments.control)
    rows = {AVERAGE: judge(baseline(AVERAGE), passes, change)}
    rows |= {"untrained net": judge_net(untrained(weights), passes, change)[0]}
    if arguments.baseline:
        rows[arguments.baseline] = judge(baseline(arguments.baseline), passes, change)
    else:
        for path in arguments.weights or [SHIPPED]:
            before, after = judge_net(needing_extra("gait.models.checkpoints").load(path), passes, change)
            rows |= {f"{path.stem}, before its neck": before, f"{path.stem}, after it": after}
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


def untrained(weights: Path) -> Any:
    """A net of the same form with random weights: what its form alone tells apart."""
    torch, checkpoints = needing_extra("torch"), needing_extra("gait.models.checkpoints")
    families = needing_extra("gait.models.registry")
    trained = checkpoints.load(weights)
    torch.manual_seed(UNTRAINED_SEED)
    return families.family(trained.family).build(trained.config)


def judge(subject: Subject, passes: list[Pass], change: Control) -> list[Found]:
    """Rank-1 of every comparison by a simple recogniser's Euclidean distance."""
    features = [None if one.walk is None else subject.features(change(one.walk)) for one in passes]
    return _ranked(features, passes, "euclidean")


def judge_net(net: Any, passes: list[Pass], change: Control) -> tuple[list[Found], list[Found]]:
    """Rank-1 of every comparison by the mean strip cosine, of the vectors before and after the neck."""
    torch, spec = needing_extra("torch"), needing_extra("gait.models.input_spec").spec_of(net.eval())
    before: list[NDArray[np.floating] | None] = []
    after: list[NDArray[np.floating] | None] = []
    for one in passes:
        if one.walk is None:
            before.append(None)
            after.append(None)
            continue
        frames = torch.from_numpy(prepare(spec, with_what_it_needs(spec, change(one.walk))))
        with torch.inference_mode():
            found = net(frames[None])
        before.append(found.embed_1[0].T.numpy())
        after.append(found.embed_2[0].T.numpy())
    return _ranked(before, passes, "cosine"), _ranked(after, passes, "cosine")


def _ranked(features: list[NDArray[np.floating] | None], passes: list[Pass], metric: Metric) -> list[Found]:
    apart = between(features, metric)
    return [rank_1(comparison, passes, apart) for comparison in comparisons(passes)]


def _print(rows: dict[str, list[Found]], passes: list[Pass]) -> None:
    people, missed = len({one.person for one in passes}), sum(one.walk is None for one in passes)
    title = f"KTH walking: rank-1 %, {people} people, {len(passes)} passes, {missed} not found"
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("", overflow="fold")
    for found in next(iter(rows.values())):
        table.add_column(found.name, justify="right")
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
    """A digest of everything that decides what is seen: the nets, the stages' settings and their code."""
    track = TrackConfig()
    # Links between tracklets are the identify stage's; samples do not depend on them.
    tracked = (track.motion, track.association, track.life, track.window)
    settings = msgspec.json.encode((PerceiveConfig(), tracked, ENLARGED))
    nets = f"{POSE_DETECTOR.sha256} {POSE_LANDMARKS.sha256} ".encode()
    digest = hashlib.sha256(nets + settings)
    for room in SEEING:
        for file in sorted((ROOT / room).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


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
