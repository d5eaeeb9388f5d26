"""The books: they add up, name every cause, and survive the death of whoever wrote them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import MessageError, ResourceError
from stream.ledger import Count, Drop, Ledger, LedgerReport
from tests.stream.leaks import no_leaks

__all__ = ["no_leaks"]
STAGES = ("source", "perceive", "publish")


@pytest.fixture
def ledger(tmp_path: Path):
    made = Ledger.create(tmp_path / "ledger", STAGES, ["door", "yard"])
    yield made
    made.close()


def test_captured_is_processed_plus_dropped_plus_lost(ledger: Ledger) -> None:
    ledger.stage("source").count("door", Count.CAPTURED, 10)
    ledger.stage("source").count("door", Drop.RING_FULL, 2)
    ledger.stage("perceive").count("door", Drop.STALE)
    ledger.stage("publish").count("door", Count.HANDLED, 6)
    door, yard = ledger.balance().cameras
    assert (door.captured, door.processed, door.dropped, door.lost) == (
        10,
        6,
        {"ring_full": 2, "stale": 1},
        1,
    )
    assert yard.ok
    assert not ledger.balance().ok
    assert str(door) == "door: 10 captured = 6 processed + 3 dropped (2 ring_full, 1 stale) + 1 lost"


def test_while_running_what_is_missing_is_in_flight(ledger: Ledger) -> None:
    ledger.stage("source").count("door", Count.CAPTURED, 3)
    running = ledger.balance(running=True)
    assert running.ok
    assert running.cameras[0].in_flight == 3
    assert "3 in flight" in str(running)


def test_more_processed_than_captured_is_not_ok(ledger: Ledger) -> None:
    ledger.stage("publish").count("door", Count.HANDLED)
    assert not ledger.balance().ok


def test_the_report_survives_json(ledger: Ledger) -> None:
    ledger.stage("perceive").count("door", Count.RECEIVED, 4)
    report = ledger.balance()
    assert msgspec.json.decode(msgspec.json.encode(report), type=LedgerReport) == report
    assert report.cameras[0].hops["perceive"] == (4, 0, 0)


def test_what_no_camera_owns_is_counted_apart(ledger: Ledger) -> None:
    ledger.stage("perceive").count("nobody's", Count.ERRORS)
    report = ledger.balance()
    assert (report.foreign, [camera.errors for camera in report.cameras]) == (1, [0, 0])
    assert "1 messages refused" in str(report)


def test_two_openers_see_the_same_counts(ledger: Ledger) -> None:
    other = Ledger.open(ledger.path)
    other.stage("source").count("yard", Count.CAPTURED, 5)
    assert ledger.stage("source").value("yard", Count.CAPTURED) == 5
    other.close()


def test_counts_survive_kill_9(ledger: Ledger) -> None:
    code = (
        "import os, sys; from pathlib import Path; from stream.ledger import Count, Ledger\n"
        "rows = Ledger.open(Path(sys.argv[1])).stage('source')\n"
        "for _ in range(1000): rows.count('door', Count.CAPTURED)\n"
        f"os.kill(os.getpid(), {int(signal.SIGKILL)})"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(ledger.path)], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    assert ledger.balance().cameras[0].lost == 1000


@given(st.lists(st.tuples(st.sampled_from(STAGES), st.sampled_from([*Count, *Drop]), st.integers(1, 9))))
def test_the_books_always_balance(tmp_path_factory: pytest.TempPathFactory, counts: list) -> None:
    ledger = Ledger.create(tmp_path_factory.mktemp("books") / "ledger", STAGES, ["door"])
    for stage, what, n in counts:
        ledger.stage(stage).count("door", what, n)
    books = ledger.balance().cameras[0]
    assert books.captured == books.processed + sum(books.dropped.values()) + books.lost
    assert books.captured == sum(
        n for stage, what, n in counts if (stage, what) == ("source", Count.CAPTURED)
    )
    assert books.errors == sum(n for _, what, n in counts if what is Count.ERRORS)
    ledger.close()


@pytest.mark.parametrize(
    "content", [b"", b"GAITLEDG", b"x" * 4096, b"GAITLEDG" + bytes(200), b"GAITLEDG" + b"\xff" * 200]
)
def test_a_damaged_ledger_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger").write_bytes(content)
    with pytest.raises(MessageError, match="ledger"):
        Ledger.open(tmp_path / "ledger")


def test_a_ledger_without_a_row_for_strays_is_refused(ledger: Ledger) -> None:
    whole = ledger.path.read_bytes()
    other = ledger.path.with_name("other")
    other.write_bytes(whole.replace(b',""]', b"   ]", 1))
    with pytest.raises(MessageError, match="damaged ledger"):
        Ledger.open(other)


def test_a_ledger_cut_short_is_refused(ledger: Ledger) -> None:
    whole = ledger.path.read_bytes()
    cut = ledger.path.with_name("cut")
    cut.write_bytes(whole[:-8])
    with pytest.raises(MessageError, match="damaged ledger"):
        Ledger.open(cut)


def test_no_ledger_and_no_room_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="Start the pipeline first"):
        Ledger.open(tmp_path / "none")
    with pytest.raises(ResourceError, match="cannot be written"):
        Ledger.create(tmp_path / "no" / "folder", STAGES, [])


def test_a_stage_the_ledger_does_not_know_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ResourceError, match="no stage 'track'; wanted source, perceive, publish"):
        ledger.stage("track")


@pytest.mark.usefixtures("no_leaks")
def test_a_closed_ledger_holds_nothing(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger", STAGES, ["door"])
    ledger.balance()
    ledger.close()
