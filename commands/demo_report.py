"""The demo's table, annotated video and report page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from rich.table import Table

from commands.cli import out, progress, say
from commands.colours import css
from commands.finished import ledger_lines
from commands.judging import NS, LinkVerdict, Verdict
from commands.observe import Observation
from commands.overlay import Image, Names, by_frame, contact_sheet, draw, number_of, write_video
from commands.pipeline import Finished
from commands.report import LinkRow, Report, Row, Span, write_report
from stream.messages import Event, Tracked
from stream.sources import open_source

STILLS = 6


@dataclass(frozen=True)
class Told:
    """What was said of the clip, and what the truth says to it."""

    verdicts: Sequence[Verdict]
    links: Sequence[LinkVerdict]
    events: Sequence[Event]


def print_table(verdicts: Sequence[Verdict], links: Sequence[LinkVerdict], folder: Path) -> None:
    """Who was there, who was recognised, with what probability, when; and how tracklets were linked."""
    table = Table(box=None, pad_edge=False)
    for heading in ("person", "enrolled", "in view", "answer", "probability", "first named", ""):
        table.add_column(heading)
    for verdict in verdicts:
        probability = verdict.answer.probability if verdict.answer else None
        table.add_row(
            verdict.person,
            "yes" if verdict.enrolled else "no",
            f"{verdict.first_s:.1f}-{verdict.last_s:.1f} s",
            verdict.text,
            f"{probability:.0%}" if probability is not None else "-",
            f"{verdict.named_s:.1f} s" if verdict.named_s is not None else "-",
            "[green]right[/]" if verdict.right else "[red]wrong[/]",
        )
    out.print(table)
    for link in links:
        out.print(link_text(link), style="dim", markup=False, highlight=False)
    say(f"\n{folder}/report.html shows it all; annotated.mp4 and events.jsonl lie beside it")


def link_text(link: LinkVerdict) -> str:
    """One link in words."""
    later, earlier = number_of(link.later), number_of(link.link.earlier)
    text = f"{link.told_s:.1f} s: tracklet {later} continues {earlier} after {link.link.gap_s:.1f} s, "
    text += f"{link.link.confidence:.0%}"
    if link.taken_back_s is not None:
        return f"{text}; taken back at {link.taken_back_s:.1f} s"
    return f"{text}, {verdict_word(link.right)}"


def verdict_word(right: bool | None) -> str:
    """What the truth says."""
    return {True: "right", False: "wrong", None: "not to be told"}[right]


def write_pictures(folder: Path, told: Told, seen: Observation, finished: Finished, camera: str) -> None:
    """``annotated.mp4`` and ``report.html`` in ``folder``."""
    stills: list[Image] = []
    keep = set(np.linspace(0, max(0, len(seen.tracked) - 1), STILLS + 2).astype(int)[1:-1].tolist())

    def frames() -> Iterator[tuple[float, Image]]:
        with progress("drawing the annotated video", len(seen.tracked)) as step:
            for index, (seconds, image) in enumerate(_drawn(folder / "probe.mp4", seen, told.events, camera)):
                if index in keep:
                    stills.append(image)
                step.advance()
                yield seconds, image

    video = folder / "annotated.mp4"
    write_video(video, frames())
    sheet = contact_sheet(stills, columns=2, width=640) if stills else None
    page = Report(
        title="Gaitway demo",
        lead=_lead(told.verdicts),
        rows=_rows(told.verdicts, seen.tracked, told.events),
        links=_link_rows(told.links),
        ledger=ledger_lines(finished),
        made_by=_made_by(told.events, finished),
        video=video,
        stills=cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
        if sheet is not None
        else None,
        duration_s=_seconds(seen.tracked, len(seen.tracked) - 1),
    )
    write_report(page, folder / "report.html")


def _link_rows(links: Sequence[LinkVerdict]) -> list[LinkRow]:
    return [
        LinkRow(
            one.told_s,
            number_of(one.later),
            number_of(one.link.earlier),
            one.link.gap_s,
            one.link.confidence,
            "taken back" if one.taken_back_s is not None else verdict_word(one.right),
        )
        for one in links
    ]


def _drawn(
    clip: Path, seen: Observation, events: Sequence[Event], camera: str
) -> Iterator[tuple[float, Image]]:
    people, tracked = by_frame(seen.people, seen.tracked, camera)
    names = Names(events)
    source = open_source(str(clip), camera)
    try:
        first_ns = None
        for picture in source.frames():
            first_ns = picture.captured_ns if first_ns is None else first_ns
            if picture.number in people and picture.number in tracked:
                image = draw(picture.image, people[picture.number], tracked[picture.number], names)
                yield (picture.captured_ns - first_ns) * NS, image
    finally:
        source.close()


def _lead(verdicts: Sequence[Verdict]) -> str:
    enrolled = [v for v in verdicts if v.enrolled]
    strangers = [v for v in verdicts if not v.enrolled]
    right = sum(v.right for v in enrolled)
    kept = sum(v.right for v in strangers)
    return (
        f"{right} of {len(enrolled)} enrolled walkers were named right; "
        f"{kept} of {len(strangers)} stranger(s) stayed unnamed."
    )


def _seconds(tracked: Sequence[Tracked], index: int) -> float:
    if not tracked:
        return 1.0
    return (tracked[index].frame.captured_ns - tracked[0].frame.captured_ns) * NS


def _rows(verdicts: Sequence[Verdict], tracked: Sequence[Tracked], events: Sequence[Event]) -> list[Row]:
    spans = _spans(tracked, events)
    return [
        Row(
            v.person,
            v.enrolled,
            v.first_s,
            v.last_s,
            v.text,
            v.answer.probability if v.answer else None,
            v.named_s,
            v.right,
            tuple(span for tracklet in v.tracklets for span in spans.get(tracklet, ())),
        )
        for v in verdicts
    ]


def _spans(tracked: Sequence[Tracked], events: Sequence[Event]) -> dict[str, list[Span]]:
    """For each tracklet, what was said of it and for how long."""
    names = Names(events)
    seen: dict[str, list[int]] = defaultdict(list)
    for message in tracked:
        for track in message.tracks:
            if track.person is not None:
                seen[str(track.tracklet)].append(message.frame.captured_ns)
    start_ns = tracked[0].frame.captured_ns if tracked else 0
    spans: dict[str, list[Span]] = {}
    for tracklet, times_ns in seen.items():
        turns = {e.captured_ns for e in events if e.tracklet == tracklet and e.captured_ns < times_ns[-1]}
        ordered = [times_ns[0], *sorted(t for t in turns if t > times_ns[0]), times_ns[-1]]
        spans[tracklet] = []
        for begin_ns, end_ns in pairwise(ordered):
            label = names.label(tracklet, begin_ns)
            text = "no answer yet" if label.text == "..." else label.text
            span = Span((begin_ns - start_ns) * NS, (end_ns - start_ns) * NS, text, css(label.colour))
            spans[tracklet].append(span)
    return spans


def _made_by(events: Sequence[Event], finished: Finished) -> dict[str, str]:
    start = next((e for e in events if e.kind == "start"), None)
    made = {"configuration": finished.plan.config.digest, "transport": finished.plan.config.stream.transport}
    if start is None:
        return made
    return {**made, "model": start.model or "-", **{key: str(value) for key, value in start.details.items()}}
