"""The identify stage: owns the gallery, decides for each camera's tracks, and says so in events.

The gallery is read as one epoch at a time; when a request changes it, every live track is decided anew with
the next frame of its camera, so a person who was removed is matched no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from gait.decision_clusters import ClusterConfig, Strangers
from gait.decision_level import Level
from gait.decision_norm import Cohort
from gait.embedder import ModelInfo
from gait.gallery.desk import PREFIX, GalleryDesk
from gait.gallery.records import NewTemplate
from gait.gallery.remote import index_of
from gait.gallery.search import check_model
from gait.gallery.store import Gallery
from gait.identify import Decider, DecisionConfig
from gait.identify_events import NANOSECONDS, About, Details, EventWriter, continuation
from gait.identify_tracks import Life, Linker, Parted, track_record
from gait.score_map import ScoreMap
from stream.errors import GalleryError, MessageError
from stream.figures import Figure
from stream.messages import (
    ControlReply,
    ControlRequest,
    Embedded,
    Embedding,
    EndOfStream,
    Event,
    EventKind,
    FrameMessage,
    FrameRef,
    Identified,
    Identity,
    Retraction,
    TrackletId,
)
from stream.punctual import KEPT_ONE_IN, SEARCHED_ONE_IN


class IdentifyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of the decision, and what is told and kept of it.

    ``score_map``: a file that `calibrate scores` wrote, in place of the model's own. ``update_step``: an
    unchanged answer is told again when its probability moved by this much.
    ``event_ttl_s``: how long after its capture an event may still be acted on. ``retain_tracks_s``: how long
    a finished track can be enrolled; 0 keeps none. ``forget_s``: a track unseen for this long is closed,
    should its end never be announced.
    """

    decision: DecisionConfig = msgspec.field(default_factory=DecisionConfig)
    strangers: ClusterConfig = msgspec.field(default_factory=ClusterConfig)
    score_map: str = ""
    update_step: float = 0.1
    event_ttl_s: float = 10.0
    retain_tracks_s: float = 7 * 24 * 3600.0  # a week: long enough to look through, short enough to forget
    forget_s: float = 60.0  # four times the longest that a tracker holds a lost person

    def __post_init__(self) -> None:
        if self.update_step <= 0 or self.event_ttl_s <= 0 or self.forget_s <= 0 or self.retain_tracks_s < 0:
            raise ValueError(
                "`update_step`, `event_ttl_s`, `forget_s` must be above 0, `retain_tracks_s` from 0"
            )


@dataclass
class _Camera:
    """One camera's run: its events' writer, its last frame and its live tracks."""

    writer: EventWriter
    frame: FrameRef
    epoch: int = -1
    frames: int = 0
    refused: int = 0
    load: int = 0
    lives: dict[TrackletId, Life] = field(default_factory=dict)
    level: Level = field(default_factory=Level)  # a new run learns anew: the camera may have been moved


