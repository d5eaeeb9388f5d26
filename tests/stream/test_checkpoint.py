"""Checkpoints: whole or not there, kept by the sender until covered, and who is started again, how often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from stream import restarts, strays
from stream.bus import Inlet, Outlet, Sent
from stream.checkpoint import Checkpoint, Counting, Keeper, Remembered, forget, fresh_folder, read_checkpoint
from stream.errors import MessageError, ResourceError, StageDiedError
from stream.messages import EndOfStream, Event
from stream.restarts import Heartbeats, Restarts
from stream.runner import Notice, StagePlan
from stream.sockets import Limits
from tests.stream.leaks import no_leaks

__all__ = ["no_leaks"]


class Stage:
    def __init__(self) -> None:
        self._seen: dict[str, int] = {"a": 1}


def keeper(folder: Path, stage: Stage) -> Keeper:
    return Keeper(folder, "stage", Remembered(stage, ("_seen",)), every_s=60.0, every=3)


def checkpoint(stage: Stage) -> Checkpoint:
    return Checkpoint(Remembered(stage, ("_seen",)).save(), ("door",), {"door": ("r", 4)}, kept=(b"x",))


def test_a_stage_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    first = Stage()
    first._seen["a"] = 7
    keeper(tmp_path, first).save(checkpoint(first))
    second = Stage()
    restored = keeper(tmp_path, second).restored
    assert second._seen == {"a": 7}
    assert (restored.open, restored.frames, restored.kept) == (("door",), {"door": ("r", 4)}, (b"x",))
    assert (tmp_path / "stage.checkpoint").stat().st_mode & 0o077 == 0


def test_a_checkpoint_is_due_after_so_many_messages_and_never_without_any(tmp_path: Path) -> None:
    kept = keeper(tmp_path, Stage())
    assert not kept.due(False)
    assert [kept.due(True) for _ in range(3)] == [False, False, True]
    kept.save(checkpoint(Stage()))
    assert not kept.due(False)


@pytest.mark.parametrize("data", [b"", b"\xc1", msgspec.msgpack.encode({"memory": 1}), b"x" * 100])
def test_a_damaged_checkpoint_is_one_clear_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "stage.checkpoint").write_bytes(data)
    with pytest.raises(MessageError, match="damaged checkpoint"):
        keeper(tmp_path, Stage())


def test_a_checkpoint_of_another_release_is_refused(tmp_path: Path) -> None:
    other = msgspec.structs.replace(checkpoint(Stage()), version=99)
    (tmp_path / "stage.checkpoint").write_bytes(msgspec.msgpack.encode(other))
    with pytest.raises(MessageError, match="version 99"):
        read_checkpoint(tmp_path, "stage")


def test_a_folder_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    kept = keeper(tmp_path, Stage())
    with pytest.raises(ResourceError, match="the checkpoint cannot be written"):
        Keeper(tmp_path / "gone", "stage", kept.memory, every_s=1.0).save(checkpoint(Stage()))


def test_checkpoints_are_emptied_kept_and_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    fresh_folder(folder, keep=False)
    (folder / "x").touch()
    fresh_folder(folder, keep=True)
    assert (folder / "x").exists()
    fresh_folder(folder, keep=False)
    assert list(folder.iterdir()) == []
    forget(folder)
    forget(folder)
    assert not folder.exists()


def test_events_that_the_log_holds_are_not_new() -> None:
    counting = Counting({"door": 2})
    event = Event("", "update", "door", "r", 0, 0)
    assert counting.is_new(event), "a pipeline that goes on after an earlier one"
    again = Counting({"door": 4})
    again.load(Counting({"door": 2}).save())
    assert [again.is_new(event) for _ in range(3)] == [False, False, True]


def end(number: int) -> EndOfStream:
    return EndOfStream("door", "r", number, 0)


def receive_all(inlet: Inlet, outlet: Outlet, count: int) -> list[int]:
    found: list[int] = []
    until_s = time.monotonic() + 30
    while len(found) < count and time.monotonic() < until_s:
        message = inlet.receive(0.05)
        if message is not None:
            found.append(message.frames)
        outlet.tend()
    return found


@pytest.mark.usefixtures("no_leaks")
def test_what_no_checkpoint_covers_is_sent_again_to_who_went_back(tmp_path: Path) -> None:
    endpoint, limits = f"ipc://{tmp_path}/hop.sock", Limits(8, linger_s=0.2)
    outlet = Outlet(endpoint, limits=limits, durable=Sent(b"track"))
    first = Inlet(endpoint, limits=limits)
    for number in range(6):
        outlet.send(end(number))
    assert receive_all(first, outlet, 3) == [0, 1, 2]
    covered = first.positions()
    assert covered == {b"track": 3}
    first.cover(covered)
    assert receive_all(first, outlet, 3) == [3, 4, 5]
    first.close()
    second = Inlet(endpoint, limits=limits, positions=covered)
    assert receive_all(second, outlet, 3) == [3, 4, 5]
    second.cover(second.positions())
    until_s = time.monotonic() + 30
    while outlet.sent.kept and time.monotonic() < until_s:
        outlet.tend()
        time.sleep(0.01)
    assert outlet.sent == Sent(b"track", 6, ())
    outlet.close()
    second.close()


@pytest.mark.usefixtures("no_leaks")
def test_what_a_sender_says_twice_is_heard_once(tmp_path: Path) -> None:
    endpoint, limits = f"ipc://{tmp_path}/hop.sock", Limits(8, linger_s=0.2)
    inlet = Inlet(endpoint, limits=limits)
    first = Outlet(endpoint, limits=limits, durable=Sent(b"track"))
    for number in range(3):
        first.send(end(number))
    assert receive_all(inlet, first, 3) == [0, 1, 2]
    kept = first.sent.kept
    first.close()
    second = Outlet(endpoint, limits=limits, durable=Sent(b"track", 0, kept[:1]))
    for number in (1, 2, 3):  # computed again from a checkpoint after the first message, and one more
        second.send(end(number))
    assert receive_all(inlet, second, 1) == [3]
    second.close()
    inlet.close()


def plans() -> dict[str, StagePlan]:
    made = [
        StagePlan("source-a", argv=("x",), source=True, restarts=2, group="capture", before="perceive"),
        StagePlan("perceive", argv=("x",), restarts=2, group="capture", before="track"),
        StagePlan("track", argv=("x",), restarts=2),
    ]
    return {plan.name: plan for plan in made}


def died(name: str, status: int = -9) -> Notice:
    return Notice(name, "ended", exit_status=status)


def test_kills_and_defects_are_mended_and_lasting_errors_are_not() -> None:
    known = Restarts(plans())
    assert known.allowed(died("track"))
    assert not known.allowed(died("track", ResourceError.exit_status))
    assert known.allowed(died("track", StageDiedError.exit_status))
    assert not known.allowed(died("track")), "twice a minute, no more"


def test_after_a_quiet_minute_a_stage_may_die_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(restarts.time, "monotonic", lambda: now[0])
    known = Restarts(plans())
    assert [known.allowed(died("track")) for _ in range(3)] == [True, True, False]
    now[0] += restarts.WINDOW_S + 1
    assert known.allowed(died("track"))


def test_a_group_is_started_again_when_all_of_it_have_ended() -> None:
    known = Restarts(plans())
    assert known.group("source-a") == ["source-a", "perceive"]
    assert not known.begin("perceive", ["source-a"])
    assert known.awaited("source-a")
    assert known.gone("source-a") == "perceive"
    known.started("perceive")
    assert not known.awaited("source-a")
    assert known.begin("track", [])


def test_who_feeds_a_stage_that_ended_well_is_needless() -> None:
    known = Restarts(plans())
    assert not known.needless("perceive")
    known.finished("track")
    assert known.needless("perceive")


def test_silence_is_told_from_our_own_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(restarts.time, "monotonic", lambda: now[0])
    beats = Heartbeats(2.0)
    beats.heard("a")
    beats.heard("b")
    for _ in range(25):
        now[0] += 0.1
        beats.heard("b")
        silent = beats.silent(dict.fromkeys(("a", "b", "never-heard"), 2**22 + 1))  # nobody to feel
    assert silent == ["a"]
    now[0] += 100.0
    assert beats.silent(dict.fromkeys("ab", 2**22 + 1)) == [], "it was us who slept"


def test_what_a_dead_supervisor_left_is_ended_and_nobody_else(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    left, other = subprocess.Popen(sleeper), subprocess.Popen(sleeper)
    try:
        strays.note(tmp_path, {"track": left.pid})
        os.kill(left.pid, signal.SIGSTOP)
        assert strays.end(tmp_path) == 1
        assert left.wait(10) == -signal.SIGKILL
        assert other.poll() is None
        assert strays.end(tmp_path) == 0
        assert strays.end(tmp_path / "nowhere") == 0
    finally:
        for process in (left, other):
            process.kill()
            process.wait()
