"""The event log: the same events are the same bytes, and what was written stays readable."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import MessageError, ResourceError
from stream.events import EventLog, canonical, decode_event, encode_event, event_id, read_events, sealed
from stream.messages import Continuation, Event, Evidence, Identity
from tests.strategies_stream import events

ROOT = Path(__file__).parents[2]


def event(sequence: int = 1, camera: str = "door", **changes: object) -> Event:
    return msgspec.structs.replace(sealed(Event("", "new", camera, "run1", 0, 5), sequence), **changes)


def write(path: Path, *made: Event, fresh: bool = True) -> EventLog:
    log = EventLog(path, fresh=fresh)
    log.append(encode_event(one) for one in made)
    return log


def test_the_line_of_an_event_is_pinned() -> None:
    made = Event(
        "",
        "update",
        "door",
        "run1",
        0,
        946684800000000000,
        tracklet="door/run1/3",
        identity=Identity("person", "p1", "Ada", 0.123456789, -0.00001),
        evidence=Evidence(1, 2, 3, 0.98765432, (1.04, 2.06, -0.01, 4)),
        details={"b": 1, "a": 0.1 + 0.2},
    )
    assert encode_event(sealed(made, 7)) == (
        b'{"type":"event","id":"' + sealed(made, 7).id.encode() + b'","kind":"update","camera":"door",'
        b'"run":"run1","sequence":7,"captured_ns":946684800000000000,"tracklet":"door/run1/3",'
        b'"identity":{"answer":"person","person":"p1","name":"Ada","probability":0.1235,"margin":0.0,"missing":null,"cluster":null},'
        b'"evidence":{"start_ns":1,"end_ns":2,"samples":3,"quality":0.9877,"box":[1.0,2.1,0.0,4.0]},'
        b'"model":null,"gallery_epoch":null,"config":null,"expires_ns":null,"details":{"a":0.3,"b":1},"version":1,"link":null}'
    )


def test_the_line_of_a_link_is_pinned() -> None:
    link = Continuation("hall/run1/7", 3.24567, 0.211119, 0.98765432)
    made = Event("", "link", "door", "run1", 0, 5, tracklet="door/run1/3", link=link)
    assert b'"tracklet":"door/run1/3"' in encode_event(sealed(made, 7))
    assert encode_event(sealed(made, 7)).endswith(
        b'"link":{"earlier":"hall/run1/7","gap_s":3.246,"distance":0.2111,"confidence":0.9877,"reason":null}}'
    )


def test_a_line_from_before_there_were_links_is_still_read() -> None:
    line = encode_event(sealed(Event("", "new", "door", "run1", 0, 5), 7))
    assert decode_event(line.replace(b',"link":null', b"")) == decode_event(line)


@given(events)
def test_writing_what_was_read_gives_the_same_bytes(made: Event) -> None:
    data = encode_event(made)
    assert encode_event(decode_event(data)) == data
    assert canonical(canonical(made)) == canonical(made)


@given(events, st.integers(1, 1000), st.integers(1, 1000))
def test_an_id_is_blind_to_the_place_in_the_log(made: Event, first: int, second: int) -> None:
    assert sealed(made, first).id == sealed(made, second).id == event_id(sealed(made, first))


@given(events, events)
def test_different_events_have_different_ids(one: Event, other: Event) -> None:
    same = encode_event(msgspec.structs.replace(one, sequence=1)) == encode_event(
        msgspec.structs.replace(other, sequence=1)
    )
    assert (event_id(one) == event_id(other)) == same


def test_a_difference_below_the_written_digits_makes_no_difference() -> None:
    pair = [event(identity=Identity("unknown", probability=0.5 + tiny)) for tiny in (0.0, 1e-7)]
    assert event_id(pair[0]) == event_id(pair[1])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    for broken in (
        event(identity=Identity("unknown", probability=value)),
        event(evidence=Evidence(1, 2, 3, value)),
        event(evidence=Evidence(1, 2, 3, 0.5, (0.0, value, 1.0, 1.0))),
        event(details={"speed": value}),
    ):
        with pytest.raises(MessageError, match="finite"):
            encode_event(broken)


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"hello", b"\xff", b'{"type":"people"}', b"[" * 5000])
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(MessageError, match="not an event"):
        decode_event(line)


def test_another_schema_version_is_refused_by_name() -> None:
    line = json.loads(encode_event(event())) | {"version": 2}
    with pytest.raises(MessageError, match="version 2; wanted version 1"):
        decode_event(json.dumps(line).encode())


def test_a_log_holds_one_line_per_event_in_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "events.jsonl"
    made = [event(n) for n in (1, 2, 3)]
    write(path, *made).close()
    assert list(read_events(path)) == made
    assert path.read_bytes() == b"".join(encode_event(one) + b"\n" for one in made)


def test_lines_are_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    log = write(tmp_path / "log", event())
    assert list(read_events(tmp_path / "log")) == [event()]
    log.close()
    log.close()


def test_a_fresh_log_begins_empty_and_an_old_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, event(1), event(2), event(1, "gate")).close()
    log = write(path, event(3), fresh=False)
    assert log.last_sequence == {"door": 2, "gate": 1}
    assert log.note == ""
    log.close()
    assert [one.sequence for one in read_events(path)] == [1, 2, 1, 3]
    write(path, event(9)).close()
    assert [one.sequence for one in read_events(path)] == [9]


@given(st.integers(1, len(encode_event(event(2)))))
def test_a_torn_last_line_is_cut_off_and_said(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "log"
    write(path, event(1), event(2)).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert [one.sequence for one in read_events(path)] == [1]
    log = write(path, event(2), fresh=False)
    assert "cut off" in log.note
    log.close()
    assert path.read_bytes() == whole


def test_damage_before_the_last_line_is_refused_and_nothing_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, event(1), event(2)).close()
    data = b"x" + path.read_bytes()
    path.write_bytes(data)
    with pytest.raises(MessageError, match=r"log: damaged at byte 0: not an event"):
        EventLog(path, fresh=False)
    assert path.read_bytes() == data


def test_a_line_without_end_is_refused_and_nothing_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 2_000_000)
    with pytest.raises(MessageError, match="a line of more than"):
        EventLog(path, fresh=False)
    assert path.stat().st_size == 2_000_000


def test_a_full_disk_leaves_whole_lines_and_one_clear_error(tmp_path: Path) -> None:
    """In a child: the limit on file size stands for the disk."""
    path = tmp_path / "log"
    script = (
        "import sys; from pathlib import Path; from stream.events import EventLog\n"
        "from stream.errors import ResourceError\n"
        "log = EventLog(Path(sys.argv[1]), fresh=True)\n"
        "line = b'x' * 299\n"
        "try:\n"
        "    while True: log.append([line, line])\n"
        "except ResourceError as error: sys.stderr.write(str(error))\n"
        "log.close()\n"
    )
    limit = 10_000
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 0
    assert "cannot be written (File too large)" in done.stderr
    assert "\n" not in done.stderr
    assert path.stat().st_size == limit // 600 * 600  # whole pairs of lines only


def test_a_device_without_space() -> None:
    log = EventLog(Path("/dev/full"), fresh=True)
    with pytest.raises(ResourceError, match="No space left"):
        log.append([b"line"])
    log.close()


def test_two_pipelines_cannot_write_one_log(tmp_path: Path) -> None:
    log = write(tmp_path / "log", event())
    with pytest.raises(ResourceError, match="another pipeline writes"):
        EventLog(tmp_path / "log", fresh=True)
    assert list(read_events(tmp_path / "log")) == [event()]
    log.close()


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot be opened"):
        EventLog(tmp_path, fresh=True)
    with pytest.raises(ResourceError, match="no event log"):
        list(read_events(tmp_path / "nothing"))
