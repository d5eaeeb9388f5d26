"""The track stage: each camera's people in, tracklets and their samples out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from stream.errors import MessageError
from stream.figures import Figure
from stream.messages import (
    Body,
    ControlReply,
    ControlRequest,
    EndOfStream,
    FrameMessage,
    FrameRef,
    People,
    Person,
    Track,
    Tracked,
    TrackEnd,
    TrackletId,
)
from trackers.associate import area, shared_area
from trackers.config import TrackConfig
from trackers.gate import refusal, sample_weight
from trackers.tracker import CameraTracker, Sighting, TrackState
from trackers.walking import Gait, ankle_separation
from trackers.window import Observed, Outcome, TimedWindow

Shape = Callable[[Person], Body | None]
"""Turns a person into silhouette and joints as the science wants them; None where that cannot be done."""


@dataclass
class Followed:
    """A confirmed tracklet's window and gait."""

    window: TimedWindow
    gait: Gait


@dataclass
class CameraState:
    """All that is remembered of one camera's run: its tracker, and what each confirmed tracklet collects."""

    tracker: CameraTracker
    anchor_ns: int
    followed: dict[TrackletId, Followed] = field(default_factory=dict)
    frame: FrameRef | None = None
    ignored: int = 0


class TrackStage:
    """Stage from ``People`` to ``Tracked``; a tracker per camera and run, made when its first frame comes.

    One ``Tracked`` answers each frame. When a stream ends, one more ``Tracked`` for its last frame carries
    the last samples, the cuts and the ends of all tracklets.
    """

    def __init__(self, shape: Shape, config: TrackConfig | None = None) -> None:
        self._shape = shape
        self._config = config or TrackConfig()
        self._cameras: dict[tuple[str, str], CameraState] = {}

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """Answer one frame; raises GaitwayError where its time does not advance."""
        if not isinstance(message, People):
            raise MessageError(f"a {type(message).__name__} message", where="track", wanted="People")
        frame = message.frame
        key = (frame.camera, frame.run)
        if key not in self._cameras:
            tracker = CameraTracker(*key, self._config)
            self._cameras[key] = CameraState(tracker, frame.captured_ns)
        return (self._track(self._cameras[key], message),)

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """Flush and end every tracklet of the camera's run, and forget the run."""
        camera = self._cameras.pop((end.camera, end.run), None)
        if camera is None or camera.frame is None:
            return ()
        out = Outcome()
        for followed in camera.followed.values():
            followed.window.close("end of stream", out)
        ended = tuple(_ending(state, "end of stream") for state in camera.tracker.finish())
        return (Tracked(camera.frame, (), tuple(out.samples), tuple(out.cuts), ended),)

    def control(self, request: ControlRequest) -> ControlReply:
        """``status``: what is followed per camera."""
        if request.verb != "status":
            return ControlReply(ok=False, error=f"the track stage knows no request {request.verb!r}")
        status = {
            f"{camera}/{run}": {
                "tracks": len(state.tracker.states),
                "born": state.tracker.born,
                "ignored": state.ignored,
            }
            for (camera, run), state in self._cameras.items()
        }
        return ControlReply(ok=True, result=status)

    def figures(self) -> Iterable[Figure]:
        """How many people are followed, per camera."""
        for (camera, _), state in self._cameras.items():
            yield Figure("people_followed", len(state.tracker.states), {"camera": camera})

    def close(self) -> None:
        """Forget everything."""
        self._cameras.clear()

    def _track(self, camera: CameraState, people: People) -> Tracked:
        step = camera.tracker.update(people)
        camera.frame = people.frame
        camera.ignored += step.ignored
        out = Outcome()
        for state in step.ended:
            camera.followed.pop(state.tracklet).window.close("lost", out)
        merged = _merged(step.tracks, self._config)
        tracks = []
        for sighting in step.tracks:
            cycles, quality = 0.0, 0.0
            if sighting.confirmed:
                followed = self._follow(camera, sighting.tracklet)
                self._feed(followed, sighting, people, sighting.tracklet in merged, out)
                if followed.window.is_open:
                    cycles, quality = followed.gait.cycles, followed.window.quality
            tracks.append(
                Track(sighting.tracklet, sighting.box, sighting.person, sighting.confirmed, cycles, quality)
            )
        ended = tuple(_ending(state, "lost") for state in step.ended)
        return Tracked(people.frame, tuple(tracks), tuple(out.samples), tuple(out.cuts), ended)

    def _follow(self, camera: CameraState, tracklet: TrackletId) -> Followed:
        followed = camera.followed.get(tracklet)
        if followed is None:
            rules = self._config.window
            followed = Followed(TimedWindow(tracklet, camera.anchor_ns, rules), Gait(rules))
            camera.followed[tracklet] = followed
        return followed

    def _feed(
        self, followed: Followed, sighting: Sighting, people: People, merged: bool, out: Outcome
    ) -> None:
        """Show one track's window this frame."""
        now_ns = people.frame.captured_ns
        window, gait = followed.window, followed.gait
        if merged:
            window.close("merged", out)
        if sighting.person is None:
            window.pass_time(now_ns, out)
            return
        person = people.people[sighting.person]
        height = sighting.box[3] - sighting.box[1]
        gait.observe(now_ns, ankle_separation(person, height), sighting.speed)
        reason = "merged" if merged else refusal(person, self._config.window)
        if reason is None and not gait.walking:
            reason = "not walking"
        body = self._shape(person) if reason is None else None
        if body is None:
            window.refuse(now_ns, reason or "no silhouette", out)
            return
        if not window.is_open:
            gait.restart()
        window.accept(Observed(now_ns, body, sample_weight(person)), out)


def _ending(state: TrackState, reason: str) -> TrackEnd:
    return TrackEnd(state.tracklet, state.first_ns, state.last_ns, reason)


def _merged(tracks: tuple[Sighting, ...], config: TrackConfig) -> set[TrackletId]:
    """Tracklets whose boxes lie so much over each other that either may hold the other's person."""
    confirmed = [sighting for sighting in tracks if sighting.confirmed]
    if len(confirmed) < 2:
        return set()
    boxes = np.array([sighting.box for sighting in confirmed])
    shared = shared_area(boxes, boxes)
    areas = area(boxes)
    overlap = shared / np.maximum(areas[:, None] + areas - shared, 1e-9)
    np.fill_diagonal(overlap, 0.0)
    np.fill_diagonal(shared, 0.0)
    unseen = np.array([sighting.person is None for sighting in confirmed])
    # A lost person is somewhere behind whoever covers the place where they ought to be.
    hidden = unseen[:, None] & (shared >= config.window.merge_cover * areas[:, None])
    together = (overlap >= config.window.merge_iou) | hidden | hidden.T
    return {confirmed[row].tracklet for row in np.flatnonzero(together.any(axis=1))}
