"""When an event says that something was, it was: against the truth burned into the frames, within a frame."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from stream.bus import Inlet, Limits, Outlet
from stream.events import read_events
from stream.feed import feed
from stream.frames import FrameReader, FrameWriter
from stream.ledger import Ledger
from stream.loop import Ports, StageLoop
from stream.messages import Event, FrameMessage, FrameToken, Identified
from stream.publish import Publisher, PublishStage
from stream.sources import SourceOptions, open_source
from stream.sources.base import EPOCH_2000_NS
from stream.stage import PassiveStage
from stream.stop import Stop
from tests.stream.clips import make_clip, number_of
from tests.stream.rtsp import RtspCamera

FRAME_NS = 40_000_000
LIMITS = Limits(8, linger_s=20.0)


class Reading(PassiveStage):
    """Tells in an event which number each frame shows."""

    def __init__(self, folder: Path) -> None:
        self._frames = FrameReader(folder=folder)

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        assert isinstance(message, FrameToken)
        frame = message.frame
        with self._frames.lease(message) as image:
            shown = number_of(image)
        event = Event("", "update", frame.camera, frame.run, 0, frame.captured_ns, details={"shows": shown})
        return (Identified(frame, (event,)),)

    def close(self) -> None:
        self._frames.close()


def told(address: str, folder: Path, options: SourceOptions) -> list[tuple[int, int]]:
    """What the events of a whole small pipeline say: which number was shown, and when that was."""
    ledger, stop = Ledger.create(folder / "ledger", ("source", "perceive", "publish"), ["door"]), Stop()
    hops = [f"ipc://{folder}/{name}.sock" for name in ("frames", "events", "pub")]
    inlets = [Inlet(hop, limits=LIMITS) for hop in hops[:2]]
    log = folder / "events.jsonl"

    def loop(name: str, stage: PassiveStage, ports: Ports) -> StageLoop:
        return StageLoop(name, stage, ports, cameras=["door"], ledger=ledger.stage(name), stop=stop)

    def perceive() -> None:
        loop("perceive", Reading(folder), Ports(inlets[0], Outlet(hops[1], limits=LIMITS))).run()

    def publish() -> None:
        loop("publish", PublishStage(log, Publisher(hops[2])), Ports(inlets[1])).run()

    threads = [threading.Thread(target=work) for work in (perceive, publish)]
    for thread in threads:
        thread.start()
    source, writer = open_source(address, "door", options), FrameWriter("door", slots=16, folder=folder)
    outlet = Outlet(hops[0], live=source.live, limits=LIMITS)
    feed(source, writer, outlet, ledger.stage("source"), stop)
    for held in (outlet, writer, source):
        held.close()
    for thread in threads:
        thread.join(60)
    ledger.close()
    return [(int(event.details["shows"]), event.captured_ns) for event in read_events(log)]


def test_of_a_file_every_event_has_the_time_of_its_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 50)
    events = told(str(clip), tmp_path, SourceOptions())
    assert events == [(number, EPOCH_2000_NS + number * FRAME_NS) for number in range(50)]


def test_of_a_file_with_uneven_times_too(tmp_path: Path) -> None:
    stamps = [0, 30, 90, 100, 180, 400, 430]
    clip = make_clip(tmp_path / "clip.mkv", len(stamps), stamps=stamps)
    events = told(str(clip), tmp_path, SourceOptions())
    assert events == [(number, EPOCH_2000_NS + stamp * 1_000_000) for number, stamp in enumerate(stamps)]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_of_a_camera_every_event_is_within_a_frame_of_when_the_picture_was_taken(
    tmp_path: Path, transport: str
) -> None:
    camera = RtspCamera(75, reports_ahead_s=None)
    options = SourceOptions(open_timeout_s=10.0, stall_timeout_s=3.0, rtsp_transport=transport)
    try:
        events = told(camera.address, tmp_path, options)
    finally:
        camera.close()
    assert len(events) >= 40
    errors = sorted(abs(captured_ns - camera.sent_ns[shown]) for shown, captured_ns in events)
    assert errors[len(errors) // 2] <= FRAME_NS / 2
    assert errors[int(0.8 * len(errors))] <= FRAME_NS, "the machine may be too busy for a few of them"
