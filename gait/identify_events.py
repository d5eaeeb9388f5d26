"""How answers become events: one sequence per camera, ids that are hashes of content, no clock of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gait.embedder import ModelInfo
from stream.events import sealed
from stream.messages import Continuation, Event, EventKind, Evidence, FrameRef, Identity, Link, TrackletId

NANOSECONDS: Final = 1_000_000_000
Details = dict[str, str | int | float]


@dataclass(frozen=True)
class About:
    """What an event about a tracklet says of it."""

    tracklet: TrackletId
    identity: Identity | None
    evidence: Evidence | None


def continuation(link: Link, reason: str | None = None) -> Continuation:
    """The link as its event, or with a ``reason`` its retraction, tells it."""
    return Continuation(str(link.earlier), link.gap_s, link.distance, link.confidence, reason)


class EventWriter:
    """Numbers and signs the events of one camera."""

    def __init__(self, model: ModelInfo, config_digest: str, time_to_live_s: float) -> None:
        self._model, self._config = model, config_digest
        self._live_ns = int(time_to_live_s * NANOSECONDS)
        self._sequence = 0

    def event(
        self,
        kind: EventKind,
        frame: FrameRef,
        epoch: int,
        about: About | None = None,
        details: Details | None = None,
        link: Continuation | None = None,
    ) -> Event:
        """The camera's next event."""
        self._sequence += 1
        bare = Event(
            "",
            kind,
            frame.camera,
            frame.run,
            0,
            frame.captured_ns,
            tracklet=str(about.tracklet) if about else None,
            identity=about.identity if about else None,
            evidence=about.evidence if about else None,
            model=self._model.digest,
            gallery_epoch=epoch,
            config=self._config,
            expires_ns=frame.captured_ns + self._live_ns if about else None,
            details=details or {},
            link=link,
        )
        return sealed(bare, self._sequence)
