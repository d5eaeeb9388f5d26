"""Late frames are let go with their slot; under overload the least important cameras are thinned, and given back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from stream.frames import FrameReader, FrameWriter
from stream.ledger import Drop
from stream.messages import FrameMessage, FrameRef
from stream.punctual import (
    FALL_S,
    KEPT_ONE_IN,
    RISE_S,
    Budget,
    EasedStage,
    Overload,
    PunctualFrames,
    SkippedFrameError,
)
from stream.stage import PassiveStage

S = 1_000_000_000


def test_a_late_frame_is_let_go_and_its_slot_is_free(tmp_path: Path) -> None:
    writer, now = FrameWriter("door", slots=2, folder=tmp_path), [10 * S]
    frames = PunctualFrames(FrameReader(folder=tmp_path), {"door": Budget(1.0, 5)}, lambda: now[0])
    image = np.zeros((48, 64, 3), np.uint8)
    old, young = (
        writer.write(FrameRef("door", "r", n, at, at, 64, 48), image)
        for n, at in enumerate((8 * S, 9 * S + 1))
    )
    with pytest.raises(SkippedFrameError) as caught, frames.lease(old):
        pytest.fail("leased")
    assert caught.value.cause is Drop.LATE
    with frames.lease(young) as seen:
        assert seen.shape == (48, 64, 3)
    assert writer.outstanding() == []
    frames.close()
    writer.close()


def test_a_camera_without_a_budget_waits_for_ever(tmp_path: Path) -> None:
    writer = FrameWriter("file", slots=1, folder=tmp_path)
    frames = PunctualFrames(FrameReader(folder=tmp_path), {})
    token = writer.write(FrameRef("file", "r", 0, 0, 0, 64, 48), np.zeros((48, 64, 3), np.uint8))
    with frames.lease(token):
        pass
    frames.close()
    writer.close()


def overloaded(overload: Overload, from_s: float, for_s: float, *, late: bool) -> float:
    now_s = from_s
    while now_s <= from_s + for_s:
        overload.note(late=late, now_s=now_s)
        now_s += 0.1
    return now_s


def test_search_goes_first_then_cameras_from_the_lowest_priority_up_and_all_is_given_back() -> None:
    overload = Overload({"yard": 1, "hall": 5, "door": 9})

    def loads() -> list[int]:
        return [overload.load(name) for name in ("yard", "hall", "door")]

    now_s = overloaded(overload, 100.0, RISE_S / 2, late=True)
    assert loads() == [0, 0, 0], "one slow moment is no overload"
    now_s = overloaded(overload, now_s, RISE_S, late=True)
    assert loads() == [1, 1, 1]
    assert not any(overload.sheds(name) for name in ("yard", "hall", "door") for _ in range(8))
    now_s = overloaded(overload, now_s, RISE_S, late=True)
    assert loads() == [2, 1, 1]
    assert [overload.sheds("yard") for _ in range(8)].count(False) == 8 // KEPT_ONE_IN
    assert not any(overload.sheds(name) for name in ("hall", "door") for _ in range(8))
    now_s = overloaded(overload, now_s, 10 * RISE_S, late=True)
    assert loads() == [2, 2, 1], "the highest priority is never thinned"
    assert not any(overload.sheds("door") for _ in range(8))
    for expected in ([2, 1, 1], [1, 1, 1], [0, 0, 0]):
        now_s = overloaded(overload, now_s, FALL_S + 1, late=False)
        assert loads() == expected
    assert not any(overload.sheds("yard") for _ in range(8))


def test_cameras_of_one_priority_are_never_thinned() -> None:
    overload = Overload({"a": 5, "b": 5})
    overloaded(overload, 0.0, 100.0, late=True)
    assert (overload.load("a"), overload.load("b"), overload.load("recording")) == (1, 1, 0)
    assert not any(overload.sheds("a") for _ in range(8))


def test_a_camera_attached_later_has_a_budget_and_a_priority_too(tmp_path: Path) -> None:
    writer, now = FrameWriter("new", slots=2, folder=tmp_path), [10 * S]
    frames = PunctualFrames(FrameReader(folder=tmp_path), {"door": Budget(1.0, 9)}, lambda: now[0])
    frames.attach("new", Budget(0.5, 1))
    token = writer.write(FrameRef("new", "r", 0, 9 * S, 9 * S, 64, 48), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(SkippedFrameError), frames.lease(token):
        pytest.fail("leased")
    frames.close()
    writer.close()


class Perceiving(PassiveStage):
    """Leases each frame, and notes the load it was told of."""

    def __init__(self, frames: PunctualFrames) -> None:
        self.frames, self.loads = frames, []

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        with self.frames.lease(message):
            self.loads.append(message.frame.load)
        return (message,)


def test_perception_is_told_with_each_frame_how_far_to_ease_its_work(tmp_path: Path) -> None:
    writer, now = FrameWriter("door", slots=1, folder=tmp_path), [0]
    frames = PunctualFrames(FrameReader(folder=tmp_path), {"door": Budget(1.0, 5)}, lambda: now[0])
    inner = Perceiving(frames)
    stage, number = EasedStage(inner, frames), 0
    for late_s, for_s in ((0.1, 1.0), (1.5, 3.0), (0.1, FALL_S + 4)):
        until_ns = now[0] + for_s * S
        while now[0] < until_ns:
            now[0], number = now[0] + S // 10, number + 1
            at_ns = now[0] - int(late_s * S)
            token = writer.write(
                FrameRef("door", "r", number, at_ns, at_ns, 64, 48), np.zeros((48, 64, 3), np.uint8)
            )
            with contextlib.suppress(SkippedFrameError):
                stage.handle(token)
    assert inner.loads[0] == inner.loads[-1] == 0
    assert 1 in inner.loads
    assert set(inner.loads) == {0, 1}
    frames.close()
    writer.close()
