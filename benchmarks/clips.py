"""The same person in two recordings, and different ones: does the whole pipeline tell them apart?

Every clip goes through perception, tracker and embedder; each person's windows become one vector, and each is
held against all of the other clips. Who is who is told on the command line, for nobody else knows::

    run_pipeline.py bench clips lobby.mp4=ann street.mp4=ben,cas lobby2.mp4=ann hall.mp4=cas,ben
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import BenchResult
from commands.cli import add_config_arguments
from commands.config import load_config
from commands.observe import observe
from commands.recogniser import maps_of, recogniser
from gait.decision_norm import normalised
from gait.gallery.enrol import ClipTrack, apart, clip_tracks, window_templates
from stream.errors import ConfigError

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A recording, and who walks in it in order of appearance."""

    path: Path
    people: tuple[str, ...]


@dataclass(frozen=True)
class Appearance:
    """One person's track in one clip."""

    clip: str
    person: str
    vector: Vectors
    samples: int


def configure(parser: argparse.ArgumentParser) -> None:
    """The clips, and whose net."""
    add_config_arguments(parser)
    parser.add_argument(
        "clips",
        nargs="+",
        type=_clip,
        metavar="FILE=NAME[,NAME]",
        help="a recording and who walks in it, in order of appearance; a name in two files is one person",
    )


def _clip(text: str) -> Clip:
    path, _, names = text.rpartition("=")
    people = tuple(name.strip() for name in names.split(","))
    if not path or not all(people):
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE=NAME, as lobby.mp4=ann or lobby.mp4=ann,ben")
    return Clip(Path(path), people)


def run(arguments: argparse.Namespace) -> BenchResult:
    """Perceive, embed, compare."""
    config = load_config(arguments.config, arguments.overrides)
    clips: Sequence[Clip] = arguments.clips
    _check_names(clips)
    found: list[Appearance] = []
    missing = 0
    for clip in clips:
        tracks = clip_tracks(observe(config, str(clip.path)).embedded)
        shown = sorted(tracks, key=lambda track: track.samples)[-len(clip.people) :]
        shown.sort(key=lambda track: track.embeddings[0].start_ns)
        missing += len(clip.people) - len(shown)
        if len(shown) == len(clip.people):  # else nobody can say which of them it was
            found += [_appearance(clip, *pair) for pair in zip(clip.people, shown, strict=True)]
    same, pairs = _pairs(found)
    if not same.any() or same.all():
        raise ConfigError(
            f"{missing} people were not seen for long enough, and no two pairs are left to compare",
            where=", ".join(str(clip.path) for clip in clips),
            fix="Use clips in which each walks for a few seconds in full view",
        )
    model = recogniser(config).model
    vectors = np.stack([one.vector for one in found])
    likeness = (vectors @ vectors.T).astype(np.float64)
    cohort = maps_of(config, model)[1]
    if cohort is not None:
        usual = cohort[0].usual(vectors)
        likeness = normalised(likeness, usual, usual)
    scores = np.array([likeness[pair] for pair in pairs])
    figures: dict[str, int | float | str] = {
        "model": model.name,
        "people not seen for long enough": missing,
        "pairs of one person": int(same.sum()),
        "pairs of two": int((~same).sum()),
        "likeness of one person, least": round(float(scores[same].min()), 3),
        "likeness of two, most": round(float(scores[~same].max()), 3),
    }
    for number, one in enumerate(found):
        figures[f"{one.clip}, {one.person}"] = _nearest(found, likeness, number)
    ordered = float(np.mean(scores[same][:, None] > scores[~same][None]))
    values = {
        "nearest_right_percent": 100 * _right(found, likeness),
        "same_above_different_percent": 100 * ordered,
    }
    return BenchResult.of("clips", figures, values)


def _check_names(clips: Sequence[Clip]) -> None:
    """Raises ConfigError before anything is perceived where nobody could be compared."""
    files = [(name, clip.path) for clip in clips for name in set(clip.people)]
    names = {name for name, _ in files}
    twice = any(len({path for name, path in files if name == one}) > 1 for one in names)
    if not twice or len(names) < 2:
        raise ConfigError(
            f"names {', '.join(sorted(names))} in {len({path for _, path in files})} files",
            where="bench clips",
            wanted="one name in two files at least, and two names",
        )


def _appearance(clip: Clip, person: str, track: ClipTrack) -> Appearance:
    (whole,) = window_templates(apart(track.embeddings), str(clip.path), 1)
    return Appearance(str(clip.path), person, whole.vector.numpy(), track.samples)


def _pairs(found: Sequence[Appearance]) -> tuple[NDArray[np.bool_], list[tuple[int, int]]]:
    """Every two appearances in different clips, and whether they are one person's."""
    pairs = [
        (i, k) for i, one in enumerate(found) for k, other in enumerate(found[:i]) if one.clip != other.clip
    ]
    return np.array([found[i].person == found[k].person for i, k in pairs], bool), pairs


def _others(found: Sequence[Appearance], number: int) -> list[int]:
    """Appearances in other clips."""
    return [k for k, other in enumerate(found) if other.clip != found[number].clip]


def _best(found: Sequence[Appearance], likeness: NDArray[np.float64], number: int) -> int:
    return max(_others(found, number), key=lambda k: likeness[number, k])


def _nearest(found: Sequence[Appearance], likeness: NDArray[np.float64], number: int) -> str:
    best = found[_best(found, likeness, number)]
    verdict = "right" if best.person == found[number].person else "WRONG"
    return f"nearest to {best.person} of {best.clip} ({verdict}), {found[number].samples} samples"


def _right(found: Sequence[Appearance], likeness: NDArray[np.float64]) -> float:
    """The share whose nearest in another clip is themselves, of those who come again."""
    again = [
        number
        for number, one in enumerate(found)
        if any(found[k].person == one.person for k in _others(found, number))
    ]
    return float(np.mean([found[_best(found, likeness, k)].person == found[k].person for k in again]))
