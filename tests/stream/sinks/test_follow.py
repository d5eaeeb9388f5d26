"""The log as a queue: every event in order, none lost over kills, what may have arrived said so, a bound kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.errors import MessageError, ResourceError
from stream.sinks.config import SinkConfig
from stream.sinks.follow import Cursor, Follower
from stream.sinks.run import chooser, cursor_file
from tests.stream.sinks.logs import Log, follower


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path / "events.jsonl")
    yield made
    made.close()


def taken(found: Follower, most: int = 100) -> list[str]:
    """Look, take what waits and settle it; the ids."""
    found.look()
    batch = found.next(most)
    if batch:
        found.trying(batch)
        found.settled(batch)
    return [waiting.id for waiting in batch]


def test_events_come_in_order_and_once(tmp_path: Path, log: Log) -> None:
    found = follower(tmp_path)
    assert taken(found) == []
    log.add(3)
    assert taken(found, 2) == log.ids[:2]
    log.add(2)
    assert taken(found) == log.ids[2:]
    assert taken(found) == []
    found.close()


def test_a_follower_that_is_killed_goes_on_and_says_what_may_have_arrived(tmp_path: Path, log: Log) -> None:
    log.add(4)
    first = follower(tmp_path)
    first.look()
    batch = first.next(1)
    first.trying(batch)
    first.settled(batch)
    first.trying(first.next(2))  # and is killed before it knows
    second = follower(tmp_path)
    second.look()
    assert [(one.id, one.replayed) for one in second.next(10)] == [
        *((log.ids[1], True), (log.ids[2], True), (log.ids[3], False))
    ]
    first.close()
    second.close()


def test_beyond_what_may_wait_the_oldest_are_let_go_and_counted(tmp_path: Path, log: Log) -> None:
    found = follower(tmp_path, behind=5)
    log.add(12)
    found.look()
    assert (found.waiting, found.let_go) == (5, 7)
    assert taken(found) == log.ids[7:]
    found.close()
    again = follower(tmp_path)
    assert taken(again) == []  # what was let go does not come back
    again.close()


def test_only_what_is_wanted_waits_and_the_cursor_moves_past_the_rest(tmp_path: Path, log: Log) -> None:
    wanted = chooser(SinkConfig(cameras=("gate",), kinds=("new", "end")))
    found = follower(tmp_path, wanted=wanted)
    log.add(2)
    log.add(1, "gate", "update")
    log.add(1, "gate", "new")
    assert taken(found) == [log.ids[3]]
    log.add(3)
    assert taken(found) == []
    assert Cursor(cursor_file(tmp_path, "sink")).delivered == log.path.stat().st_size
    found.close()


def test_a_line_that_is_not_whole_is_waited_for(tmp_path: Path, log: Log) -> None:
    log.add(1)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-10])
    found = follower(tmp_path)
    assert taken(found) == []
    log.path.write_bytes(whole)
    assert taken(found) == log.ids
    found.close()


def test_what_a_full_disk_made_the_publisher_take_back_is_no_event(tmp_path: Path, log: Log) -> None:
    log.add(3)
    found = follower(tmp_path)
    found.look()
    size = len(log.path.read_bytes().splitlines(keepends=True)[0])
    os.truncate(log.path, size)
    found.look()
    assert found.waiting == 1
    assert taken(found) == log.ids[:1]
    found.close()


def test_a_name_that_was_blotted_out_meanwhile_is_not_sent(tmp_path: Path, log: Log) -> None:
    log.add(1)
    found = follower(tmp_path)
    found.look()
    log.path.write_bytes(log.path.read_bytes().replace("Ada Ünal".encode(), b"*" * 9))
    assert b"Ada" not in found.next(1)[0].line
    found.close()


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    found = follower(tmp_path)
    assert taken(found) == []
    log = Log(tmp_path / "events.jsonl")
    log.add(1)
    assert taken(found) == log.ids
    log.close()
    found.close()


def test_a_damaged_cursor_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"nothing of ours")
    with pytest.raises(MessageError, match="damaged cursor"):
        Cursor(tmp_path / "a")
    with pytest.raises(ResourceError, match="no cursor"):
        Cursor(tmp_path / "b")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["add", "add", "try", "settle", "kill"]), max_size=40), st.integers(1, 4))
def test_whatever_happens_nothing_is_lost_and_every_repetition_is_said(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], most: int
) -> None:
    folder = tmp_path_factory.mktemp("follow")
    log, found = Log(folder / "events.jsonl"), follower(folder)
    arrived: list[str] = []
    batch = []
    for step in [*steps, "kill", *(["try", "settle"] * 40)]:
        if step == "add":
            log.add(1)
        elif step == "try":
            found.look()
            batch = found.next(most)
            if batch:
                found.trying(batch)
                for waiting in batch:
                    assert waiting.id not in arrived or waiting.replayed
                    arrived.append(waiting.id)
        elif step == "settle" and batch:
            found.settled(batch)
            batch = []
        elif step == "kill":
            found.close()
            found, batch = follower(folder), []
    found.close()
    log.close()
    assert list(dict.fromkeys(arrived)) == log.ids
