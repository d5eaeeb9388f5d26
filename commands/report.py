"""One self-contained ``report.html``: who was there, what was said, when, and with what."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import jinja2

from stream.errors import ResourceError

TEMPLATES: Final = Path(__file__).parent / "templates"
CHART_WIDTH: Final = 960
LANE_HEIGHT: Final = 28
NAME_WIDTH: Final = 90


@dataclass(frozen=True)
class Span:
    """One answer from ``start_s`` to ``end_s``, as the chart shows it."""

    start_s: float
    end_s: float
    text: str
    colour: str


@dataclass(frozen=True)
class Row:
    """One person who was really there, and the pipeline's answer."""

    person: str
    enrolled: bool
    from_s: float
    to_s: float
    answer: str
    probability: float | None
    named_s: float | None
    right: bool
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class LinkRow:
    """One link between two tracklets, by their numbers, and what the truth says to it."""

    told_s: float
    later: str
    earlier: str
    gap_s: float
    confidence: float
    verdict: str


@dataclass(frozen=True)
class LedgerLine:
    """One camera's frames."""

    camera: str
    captured: int
    processed: int
    dropped: int
    lost: int


@dataclass(frozen=True)
class Report:
    """Everything the page shows."""

    title: str
    lead: str
    rows: Sequence[Row]
    ledger: Sequence[LedgerLine]
    made_by: Mapping[str, str]
    video: Path | None = None
    stills: bytes | None = None
    duration_s: float = field(default=1.0)
    links: Sequence[LinkRow] = ()


def write_report(report: Report, path: Path) -> None:
    """Render ``report`` to ``path``; pictures and video are inside, nothing is fetched."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        title=report.title,
        lead=report.lead,
        rows=report.rows,
        links=report.links,
        ledger=report.ledger,
        made_by=report.made_by,
        chart=_chart(report),
        video=base64.b64encode(report.video.read_bytes()).decode() if report.video else None,
        stills=base64.b64encode(report.stills).decode() if report.stills else None,
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ResourceError(
            f"the report cannot be written ({error.strerror})",
            where=str(path),
            fix="Free some disk space or name another folder with --out",
        ) from error


def _chart(report: Report) -> dict[str, object]:
    """The timeline as plain numbers for the template's SVG."""
    scale = (CHART_WIDTH - NAME_WIDTH - 10) / max(report.duration_s, 0.1)

    def x(seconds: float) -> float:
        return round(NAME_WIDTH + seconds * scale, 1)

    step = next(s for s in (1, 2, 5, 10, 30, 60, 300, 10**9) if report.duration_s / s <= 12)
    lanes = [
        {
            "name": row.person,
            "y": index * LANE_HEIGHT,
            "bars": [
                {
                    "x": x(span.start_s),
                    "width": max(1.0, round((span.end_s - span.start_s) * scale, 1)),
                    "colour": span.colour,
                    "text": f"{span.text}, {span.start_s:.1f} to {span.end_s:.1f} s",
                }
                for span in row.spans
            ],
        }
        for index, row in enumerate(report.rows)
    ]
    ticks = [{"x": x(s), "text": f"{s} s"} for s in range(0, int(report.duration_s) + 1, step)]
    return {"width": CHART_WIDTH, "height": len(lanes) * LANE_HEIGHT + 22, "lanes": lanes, "ticks": ticks}
