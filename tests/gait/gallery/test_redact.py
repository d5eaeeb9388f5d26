"""A removed person is blotted out of event logs in place, and traces of their runs are gone."""

from pathlib import Path

import pytest

from gait.gallery.redact import LOG, TRACE, Redacted, redact
from stream.errors import GalleryError
from stream.events import EventLog, encode_event, read_events, sealed
from stream.messages import Event, Identity

NAMES = ["Ada", "Zoë Ångström", 'Quo"te', "back\\slash", "名前"]


def event(sequence: int, person: str | None, name: str | None, run: str = "run") -> Event:
    answer = "person" if person else "unknown"
    bare = Event(
        "",
        "new",
        "door",
        run,
        0,
        5,
        tracklet=f"door/{run}/{sequence}",
        identity=Identity(answer, person, name),
    )
    return sealed(bare, sequence)


def written(path: Path, *events: Event) -> Path:
    path.write_bytes(b"".join(encode_event(one) + b"\n" for one in events))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_blotted_out_and_all_else_stays(tmp_path: Path, name: str) -> None:
    told = [
        event(1, "p000001", name),
        event(2, "p000002", "Ben"),
        event(3, None, None),
        event(4, "p000001", name),
    ]
    log = written(tmp_path / "events.jsonl", *told)
    before = log.read_bytes()
    assert redact([(str(log), LOG)], "p000001") == [Redacted(str(log), 2)]
    after = log.read_bytes()
    assert len(after) == len(before)
    assert b"p000001" not in after
    assert encode_event(told[1]) in after
    kept = list(read_events(log))
    assert [one.sequence for one in kept] == [1, 2, 3, 4]
    assert set(kept[0].identity.name) == {"*"}
    assert name not in {one.identity.name for one in kept}
    assert redact([(str(log), LOG)], "p000001") == []


def test_a_log_that_is_being_written_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path, fresh=True)
    log.append([encode_event(event(1, "p000001", "Ada"))])
    redact([(str(path), LOG)], "p000001")
    log.append([encode_event(event(2, "p000002", "Ben"))])
    log.close()
    assert [one.identity.name for one in read_events(path)] == ["***", "Ben"]


def test_logs_of_earlier_runs_are_reached_too(tmp_path: Path) -> None:
    for name in ("events.jsonl", "events.1.jsonl", "events.2.jsonl", "other.jsonl"):
        written(tmp_path / name, event(1, "p000001", "Ada"))
    redact([(str(tmp_path / "events.jsonl"), LOG)], "p000001")
    left = [path.name for path in sorted(tmp_path.iterdir()) if b"Ada" in path.read_bytes()]
    assert left == ["other.jsonl"]


def test_traces_go_only_where_the_person_was(tmp_path: Path) -> None:
    places = []
    for folder, person in (("seen", "p000001"), ("not", "p000002"), ("enrolled", None)):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "events.jsonl", event(1, person, "Ada", run=folder))
        (tmp_path / folder / "embed.trace").write_bytes(b"vectors")
        places += [
            (str(tmp_path / folder / "events.jsonl"), LOG),
            (str(tmp_path / folder / "embed.trace"), TRACE),
        ]
    done = redact(places, "p000001", ["door/enrolled/9"])
    assert {Path(one.path).parent.name for one in done if one.removed} == {"seen", "enrolled"}
    assert (tmp_path / "not" / "embed.trace").exists()


def test_a_log_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    assert redact([(str(tmp_path / "nowhere.jsonl"), LOG), (str(tmp_path / "x.trace"), TRACE)], "p1") == []


def test_a_line_that_is_no_event_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b'{"person":"p000001"}\n"p000001" torn')
    assert redact([(str(log), LOG)], "p000001") == []
    assert b"torn" in log.read_bytes()


def test_a_log_that_is_a_folder_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(GalleryError, match="cannot be redacted"):
        redact([(str(tmp_path / "events.jsonl"), LOG)], "p000001")
