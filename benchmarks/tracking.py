"""Bench ``tracking``: identities, windows and links against a known tracker, on the same detections.

Parts can be run alone (``--only``): scenes are drawn once and kept, so that another part is cheap.
The peer is ByteTrack with time stamps from the package ``trackers`` 2.6.1 (in an environment of its own); its
evaluator scores both. Scenes: a square with true masks (12 and 24 people, 1080p, with and without stalls of
the camera), TUD with real detections, and MOT17-09 with seeded faults where GAITWAY_DATA names the real data.
What the window's gate costs in recognition is told beside it.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.report import BenchResult, Figure
from benchmarks.tracking_gate import gate_figures
from benchmarks.tracking_links import Stitched, baseline, link, made_up, shipped
from benchmarks.tracking_peer import OURS, PEERS, Scores, scores, track_with_peer, write_sequence
from benchmarks.tracking_real import Faults, RealSequence, data_folder, mot17_09, tud_sequences
from benchmarks.tracking_rendered import Looks, look
from benchmarks.tracking_rules import rule_figures
from benchmarks.tracking_scenes import SceneFrame
from benchmarks.tracking_speed import growth, speed
from benchmarks.tracking_square import rendered_truth
from benchmarks.tracking_windows import coverage, observe, peer_windows, purity, windows
from commands.cli import whole
from engines.weights import cache_folder
from stream.messages import People
from trackers.mot import MotRow, read_mot, write_mot
from trackers.tracker import CameraTracker

CROWDS: Final = (12, 24)
WAYS: Final = {
    "stalls": Looks(stalls=True),
    "steady": Looks(),
    "jittered10": Looks(fps=10.0, jitter=0.4),
}
FRAMES_WITHOUT_GROWTH: Final = 100_000
FAULT_SEEDS: Final = (20170917, 2, 3)
PARTS: Final = {
    "tracks": "rendered people beside ByteTrack",
    "windows": "purity and coverage",
    "links": "tracklets per person, wrong links",
    "net-links": "the same by the net in the box and by the baseline",
    "real": "TUD and MOT17-09 beside ByteTrack",
    "speed": "60 people, and memory over --frames",
    "gate": "what the window's gate costs",
    "rules": "what each rule of the gate refuses",
}

Values = dict[str, float]


def configure(parser: argparse.ArgumentParser) -> None:
    """The bench's own flags."""
    parser.add_argument("--seed", type=whole(0), default=1, help="chooses people, paths, stalls and noise")
    parser.add_argument("--seconds", type=float, default=72.0, help="length of a scene")
    parser.add_argument(
        "--frames", type=whole(1), default=FRAMES_WITHOUT_GROWTH, help="looked over for growth"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        metavar="PART",
        help="; ".join(f"{name}: {what}" for name, what in PARTS.items()),
    )


def run(options: argparse.Namespace) -> BenchResult:
    """Measure what is asked for; bars whose data is absent are not a number, and so not reached."""
    figures: dict[str, Figure] = {"seed": options.seed, "seconds": options.seconds}
    values: Values = {}
    parts = set(options.only)
    with tempfile.TemporaryDirectory() as scratch:
        for people in CROWDS if parts & {"tracks", "windows", "links", "net-links"} else ():
            _measure_square(people, options, Path(scratch), figures, values)
        if "real" in parts:
            _measure_real(Path(scratch), figures, values)
    if "speed" in parts:
        _measure_speed(options, figures, values)
    if "gate" in parts:
        figures |= gate_figures()
    if "rules" in parts:
        figures |= rule_figures()
    return BenchResult.of("tracking", figures, values, in_part=parts != set(PARTS))


def _measure_square(
    people: int, options: argparse.Namespace, scratch: Path, figures: dict[str, Figure], values: Values
) -> None:
    truth = rendered_truth(people, options.seconds, options.seed, cache_folder() / "benches")
    for way, looks in WAYS.items() if "tracks" in options.only else ():
        sequence = _as_sequence("square", look(truth, looks, options.seed))
        ours, peers = compare([sequence], scratch / f"{way}-{people}")
        _note(f"{way}_{people}", ours, peers, figures, values)
    frames = look(truth, WAYS["stalls"], options.seed)
    if "windows" in options.only:
        _measure_windows(people, frames, scratch / f"windows-{people}", figures, values)
    if "links" in options.only:
        _measure_links(people, frames, figures, values)
    for name, who in ({"net": shipped, "baseline": baseline} if "net-links" in options.only else {}).items():
        _note_links(f"{name}_{people}", link(frames, who()), figures)


def _measure_windows(
    people: int, frames: Sequence[SceneFrame], folder: Path, figures: dict[str, Figure], values: Values
) -> None:
    pieces = windows(observe(frames))
    values[f"window_purity_{people}"] = purity(pieces)
    values[f"window_coverage_{people}"] = coverage(pieces, frames)
    sequence = _as_sequence("square", frames)
    write_sequence(folder, sequence.people, sequence.truth)
    track_with_peer([folder])
    peers = peer_windows(frames, _ids_of(folder / PEERS, frames), fps=30.0)
    figures[f"peer_window_purity_{people}"] = purity(peers)


