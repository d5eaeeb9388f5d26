"""The identify stage and its gallery: strangers keep their name, removal reaches everything at once."""

from pathlib import Path

import msgspec
import pytest

from gait.gallery.redact import LOG
from gait.gallery.requests import Change, Enrol, request
from gait.gallery.store import Gallery
from gait.identify_stage import IdentifyStage
from stream.events import encode_event
from stream.messages import ControlRequest
from tests.gait.test_identify_stage import embedded, events, gallery_at, stage_over, walk
from tests.strategies_gallery import embedding, unit


@pytest.fixture
def stage(tmp_path: Path):
    stage = stage_over(gallery_at(tmp_path))
    yield stage
    stage.close()


def later(messages: list, by: int) -> list:
    """The same, ``by`` frames later."""
    return [
        msgspec.structs.replace(
            message,
            frame=msgspec.structs.replace(
                message.frame,
                number=message.frame.number + by,
                captured_ns=message.frame.captured_ns + by * 40_000_000,
            ),
        )
        for message in messages
    ]


def test_a_stranger_who_comes_again_is_the_same_and_can_be_given_a_name(stage: IdentifyStage) -> None:
    told = events(stage, *walk(0, 77), *later(walk(1, 77), 1000), *later(walk(2, 99), 2000))
    first, again, other = (
        {e.identity.cluster for e in told if e.tracklet == f"door/run/{n}"} for n in range(3)
    )
    assert first == again
    assert len(first) == 1
    assert first != other
    (name,) = first
    reply = stage.control(request("enrol", Enrol("Newcomer", unknown=name, consent="asked")))
    assert reply.ok, reply.error
    assert len(reply.result["person"]["templates"]) >= 2
    told = events(stage, *later(walk(3, 77), 3000))
    assert told[-1].identity.name == "Newcomer"
    assert told[-1].identity.cluster is None


def test_two_strangers_at_once_are_two_however_alike(stage: IdentifyStage) -> None:
    both = [
        embedded(25 * k, [embedding(unit(77), n, at_s=float(k)) for n in (0, 1)], seen=(0, 1))
        for k in range(2, 6)
    ]
    told = [e.identity for e in events(stage, *both) if e.identity]
    assert len({identity.cluster for identity in told if identity.answer == "unknown"}) == 2


def test_a_removed_person_is_nowhere_from_the_next_frame_on(tmp_path: Path) -> None:
    stage = stage_over(gallery_at(tmp_path / "g"))
    gallery: Gallery = stage._gallery
    log = tmp_path / "events.jsonl"
    *alive, _ = walk(0, 1)
    told = events(stage, *alive)
    assert told[-1].identity.name == "Person 1"
    log.write_bytes(b"".join(encode_event(event) + b"\n" for event in told))
    gallery.note_place(log, LOG)
    assert stage.control(request("enrol", Enrol("Person 1", track="door/run/0"))).ok
    secrets = [
        template.vector.data
        for life in stage._cameras["door"].lives.values()
        for template in life.templates()
    ]
    secrets.append(unit(1).tobytes())
    before = b"".join(path.read_bytes() for path in (tmp_path / "g").iterdir())
    assert all(secret in before for secret in secrets)
    reply = stage.control(request("remove", Change("Person 1", "consent-withdrawn")))
    assert reply.ok, reply.error
    told = events(stage, embedded(399), *later(walk(5, 1, by=0.25), 400), embedded(900, seen=(), ended=(0,)))
    assert not any(e.identity and e.identity.name == "Person 1" for e in told)
    stage.close()
    left = b"".join(path.read_bytes() for path in [*(tmp_path / "g").iterdir(), log])
    assert not any(secret in left for secret in secrets)
    assert b"Person 1" not in left
    assert reply.result["redacted"] == [{"path": str(log.resolve()), "events": 1, "removed": False}]


def test_every_request_is_answered_with_one_line_or_a_result(stage: IdentifyStage) -> None:
    for verb in ("alias", "note", "merge", "split", "drop", "expiry", "undo", "import", "export", "preview"):
        reply = stage.control(ControlRequest(f"gallery.{verb}", {"nonsense": 1}))
        assert not reply.ok
        assert "\n" not in reply.error
    assert stage.control(ControlRequest("gallery.undo", {})).ok
    assert stage.control(ControlRequest("gallery.expire", {})).result["people"] == 0
    assert stage.control(ControlRequest("gallery.compact", {})).ok
    assert not stage.control(ControlRequest("gallery.import", {"path": "/nowhere"})).ok