class IdentifyStage:
    """Embedded in, Identified out."""

    def __init__(
        self,
        gallery: Gallery,
        model: ModelInfo,
        score_map: ScoreMap,
        config: IdentifyConfig | None = None,
        *,
        config_digest: str = "",
        engines: Mapping[str, str | int | float] | None = None,
        linker: Linker | None = None,
        told_against: tuple[Cohort, ScoreMap] | None = None,
    ) -> None:
        """Take over ``gallery``; ``engines`` (precision, runtime, ...) go into every start event.

        Without a ``linker`` every tracklet is decided on its own. ``told_against`` is a cohort of strangers
        and the map of scores told against it, where the decision is to use them.

        Raises GalleryError where its templates are all of another model, ConfigError for another model's map.
        """
        self._config = config or IdentifyConfig()
        cohort, decision_map = told_against or (None, score_map)
        self._decider = Decider(decision_map.checked_for(model.digest), self._config.decision, cohort)
        self._strangers = Strangers(self._decider.score_map, self._config.strangers, cohort)
        self._gallery, self._model = gallery, model
        self._config_digest, self._engines = config_digest, dict(engines or {})
        self._desk = GalleryDesk(gallery, model, self._live_templates)
        check_model(gallery, model.digest)
        self._index = index_of(gallery, model.digest, model.dimension)
        self._linker = linker
        self._parted = Parted(linker.hold_s if linker else 0.0)
        self._cameras: dict[str, _Camera] = {}
        self._writers: dict[str, EventWriter] = {}

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """The events that this frame gives rise to."""
        if not isinstance(message, Embedded):
            raise MessageError(f"the identify stage got a {type(message).__name__}", wanted="Embedded")
        events = self._arrive(message.frame)
        camera = self._cameras[message.frame.camera]
        events += self._loaded(camera, message.frame)
        fresh = self._take_in(camera, message)
        linked = self._link(camera, message)
        ended = self._over(camera, message)
        if fresh or ended or linked or camera.epoch != self._index.epoch:
            events += [*linked, *self._decide(camera, ended)]
        events += [event for key in ended if (event := self._end(camera, key)) is not None]
        self._parted.forget(message.frame.captured_ns)
        return [Identified(message.frame, tuple(events))]

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """The end of every track that is left, and the camera's stop."""
        camera = self._cameras.get(end.camera)
        if camera is None or camera.frame.run != end.run:
            return []
        events = self._stop(camera, end.reason, end.frames)
        return [Identified(camera.frame, tuple(events))]

    def control(self, request: ControlRequest) -> ControlReply:
        """Gallery requests; a change counts from the next frame on."""
        if not request.verb.startswith(PREFIX):
            return ControlReply(ok=False, error=f"the identify stage knows no request {request.verb[:40]!r}")
        reply = self._desk.answer(request)
        if self._index.refresh():
            self._forget_removed(set(reply.result.get("tracks", ())))
        return reply

    def figures(self) -> Iterable[Figure]:
        """How large the gallery is, and how often it has changed."""
        yield Figure("gallery_people", self._index.size)
        yield Figure("gallery_templates", self._index.templates)
        yield Figure("gallery_epoch", self._index.epoch)

    def _forget_removed(self, tracklets: Collection[str]) -> None:
        """Let go of what tracks showed of people who are gone, or who were enrolled from these tracklets."""
        lives = [life for camera in self._cameras.values() for life in camera.lives.values()]
        for life in [*lives, *self._parted.lives()]:
            gone = life.person is not None and self._gallery.name_of(life.person) is None
            if gone or str(life.tracklet) in tracklets:
                life.forget()

    def close(self) -> None:
        """Let go of the gallery and every track."""
        self._cameras.clear()
        self._gallery.close()

    def _arrive(self, frame: FrameRef) -> list[Event]:
        """Note the frame; a camera's first frame, or the first of a new run, starts it."""
        camera = self._cameras.get(frame.camera)
        if camera is not None and camera.frame.run == frame.run:
            camera.frames += frame.number != camera.frame.number  # at the end the last frame comes again
            for life in camera.lives.values():
                life.missed += max(0, frame.number - camera.frame.number - 1)
            camera.frame = frame
            return []
        events = [] if camera is None else self._stop(camera, "a new run began", camera.frames)
        writer = self._writers.get(frame.camera)
        if writer is None:
            writer = EventWriter(self._model, self._config_digest, self._config.event_ttl_s)
            self._writers[frame.camera] = writer
        self._cameras[frame.camera] = _Camera(writer, frame, frames=1)
        details: Details = {"model": self._model.name, "people": self._index.size}
        details |= {"width": frame.width, "height": frame.height} | self._engines
        return [*events, writer.event("start", frame, self._index.epoch, details=details)]

    def _loaded(self, camera: _Camera, frame: FrameRef) -> list[Event]:
        """Tell where perception eases its work on the camera, or takes that back."""
        if frame.load == camera.load:
            return []
        camera.load = frame.load
        details: Details = {
            "level": frame.load,
            "searched_one_in": SEARCHED_ONE_IN if frame.load else 1,
            "seen_one_in": KEPT_ONE_IN if frame.load > 1 else 1,
        }
        return [camera.writer.event("load", frame, self._index.epoch, details=details)]

    def _take_in(self, camera: _Camera, message: Embedded) -> bool:
        """Note who is seen and what was embedded; whether anything is new to decide on."""
        now_ns = message.frame.captured_ns
        for track in message.tracks:
            self._life(camera, track.tracklet, now_ns).see(now_ns, track)
        fresh = False
        for embedding in message.embeddings:
            self._check_model(embedding)
            try:
                self._life(camera, embedding.tracklet, embedding.start_ns).add(embedding)
                fresh = True
            except MessageError:  # a net that fails on one window must not end the watch; stop tells of it
                camera.refused += 1
        return fresh

    def _life(self, camera: _Camera, key: TrackletId, first_ns: int) -> Life:
        """The track's memory, made at its first sight."""
        if key not in camera.lives:
            camera.lives[key] = Life(key, first_ns, self._config.decision.half_life_s)
        return camera.lives[key]

    def _check_model(self, embedding: Embedding) -> None:
        """Raises GalleryError for an embedding that the gallery's templates cannot be compared with."""
        ours, size = self._model, embedding.vector.shape
        if embedding.model != ours.digest or size != (ours.dimension,):
            what = f"an embedding of model {embedding.model[:12]} and shape {size} reaches the gallery"
            wanted = f"model {ours.digest[:12]} and shape ({ours.dimension},)"
            raise GalleryError(what, wanted=wanted, fix="Start embed and identify with the same model")

    def _link(self, camera: _Camera, message: Embedded) -> list[Event]:
        """Let the camera's tracks take over from those that they continue, or part from them, and tell."""
        events = []
        for statement in self._linker.take(message) if self._linker else ():
            taken_back = statement if isinstance(statement, Retraction) else None
            link = statement.link if isinstance(statement, Retraction) else statement
            later, earlier = self._known(link.later), self._known(link.earlier)
            if later is None:
                continue
            if taken_back is not None:
                later.part()
            elif earlier is not None:
                later.follow(earlier)
            about = About(link.later, None, later.evidence())
            kind: EventKind = "retract" if taken_back else "link"
            told = continuation(link, taken_back.reason if taken_back else None)
            events.append(camera.writer.event(kind, camera.frame, self._index.epoch, about, link=told))
        return events

    def _known(self, key: TrackletId) -> Life | None:
        """A track that lives, or that ended lately."""
        camera = self._cameras.get(key.camera)
        return camera.lives.get(key) if camera and key in camera.lives else self._parted.get(key)

    def _over(self, camera: _Camera, message: Embedded) -> list[TrackletId]:
        """The tracklets that end in this frame, or were last seen too long ago."""
        horizon_ns = message.frame.captured_ns - int(self._config.forget_s * NANOSECONDS)
        over = {end.tracklet for end in message.ended if end.tracklet in camera.lives}
        over |= {key for key, life in camera.lives.items() if life.last_ns < horizon_ns}
        return sorted(over)

    def _decide(self, camera: _Camera, ending: Iterable[TrackletId]) -> list[Event]:
        """Decide for all of the camera's tracks together; tell what is new or has changed."""
        camera.epoch, last = self._index.epoch, set(ending)
        lives = [camera.lives[key] for key in sorted(camera.lives) if camera.lives[key].pool.samples > 0]
        if not lives:
            return []
        held = [life.person for life in lives if life.person is not None]
        view = self._index.view(np.stack([life.pool.vector() for life in lives]), held)
        beliefs = self._decider.believe([life.pool for life in lives], view, camera.level)
        events = []
        for life, belief in zip(lives, beliefs, strict=True):
            over = life.tracklet in last
            if over and belief.samples >= self._config.decision.min_samples:
                camera.level.learn(belief.others)
            life.held = self._decider.settle(life.held, belief, view, last=over)
            taken = {other.cluster for other in lives if other.cluster and other is not life}
            life.place(self._strangers, taken, belief.impostors)
            kind = None if over else life.to_tell(self._config.update_step)
            if kind is not None:
                life.told = life.held.identity
                about = About(life.tracklet, life.told, life.evidence())
                events.append(camera.writer.event(kind, camera.frame, self._index.epoch, about))
        return events

    def _end(self, camera: _Camera, key: TrackletId) -> Event | None:
        """Close a track: keep it for later enrolment; tell of its end if it was more than a guess."""
        life = camera.lives.pop(key)
        life.teach(self._strangers)
        if self._linker is not None:
            self._parted.keep(life)
        identity = life.held.identity if life.held else None
        if identity is not None and self._config.retain_tracks_s > 0:
            record = track_record(life, identity, self._gallery.expiry_ns(self._config.retain_tracks_s))
            self._gallery.keep_track(record, life.templates())
        if identity is None and not life.confirmed:
            return None
        missing = f"{self._config.decision.min_samples} valid samples in one stretch"
        identity = identity or Identity("insufficient_evidence", missing=missing)
        about = About(key, identity, life.evidence())
        details: Details = {"missed_frames": life.missed} if life.missed else {}
        return camera.writer.event("end", camera.frame, self._index.epoch, about, details)

    def _stop(self, camera: _Camera, reason: str, frames: int) -> list[Event]:
        """End every track, then the camera's run."""
        if self._linker is not None:
            self._linker.stop(camera.frame.camera, camera.frame.run)
        keys = sorted(camera.lives)
        events = self._decide(camera, keys) if keys else []
        events += [event for key in keys if (event := self._end(camera, key)) is not None]
        details: Details = {"reason": reason, "frames": frames, "refused_embeddings": camera.refused}
        events.append(camera.writer.event("stop", camera.frame, self._index.epoch, details=details))
        del self._cameras[camera.frame.camera]
        return events

    def _live_templates(self, tracklet: str) -> tuple[NewTemplate, ...]:
        """What a live track would be enrolled with."""
        for camera in self._cameras.values():
            for life in camera.lives.values():
                if str(life.tracklet) == tracklet:
                    return life.templates()
        return ()
