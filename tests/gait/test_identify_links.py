"""A track that continues another starts with what that one showed, and parts from it when told to."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from gait.identify_stage import IdentifyStage
from stream.events import encode_event
from stream.messages import Embedded, EndOfStream, Event, Link, Retraction
from tests.gait.test_identify_stage import CONFIG, INFO, MAP, embedded, events, gallery_at, walk
from tests.strategies_gallery import START_NS, embedding, tracklet, unit
from trackers.linker import Linker

LINK = Link(tracklet(0), tracklet(1), START_NS, 2.5, 0.21, 0.97)


class Scripted:
    """A linker that says what it is told to, by frame number."""

    hold_s = 15.0

    def __init__(self, script: dict[int, Sequence[Link | Retraction]]) -> None:
        self.script, self.stopped = script, []

    def take(self, message: Embedded) -> Sequence[Link | Retraction]:
        return self.script.get(message.frame.number, ())

    def stop(self, camera: str, run: str) -> None:
        self.stopped.append((camera, run))


@pytest.fixture
def scripted(tmp_path: Path) -> Iterable[IdentifyStage]:
    script = {200: [LINK], 250: [Retraction(LINK, START_NS, "the gaits differ")]}
    stage = IdentifyStage(gallery_at(tmp_path), INFO, MAP, CONFIG, linker=Scripted(script))
    yield stage
    stage.close()


def again(number: int, like: int, samples: int = 8) -> Embedded:
    """Track 1 shows a little of somebody like person ``like``."""
    window = embedding(unit(900 + number, near=unit(like), by=0.3), 1, at_s=number / 25, samples=samples)
    return embedded(number, [window], seen=(1,))


def test_a_link_names_a_track_that_has_shown_too_little_itself(scripted: IdentifyStage) -> None:
    told = events(scripted, *walk(0, 1), again(200, 1))
    link, new = told[-2:]
    assert (link.kind, link.tracklet, link.identity) == ("link", "door/run/1", None)
    assert link.link is not None
    assert (link.link.earlier, link.link.gap_s, link.link.confidence) == ("door/run/0", 2.5, 0.97)
    assert new.kind == "new"
    assert new.identity is not None
    assert new.identity.name == "Person 1"
    assert new.evidence is not None
    assert new.evidence.samples > 100
    assert new.evidence.start_ns < link.captured_ns - 4_000_000_000


def test_a_retraction_leaves_a_track_what_it_showed_itself(scripted: IdentifyStage) -> None:
    told = events(scripted, *walk(0, 1), again(200, 1), again(250, 1))
    retract, update = told[-2:]
    assert (retract.kind, retract.tracklet) == ("retract", "door/run/1")
    assert retract.link is not None
    assert retract.link.reason == "the gaits differ"
    assert update.kind == "update"
    assert update.identity is not None
    assert update.identity.answer == "insufficient_evidence"


def test_ids_are_never_rewritten(scripted: IdentifyStage) -> None:
    told = events(scripted, *walk(0, 1), again(200, 1), again(250, 1))
    first = [encode_event(event) for event in told if event.tracklet == "door/run/0"]
    assert first
    assert all(b"door/run/1" not in line for line in first)


def test_sequences_count_links_without_a_gap(scripted: IdentifyStage) -> None:
    told = events(scripted, *walk(0, 1), again(200, 1), again(250, 1))
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))


def test_without_a_linker_every_track_stands_alone(tmp_path: Path) -> None:
    stage = IdentifyStage(gallery_at(tmp_path), INFO, MAP, CONFIG)
    told = events(stage, *walk(0, 1), again(200, 1))
    assert [event.kind for event in told if event.tracklet == "door/run/1"] == ["new"]
    assert told[-1].identity is not None
    assert told[-1].identity.answer == "insufficient_evidence"
    stage.close()


def test_the_linker_hears_of_the_end_of_a_run(tmp_path: Path) -> None:
    linker = Scripted({})
    stage = IdentifyStage(gallery_at(tmp_path), INFO, MAP, CONFIG, linker=linker)
    told: list[Event] = events(stage, embedded(0))
    told += next(iter(stage.finish(EndOfStream("door", "run", 1, START_NS)))).events
    assert linker.stopped == [("door", "run")]
    assert [event.kind for event in told] == ["start", "end", "stop"]
    stage.close()


def test_an_ended_track_is_let_go_of_after_the_hold(scripted: IdentifyStage) -> None:
    events(scripted, *walk(0, 1), embedded(25 * 12, seen=(5,)))
    assert len(scripted._parted) == 1
    events(scripted, embedded(25 * 40, seen=(5,)))
    assert len(scripted._parted) == 0


def linked_log(folder: Path) -> list[bytes]:
    """The lines of a walk and its continuation, linked by the real linker."""
    stage = IdentifyStage(gallery_at(folder), INFO, MAP, CONFIG, linker=Linker(MAP.evidence))
    told = events(
        stage, *walk(0, 1), embedded(200, seen=(1,)), *(again(225 + 13 * k, 1, 25) for k in range(3))
    )
    stage.close()
    return [encode_event(event) for event in told]


def test_the_same_recording_is_linked_with_the_same_bytes(tmp_path: Path) -> None:
    first, second = linked_log(tmp_path / "a"), linked_log(tmp_path / "b")
    assert sum(b'"kind":"link"' in line for line in first) == 1
    assert first == second