def _measure_links(
    people: int, frames: Sequence[SceneFrame], figures: dict[str, Figure], values: Values
) -> None:
    linked = link(frames, made_up())
    values[f"tracklets_per_person_{people}"] = linked.after
    values[f"wrong_links_{people}"] = linked.wrong / max(1, linked.links)
    _note_links(f"{people}", linked, figures)


def _note_links(name: str, linked: Stitched, figures: dict[str, Figure]) -> None:
    figures[f"tracklets_per_person_unlinked_{name}"] = linked.before
    figures[f"tracklets_per_person_linked_{name}"] = linked.after
    figures[f"links_{name}"] = linked.links
    figures[f"links_wrong_{name}"] = linked.wrong
    figures[f"links_wrong_at_joint_{name}"] = linked.wrong_at_joint
    figures[f"links_retracted_{name}"] = linked.retracted


def _measure_real(scratch: Path, figures: dict[str, Figure], values: Values) -> None:
    folder = data_folder()
    names = ("tud_campus", "tud_stadtmitte", "mot17_09")
    if folder is None:
        figures["real"] = "skipped: GAITWAY_DATA names no folder with mot/"
        values.update({f"{what}_over_peer_{name}": math.nan for name in names for what in ("hota", "idf1")})
        return
    campus, stadtmitte = tud_sequences(folder)
    faulty = [mot17_09(folder, Faults(seed=seed)) for seed in FAULT_SEEDS]
    for name, sequences in zip(names, ([campus], [stadtmitte], faulty), strict=True):
        ours, peers = compare(sequences, scratch / name)
        _note(name, ours, peers, figures, values)


def _measure_speed(options: argparse.Namespace, figures: dict[str, Figure], values: Values) -> None:
    found = speed(options.seed)
    values["ms_mean_60"], values["ms_p99_60"] = found.tracker_mean, found.tracker_p99
    figures["stage_ms_mean_60"], figures["stage_ms_p99_60"] = found.stage_mean, found.stage_p99
    figures["frames_for_growth"] = options.frames
    values["blocks_grown"] = float(growth(options.frames, options.seed))


def compare(sequences: Sequence[RealSequence], folder: Path) -> tuple[Scores, Scores]:
    """Our scores and the peer's over ``sequences``, worked on in ``folder``."""
    folders = [folder / f"{sequence.name}-{number}" for number, sequence in enumerate(sequences)]
    for sequence, place in zip(sequences, folders, strict=True):
        write_sequence(place, sequence.people, sequence.truth)
        write_mot(place / OURS, tracked_rows(sequence.people))
    track_with_peer(folders)
    return scores(OURS, folders), scores(PEERS, folders)


def tracked_rows(people: Sequence[People]) -> list[MotRow]:
    """Our tracker's confirmed people as a result file has them: the detections' boxes under our ids."""
    ref = people[0].frame
    tracker = CameraTracker(ref.camera, ref.run)
    return [
        MotRow(number, track.tracklet.n + 1, frame.people[track.person].box)
        for number, frame in enumerate(people, 1)
        for track in tracker.update(frame).tracks
        if track.confirmed and track.person is not None
    ]


def _note(name: str, ours: Scores, peers: Scores, figures: dict[str, Figure], values: Values) -> None:
    figures |= {
        f"hota_{name}": ours.hota,
        f"hota_{name}_peer": peers.hota,
        f"idf1_{name}": ours.idf1,
        f"idf1_{name}_peer": peers.idf1,
        f"switches_{name}": ours.switches,
        f"switches_{name}_peer": peers.switches,
    }
    values[f"hota_over_peer_{name}"] = ours.hota - peers.hota
    values[f"idf1_over_peer_{name}"] = ours.idf1 - peers.idf1


def _as_sequence(name: str, frames: Sequence[SceneFrame]) -> RealSequence:
    """A scene for both trackers; an identity is one visit to the picture."""
    truth = tuple(
        MotRow(number, visit + 1, box)
        for number, frame in enumerate(frames, 1)
        for visit, box in sorted(frame.boxes.items())
    )
    return RealSequence(name, tuple(frame.people for frame in frames), truth)


def _ids_of(result: Path, frames: Sequence[SceneFrame]) -> list[dict[int, int]]:
    """For each frame the peer's id of each detection: the one whose box it returned."""
    found: list[dict[int, int]] = [{} for _ in frames]
    for row in read_mot(result):
        boxes = np.array([person.box for person in frames[row.frame - 1].people.people])
        nearest = int(np.abs(boxes - np.array(row.box)).sum(axis=1).argmin())
        found[row.frame - 1][nearest] = row.person
    return found
