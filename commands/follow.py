"""Perceive and track over pictures in hand, in this process: for measurements that rest on both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from calibration.in_process import OneFrame, Picture
from engines.perceive import PerceiveStage, Perception
from gait.body import body_of
from stream.messages import EndOfStream, FrameRef, FrameToken, Tracked
from trackers.config import TrackConfig
from trackers.stage import TrackStage


def follow(
    pictures: Iterable[Picture],
    rate_hz: float,
    perception: Perception,
    *,
    camera: str = "clip",
    run: str = "0",
    track: TrackConfig | None = None,
) -> Iterator[Tracked]:
    """What the perceive and the track stage make of BGR pictures taken ``rate_hz`` times a second."""
    store = OneFrame()
    perceive, tracker = PerceiveStage(store, perception), TrackStage(body_of, track)
    number, time_ns = 0, 0
    for number, picture in enumerate(pictures):
        store.pixels = picture
        time_ns = round(number * 1e9 / rate_hz)
        height, width = picture.shape[:2]
        frame = FrameRef(camera, run, number, time_ns, time_ns, width, height)
        for people in perceive.handle(FrameToken(frame, "", 0, 0)):
            yield from (m for m in tracker.handle(people) if isinstance(m, Tracked))
    end = EndOfStream(camera, run, number + 1, time_ns)
    perceive.finish(end)
    yield from (m for m in tracker.finish(end) if isinstance(m, Tracked))
