"""`top`'s screen: its numbers as tables."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from commands.top_view import TopView
from stream.figures import Figure

_STYLES: Final = {
    **dict.fromkeys(("running", "attached"), "green"),
    **dict.fromkeys(("ended", "detached"), "dim"),
    **dict.fromkeys(("paused", "starting"), "yellow"),
}
_LEFT: Final = ("camera", "stage", "state", "dropped", "source")


def rendered(view: TopView) -> RenderableType:
    """For a terminal."""
    return Group(_head(view), _cameras(view), Text(), _stages(view), Text(), _foot(view))


def _head(view: TopView) -> Text:
    verdict = view.health
    word, colour = ("ready", "green") if verdict.ready else ("healthy, not ready", "yellow")
    if not verdict.healthy:
        word, colour = "unhealthy", "red"
    text = Text.assemble(
        (f"pipeline {view.pipeline}", "bold"),
        f"  up {_duration(view.uptime_s)}  ",
        (word, f"bold {colour}"),
        "\n",
    )
    for line in (*verdict.problems, *verdict.waiting):
        text.append(f"  {line}\n", style="red" if line in verdict.problems else "yellow")
    return text


def _cameras(view: TopView) -> Table:
    table = _table(
        "camera", "state", "in/s", "out/s", "drops/s", "in flight", "to event, ms", "dropped", "source"
    )
    for row in view.cameras:
        drops = ", ".join(f"{count} {cause}" for cause, count in row.dropped.items())
        table.add_row(
            row.camera,
            Text(row.state, style=_STYLES.get(row.state, "red")),
            f"{row.captured_per_s:.1f}",
            f"{row.processed_per_s:.1f}",
            Text(f"{row.dropped_per_s:.1f}", style="red" if row.dropped_per_s else ""),
            str(row.in_flight),
            str(row.capture_to_event),
            drops or "-",
            row.source,
        )
    return table


def _stages(view: TopView) -> Table:
    table = _table("stage", "state", "frames/s", "takes, ms", "age, ms", "queue", "cpu", "MB", "restarts")
    for row in view.stages:
        table.add_row(
            row.stage,
            Text(row.state, style=_STYLES.get(row.state, "red")),
            f"{row.frames_per_s:.1f}",
            str(row.takes),
            str(row.age),
            "-" if row.queue is None else str(row.queue),
            "-" if row.cpu is None else f"{row.cpu:.0%}",
            "-" if row.resident_mb is None else f"{row.resident_mb:.0f}",
            Text(str(row.restarts), style="yellow" if row.restarts else ""),
        )
    return table


def _foot(view: TopView) -> Text:
    counts: dict[str, int] = {}
    for row in view.cameras:
        for name, count in (*row.events.items(), *row.answers.items()):
            counts[name] = counts.get(name, 0) + count
    said = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items()]
    figures = [f"{figure.name.replace('_', ' ')}{_of(figure)} {figure.value:g}" for figure in view.figures]
    spreads = f"two numbers: median / 99 of 100, of the last {view.seconds:.0f} s"
    lines = [f"events: {', '.join(said) or 'none yet'}", ", ".join(figures), spreads]
    return Text("\n".join(line for line in lines if line), style="dim", no_wrap=False, overflow="fold")


def _of(figure: Figure) -> str:
    return f" ({', '.join(figure.labels.values())})" if figure.labels else ""


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        left = heading in _LEFT
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading != "dropped")
    return table


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
