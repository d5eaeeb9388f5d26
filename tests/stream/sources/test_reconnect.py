"""Cameras that fail and come back: found in time, each run ended, the others untouched, the times true."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from stream.errors import SourceError
from stream.feed import FeedOptions, feed
from stream.frames import FrameWriter
from stream.ledger import Count, Drop, Ledger
from stream.messages import EndOfStream, FrameToken, Message
from stream.sources import SourceOptions, open_source
from stream.sources.live import CameraRefusesError
from stream.sources.reconnect import Reconnect, is_camera
from stream.stop import Stop, never
from tests.stream.clips import number_of
from tests.stream.rtsp import RtspCamera

PATIENT = SourceOptions(open_timeout_s=10.0, stall_timeout_s=10.0)  # this machine may be busy
QUICK = SourceOptions(open_timeout_s=10.0, stall_timeout_s=0.8)
FRAME_NS = 40_000_000


class Watched:
    """What one camera's feed sent, as it is sent; its pixels are let go at once."""

    def __init__(self, address: str, folder: Path, options: SourceOptions, camera: str = "door") -> None:
        self.sent: list[tuple[int, Message]] = []
        self._changed = threading.Condition()
        self.stop = Stop()
        self._ledger = Ledger.create(folder / f"ledger-{camera}", ["source"], [camera])
        self.books = self._ledger.stage("source")
        self._writer = FrameWriter(camera, slots=4, folder=folder)
        source = open_source(address, camera, options)
        reopen = Reconnect(address, camera, options)
        self._thread = threading.Thread(
            target=lambda: feed(
                source, self._writer, self, self.books, self.stop, FeedOptions(drain_s=0.1), reopen
            )
        )
        self._close = source.close
        self._thread.start()

    def send(self, message: Message, stopped: Callable[[], bool] = never) -> bool:
        with self._changed:
            self.sent.append((time.time_ns(), message))
            self._changed.notify_all()
        if isinstance(message, FrameToken):
            self._writer.withdraw(message)
        return True

    def wait_until(self, seen: Callable[[], bool], timeout_s: float = 30.0) -> None:
        with self._changed:
            assert self._changed.wait_for(seen, timeout_s), "it never came"

    @property
    def tokens(self) -> list[FrameToken]:
        return [message for _, message in self.sent if isinstance(message, FrameToken)]

    @property
    def ends(self) -> list[EndOfStream]:
        return [message for _, message in self.sent if isinstance(message, EndOfStream)]

    @property
    def runs(self) -> list[str]:
        return list(dict.fromkeys(token.frame.run for token in self.tokens))

    def close(self) -> None:
        self.stop.ask()
        self._thread.join()
        self._close()
        self._writer.close()
        self._ledger.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def make(address: str, options: SourceOptions = QUICK, camera: str = "door") -> Watched:
        made.append(Watched(address, tmp_path, options, camera))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def camera() -> Iterator[Callable[..., RtspCamera]]:
    made: list[RtspCamera] = []

    def make(frames: int = 3000, **how: object) -> RtspCamera:
        made.append(RtspCamera(frames, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def short(camera: Callable[..., RtspCamera]) -> RtspCamera:
    """A camera that plays ten seconds."""
    return camera(250)


def test_a_killed_camera_ends_its_run_and_comes_back_with_another(
    camera: Callable[..., RtspCamera], watch: Callable[..., Watched]
) -> None:
    first = RtspCamera(250)
    seen = watch(first.address)
    seen.wait_until(lambda: len(seen.tokens) >= 5)
    first.close()
    seen.wait_until(lambda: bool(seen.ends))
    assert not seen.ends[0].last
    assert seen.ends[0].frames == len([t for t in seen.tokens if t.frame.run == seen.ends[0].run])
    back_ns = time.time_ns()
    camera(250, port=first.port)
    seen.wait_until(lambda: len(seen.runs) == 2)
    took_s = next(at for at, m in seen.sent if isinstance(m, FrameToken) and m.frame.run == seen.runs[1])
    assert (took_s - back_ns) / 1e9 < 10.0, "2 s where the machine is not busy"
    seen.stop.ask()
    seen.wait_until(lambda: seen.ends[-1].last)
    assert [end.last for end in seen.ends] == [False, True]
    assert "hunter2" not in "".join(end.reason for end in seen.ends)


def test_a_stalled_camera_is_given_up_and_found_again(
    short: RtspCamera, watch: Callable[..., Watched]
) -> None:
    seen = watch(short.address)
    seen.wait_until(lambda: len(seen.tokens) >= 5)
    short.stalled.set()
    seen.wait_until(lambda: bool(seen.ends))
    assert seen.ends[0].reason == "no picture for 0.8 s"
    short.stalled.clear()
    seen.wait_until(lambda: len(seen.runs) == 2)


def test_a_change_of_size_begins_a_new_run(
    camera: Callable[..., RtspCamera], watch: Callable[..., Watched]
) -> None:
    seen = watch(camera(20, then=(100, (96, 64))).address)
    seen.wait_until(lambda: bool(seen.ends))
    assert seen.ends[0].reason == "the pictures changed from 64x48 to 96x64"
    assert {(t.frame.width, t.frame.height) for t in seen.tokens if t.frame.run == seen.runs[0]} == {(64, 48)}
    seen.wait_until(lambda: len(seen.runs) >= 2)


def test_a_password_that_became_wrong_is_not_tried_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[float] = []

    def refuse(address: str, name: str, options: SourceOptions) -> None:
        tried.append(time.monotonic())
        raise CameraRefusesError("the camera refuses this user or password", where="rtsp://***@host")

    until_s = time.monotonic() + 0.5
    reopen = Reconnect("usb:0", "door", QUICK, refuse)
    assert reopen(lambda: time.monotonic() > until_s) is None
    assert len(tried) == 1
    assert "refuses this user" in caplog.text


def test_a_camera_that_is_away_is_asked_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[float] = []

    def fail(address: str, name: str, options: SourceOptions) -> None:
        tried.append(time.monotonic())
        raise SourceError("nobody listens there", where="rtsp://***@host")

    reopen = Reconnect("usb:0", "door", QUICK, fail)
    assert reopen(lambda: len(tried) >= 3) is None
    assert caplog.text.count("nobody listens") == 1, "said once, not at every attempt"


def test_of_sixteen_cameras_one_dies_and_no_other_loses_a_frame(
    camera: Callable[..., RtspCamera], watch: Callable[..., Watched]
) -> None:
    doomed = RtspCamera(600, rate=10, size=(320, 240))
    cameras = [doomed, *(camera(600, rate=10, size=(320, 240), units=doomed.units) for _ in range(15))]
    with ThreadPoolExecutor(16) as pool:
        all_seen = list(pool.map(lambda n: watch(cameras[n].address, PATIENT, f"c{n}"), range(16)))
    for seen in all_seen:
        seen.wait_until(lambda seen=seen: len(seen.tokens) >= 3, 60)
    doomed.close()
    begun = [len(seen.tokens) for seen in all_seen]
    for seen, before in zip(all_seen[1:], begun[1:], strict=True):
        seen.wait_until(lambda seen=seen, before=before: len(seen.tokens) >= before + 10, 60)
        numbers = [token.frame.number for token in seen.tokens]
        assert numbers == list(range(len(numbers)))
        stamps = [token.frame.source_ns for token in seen.tokens]
        gaps = {later - earlier for earlier, later in pairwise(stamps)}
        assert all(abs(gap - 100_000_000) < 1_000_000 for gap in gaps), "every picture that the camera sent"
        drops = sum(seen.books.value(seen.tokens[0].frame.camera, cause) for cause in Drop)
        assert drops == 0
        assert not seen.ends
    all_seen[0].wait_until(lambda: bool(all_seen[0].ends), 60)
    assert all_seen[0].books.value("c0", Count.CAPTURED) == len(all_seen[0].tokens)


@pytest.mark.parametrize("reports_ahead_s", [None, 0.0, 3600.0])
def test_capture_times_are_those_of_the_camera_within_a_frame(
    camera: Callable[..., RtspCamera], reports_ahead_s: float | None
) -> None:
    """Truth is when the camera took each picture; its number is burned into the pixels."""
    one = camera(60, reports_ahead_s=reports_ahead_s)
    source = open_source(one.address, "door", PATIENT)
    errors = [picture.captured_ns - one.sent_ns[number_of(picture.image)] for picture in source.frames()]
    source.close()
    apart = sorted(abs(error) for error in errors)
    assert apart[len(apart) // 2] <= FRAME_NS / 2, "the machine may be too busy for a few of them"
    if reports_ahead_s is not None:
        said = re.search(r"the camera's clock is ([+-]\d+) ms behind ours", " ".join(source.notes))
        assert said is not None
        assert abs(int(said[1]) + 1000 * reports_ahead_s) <= 20


@pytest.mark.parametrize("loses", [0, 7])
def test_over_udp_pictures_come_in_order_with_true_times_though_some_are_lost(
    camera: Callable[..., RtspCamera], loses: int
) -> None:
    one = camera(60, silent=True, loses=loses)
    options = SourceOptions(open_timeout_s=10.0, stall_timeout_s=2.0, rtsp_transport="udp")
    source = open_source(one.address, "door", options)
    pictures = list(source.frames())
    source.close()
    shown = [number_of(picture.image) for picture in pictures]
    assert all(later.captured_ns > earlier.captured_ns for earlier, later in pairwise(pictures))
    assert loses or shown == sorted(set(shown)), (
        "where some are lost, the codec shows old ones in their place"
    )
    assert len(shown) >= 30
    apart = sorted(abs(p.captured_ns - one.sent_ns[n]) for p, n in zip(pictures, shown, strict=True))
    assert apart[len(apart) // 2] <= FRAME_NS / 2
    assert str(source.problem).startswith("rtsp://***@127.0.0.1")
    assert "no picture for 2 s" in str(source.problem), "a camera that falls silent is noticed over UDP too"


@pytest.mark.parametrize(
    ("source", "camera"),
    [("rtsp://x/1", True), ("http://x/1", True), ("usb:0", True), ("a.mp4", False), ("walkers:", False)],
)
def test_what_can_be_lost_and_found(source: str, camera: bool) -> None:
    assert is_camera(source) is camera
