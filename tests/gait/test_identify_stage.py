"""The identify stage tells the same story for the same input, and obeys the gallery at once."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gait.embedder import ModelInfo
from gait.gallery.desk import enrol_request
from gait.gallery.records import NewTemplate
from gait.gallery.store import Gallery
from gait.identify import DecisionConfig
from gait.identify_stage import IdentifyConfig, IdentifyStage
from gait.score_map import ScoreMap
from stream.errors import ConfigError, GalleryError, MessageError
from stream.events import encode_event
from stream.messages import (
    Array,
    ControlRequest,
    Embedded,
    Embedding,
    EndOfStream,
    Event,
    Identified,
    Tracked,
    TrackEnd,
    decode,
    encode,
)
from tests.strategies_gallery import (
    DIMENSION,
    MODEL,
    START_NS,
    embedding,
    frame,
    template,
    track,
    tracklet,
    unit,
)

INFO = ModelInfo("made-up", MODEL, DIMENSION)
MAP = ScoreMap(MODEL, -10.0, 14.0, 0.0, 100, 1000, "made up")
CONFIG = IdentifyConfig(decision=DecisionConfig(accept=0.9, release=0.5, min_samples=20), forget_s=5.0)
END = EndOfStream("door", "run", 500, START_NS)


def gallery_at(folder: Path, people: int = 3) -> Gallery:
    folder.mkdir(exist_ok=True)
    gallery = Gallery(folder / "g.db")
    for n in range(people):
        gallery.enrol(f"Person {n}", [template(n)])
    return gallery


def stage_over(gallery: Gallery, config: IdentifyConfig = CONFIG) -> IdentifyStage:
    return IdentifyStage(gallery, INFO, MAP, config, config_digest="c" * 8, engines={"precision": "f32"})


@pytest.fixture
def stage(tmp_path: Path) -> Iterable[IdentifyStage]:
    stage = stage_over(gallery_at(tmp_path))
    yield stage
    stage.close()


def embedded(
    number: int,
    embeddings: Sequence[Embedding] = (),
    *,
    seen: Sequence[int] = (0,),
    ended: Sequence[int] = (),
) -> Embedded:
    ends = tuple(TrackEnd(tracklet(n), START_NS, frame(number).captured_ns, "lost") for n in ended)
    return Embedded(frame(number), tuple(embeddings), tuple(track(n) for n in seen), ends)


def events(stage: IdentifyStage, *messages: Embedded) -> list[Event]:
    found: list[Event] = []
    for message in messages:
        (out,) = stage.handle(message)
        assert isinstance(out, Identified)
        assert out.frame == message.frame
        found += out.events
    return found


def walk(n: int, like: int, hops: int = 4, by: float = 0.3) -> list[Embedded]:
    """Track ``n`` shows somebody like person ``like`` for some hops, then ends."""
    messages = [
        embedded(25 * k, [embedding(unit(100 + k, near=unit(like), by=by), n, at_s=float(k))], seen=(n,))
        for k in range(2, 2 + hops)
    ]
    return [embedded(25, seen=(n,)), *messages, embedded(25 * (2 + hops), seen=(), ended=(n,))]


def test_somebody_known_comes_and_goes(stage: IdentifyStage) -> None:
    told = events(stage, *walk(0, 1))
    told += next(iter(stage.finish(END))).events
    assert [event.kind for event in told] == ["start", "new", "end", "stop"]
    assert [event.sequence for event in told] == [1, 2, 3, 4]
    start, new, end, stop = told
    assert start.details["precision"] == "f32"
    assert (start.model, start.gallery_epoch, start.config) == (MODEL, 3, "c" * 8)
    assert new.identity is not None
    assert (new.identity.name, new.identity.answer) == ("Person 1", "person")
    assert new.tracklet == "door/run/0"
    assert new.evidence is not None
    assert new.evidence.samples == 50
    assert end.evidence is not None
    assert end.evidence.samples > 50
    assert new.expires_ns == new.captured_ns + 10_000_000_000
    assert (stop.details["frames"], stop.details["reason"]) == (500, "finished")
    assert len({event.id for event in told}) == 4


def test_a_stranger_is_unknown(stage: IdentifyStage) -> None:
    told = events(stage, *walk(0, 77))
    assert [e.identity.answer for e in told if e.identity] == ["unknown", "unknown"]


def test_a_track_that_gave_no_evidence_ends_with_what_is_missing(stage: IdentifyStage) -> None:
    told = events(stage, embedded(0), embedded(1), embedded(2, ended=(0,)))
    assert [event.kind for event in told] == ["start", "end"]
    assert told[1].identity is not None
    assert told[1].identity.missing == "20 valid samples in one stretch"
    assert told[1].evidence is None


def test_a_guess_that_was_never_confirmed_is_not_told(stage: IdentifyStage) -> None:
    guess = Embedded(frame(0), (), (track(0, confirmed=False),))
    assert [e.kind for e in events(stage, guess, embedded(1, seen=(), ended=(0,)))] == ["start"]


def test_an_answer_that_does_not_change_is_not_repeated(stage: IdentifyStage) -> None:
    told = events(stage, *walk(0, 1, hops=20))
    assert [event.kind for event in told] == ["start", "new", "end"]


def test_an_answer_that_changes_is_told(stage: IdentifyStage) -> None:
    first = embedding(unit(500), 0, at_s=2.0, samples=25)
    later = [embedding(unit(1), 0, at_s=2.0 + 2 * k, samples=50) for k in range(1, 8)]
    told = events(stage, embedded(50, [first]), *(embedded(50 * (k + 2), [e]) for k, e in enumerate(later)))
    answers = [event.identity.answer for event in told if event.identity]
    assert answers[0] == "unknown"
    assert answers[-1] == "person"
    assert {event.kind for event in told[2:]} == {"update"}


def story(folder: Path) -> tuple[list[Embedded], IdentifyStage]:
    both = [
        embedded(
            25 * k,
            [
                embedding(unit(300 + k, near=unit(1), by=0.4), 0, at_s=float(k)),
                embedding(unit(400 + k, near=unit(2), by=0.8), 1, at_s=float(k)),
            ],
            seen=(0, 1, 2),
        )
        for k in range(2, 12)
    ]
    return [*both, embedded(300, seen=(0,), ended=(1, 2))], stage_over(gallery_at(folder))


def log(folder: Path) -> bytes:
    messages, stage = story(folder)
    told = events(stage, *(decode(encode(message)) for message in messages))
    told += [event for out in stage.finish(END) for event in out.events]
    stage.close()
    return b"\n".join(encode_event(event) for event in told)


def test_the_same_input_gives_the_same_bytes_and_no_time_of_ours(tmp_path: Path) -> None:
    first = log(tmp_path / "a")
    assert first == log(tmp_path / "b")
    assert first.count(b"\n") >= 5


def test_the_events_fit_the_log(stage: IdentifyStage) -> None:
    for event in events(stage, *walk(0, 1)):
        assert msgspec.json.decode(encode_event(event), type=Event) == event


def test_a_removed_person_is_matched_no_more_from_the_next_frame(stage: IdentifyStage) -> None:
    *alive, _ = walk(0, 1)
    assert events(stage, *alive)[-1].identity.name == "Person 1"
    assert stage.control(ControlRequest("gallery.remove", {"who": "Person 1"})).ok
    (event,) = events(stage, embedded(400))
    assert (event.kind, event.identity.answer, event.gallery_epoch) == ("update", "unknown", 4)


def test_a_live_track_can_be_given_a_name(stage: IdentifyStage) -> None:
    *alive, over = walk(0, 77)
    events(stage, *alive)
    reply = stage.control(enrol_request("Newcomer", track="door/run/0", consent="asked"))
    assert reply.ok, reply.error
    assert reply.result["person"]["templates"]
    told = events(stage, embedded(400), embedded(401), msgspec.structs.replace(over, frame=frame(402)))
    assert told[-1].identity.name == "Newcomer"


def test_a_finished_track_can_be_given_a_name(stage: IdentifyStage) -> None:
    events(stage, *walk(0, 77))
    listed = stage.control(ControlRequest("gallery.tracks")).result["tracks"]
    assert [(t["tracklet"], t["answer"], t["templates"] > 0) for t in listed] == [
        ("door/run/0", "unknown", True)
    ]
    assert stage.control(ControlRequest("gallery.epoch")).result["epoch"] == 3
    assert stage.control(enrol_request("Newcomer", track="door/run/0")).ok
    told = events(stage, *walk(5, 77))
    assert told[0].identity.name == "Newcomer"


def test_templates_can_be_enrolled_and_renamed_over_the_socket(stage: IdentifyStage) -> None:
    request = decode(encode(enrol_request("Newcomer", (template(77),))))
    assert isinstance(request, ControlRequest)
    assert stage.control(request).ok
    assert stage.control(ControlRequest("gallery.rename", {"who": "Newcomer", "name": "Nina"})).ok
    reply = decode(encode(stage.control(ControlRequest("gallery.list"))))
    assert [p["name"] for p in reply.result["people"]] == ["Person 0", "Person 1", "Person 2", "Nina"]
    assert events(stage, *walk(0, 77))[1].identity.name == "Nina"


BAD = [
    (ControlRequest("gallery.burn"), "gallery.burn"),
    (ControlRequest("status"), "knows no request"),
    (ControlRequest("gallery.remove", {"who": "Nobody"}), "nobody is called 'Nobody'"),
    (ControlRequest("gallery.remove", {"what": "x"}), "gallery.remove"),
    (ControlRequest("gallery.rename", {"who": "Person 1", "name": "Person 2"}), "called Person 2 already"),
    (ControlRequest("gallery.enrol", {"name": "A"}), "either templates or a track"),
    (ControlRequest("gallery.enrol", {"name": "A", "track": "door/run/9"}), "no recent track"),
    (ControlRequest("gallery.enrol", {"name": 7, "track": "door/run/9"}), "gallery.enrol"),
    (enrol_request("A", (template(1, "o" * 32),)), "a template is of model oooooooooooo"),
    (enrol_request("A", (NewTemplate(Array.of(np.full(16, np.nan, np.float32)), MODEL, 9, 0.5),)), "NaN"),
    (enrol_request("A", (NewTemplate(Array("float32", (16,), b""), MODEL, 9, 0.5),)), "damaged"),
]


@pytest.mark.parametrize(("request_", "line"), BAD, ids=[line for _, line in BAD])
def test_bad_requests_get_one_line_and_change_nothing(stage, request_: ControlRequest, line: str) -> None:
    reply = stage.control(request_)
    assert not reply.ok
    assert line in reply.error
    assert "\n" not in reply.error
    assert stage.control(ControlRequest("gallery.epoch")).result["epoch"] == 3


def test_a_gallery_of_another_model_is_refused(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1, "o" * 32)])
        with pytest.raises(GalleryError, match="its templates are of model oooo"):
            stage_over(gallery)
        with pytest.raises(ConfigError, match="score map"):
            IdentifyStage(gallery, ModelInfo("x", "o" * 32, DIMENSION), MAP)


def test_embeddings_of_another_model_are_refused(stage: IdentifyStage) -> None:
    with pytest.raises(GalleryError, match="of model oooo"):
        events(stage, embedded(0, [embedding(unit(1), model="o" * 32)]))
    with pytest.raises(GalleryError, match=r"shape \(8,\)"):
        events(stage, embedded(0, [embedding(unit(1, 8))]))
    with pytest.raises(MessageError, match="got a Tracked"):
        stage.handle(Tracked(frame(0), ()))


def test_a_window_of_nan_is_counted_and_forgotten(stage: IdentifyStage) -> None:
    nan = np.full(DIMENSION, np.nan, np.float32)
    told = events(stage, embedded(50, [embedding(nan)]), *walk(0, 1))
    told += next(iter(stage.finish(END))).events
    assert told[-1].details["refused_embeddings"] == 1
    assert told[1].identity.name == "Person 1"


def test_a_track_whose_end_is_never_announced_ends_in_time(stage: IdentifyStage) -> None:
    *alive, _ = walk(0, 1)
    events(stage, *alive)
    told = [events(stage, embedded(k, seen=())) for k in range(126, 260)]
    assert [e.kind for e in told[-1] or [e for row in told for e in row]] == ["end"]


def test_a_new_run_of_a_camera_ends_the_old_one(stage: IdentifyStage) -> None:
    *alive, _ = walk(0, 1)
    events(stage, *alive)
    told = events(stage, Embedded(frame(0, run="second"), ()))
    assert [(e.kind, e.run) for e in told] == [("end", "run"), ("stop", "run"), ("start", "second")]
    assert [e.sequence for e in told] == [3, 4, 5]


def test_frames_that_were_dropped_while_somebody_was_there_are_told_at_their_end(
    stage: IdentifyStage,
) -> None:
    told = events(stage, *(embedded(number) for number in (0, 1, 4, 5, 9)), embedded(10, ended=(0,)))
    (end,) = [event for event in told if event.kind == "end"]
    assert end.details == {"missed_frames": 2 + 3}


def test_overload_is_told_when_it_comes_when_it_changes_and_when_it_goes(stage: IdentifyStage) -> None:
    told = []
    for number, load in enumerate((0, 1, 1, 2, 0, 0)):
        message = embedded(number, seen=())
        message = msgspec.structs.replace(message, frame=msgspec.structs.replace(message.frame, load=load))
        told += [(event.kind, event.captured_ns, dict(event.details)) for event in events(stage, message)]
    assert [kind for kind, *_ in told] == ["start", "load", "load", "load"]
    assert [at for _, at, _ in told[1:]] == [frame(number).captured_ns for number in (1, 3, 4)]
    assert [details for *_, details in told[1:]] == [
        {"level": 1, "searched_one_in": 4, "seen_one_in": 1},
        {"level": 2, "searched_one_in": 4, "seen_one_in": 4},
        {"level": 0, "searched_one_in": 1, "seen_one_in": 1},
    ]


def test_cameras_number_their_events_apart(stage: IdentifyStage) -> None:
    yard = Embedded(frame(0, "yard"), (), (track(0, camera="yard"),))
    told = events(stage, embedded(0), yard)
    assert [(e.camera, e.sequence) for e in told] == [("door", 1), ("yard", 1)]
    assert list(stage.finish(EndOfStream("garage", "run", 0, 0))) == []


@pytest.mark.parametrize("name", ["update_step", "event_ttl_s", "forget_s", "retain_tracks_s"])
def test_a_config_without_sense_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        IdentifyConfig(**{name: -1.0})


def test_tracks_are_not_kept_where_nothing_is_to_be_kept(tmp_path: Path) -> None:
    stage = stage_over(gallery_at(tmp_path), IdentifyConfig(retain_tracks_s=0))
    events(stage, *walk(0, 1))
    assert not stage.control(ControlRequest("gallery.tracks")).result["tracks"]
    stage.close()
