"""The demo: named right, pictured, self-contained, and nothing left over that nobody asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import av
import pytest

from stream.events import read_events
from tests.commands.conftest import Run


@pytest.mark.timeout(400)
def test_the_demo_recognises_its_walkers_and_shows_it(gaitway: Run, tmp_path: Path) -> None:
    result = gaitway("demo", "--seed", "3", "--json", timeout_s=380)
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    assert {bar["name"]: bar["ok"] for bar in figures["bars"]} == {
        "named_right": True,
        "seeds_with_a_stranger_named": True,
    }
    folder = tmp_path / "out" / "demo"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', page), "the page fetches something"
    with av.open(str(folder / "annotated.mp4")) as video:
        drawn = sum(1 for _ in video.decode(video=0))
    with av.open(str(folder / "probe.mp4")) as video:
        assert drawn == sum(1 for _ in video.decode(video=0))
    names = {event.identity.name for event in read_events(folder / "events.jsonl") if event.identity}
    assert len(names - {None}) == 3
    assert not list(folder.glob("*.trace")), "traces hold templates and silhouettes"
