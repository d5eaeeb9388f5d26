"""What the identify stage remembers of one track while it lives, and what is kept of it afterwards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final, Literal, Protocol

import msgspec

from gait.decision_clusters import Strangers, own_name
from gait.decision_level import Impostors
from gait.gallery.enrol import apart, window_templates
from gait.gallery.records import NewTemplate, TrackRecord
from gait.gallery.store import TRACK_SOURCE
from gait.identify import Held, Pool
from stream.messages import (
    Box,
    Embedded,
    Embedding,
    Evidence,
    Identity,
    Link,
    Retraction,
    Track,
    TrackletId,
)

KEPT_WINDOWS: Final = 8
"""Windows remembered per live track: half a minute of walking, and a bound on memory."""


NANOSECONDS: Final = 1_000_000_000


class Linker(Protocol):
    """Says which tracklets continue which, over all cameras: ``trackers.linker.Linker``."""

    @property
    def hold_s(self) -> float:
        """How long after its last sight an ended tracklet may still be continued."""
        ...

    def take(self, message: Embedded) -> Sequence[Link | Retraction]:
        """What this frame says about who continues whom."""
        ...

    def stop(self, camera: str, run: str) -> None:
        """The camera's run is over, and with it all its tracklets."""
        ...


class Parted:
    """The tracks that ended lately, for those that turn out to continue them."""

    def __init__(self, hold_s: float) -> None:
        self._hold_ns = int(hold_s * NANOSECONDS)
        self._lives: dict[TrackletId, Life] = {}

    def __len__(self) -> int:
        return len(self._lives)

    def keep(self, life: Life) -> None:
        """Remember a track that ended."""
        self._lives[life.tracklet] = life

    def get(self, tracklet: TrackletId) -> Life | None:
        """The track, while it is remembered."""
        return self._lives.get(tracklet)

    def lives(self) -> tuple[Life, ...]:
        """All of them."""
        return tuple(self._lives.values())

    def forget(self, now_ns: int) -> None:
        """Let go of those that nobody can continue any more."""
        over = [key for key, life in self._lives.items() if life.last_ns < now_ns - self._hold_ns]
        for key in over:
            del self._lives[key]


class Life:
    """One live track: where it is, what it has shown, what stands and what was told of it."""

    def __init__(self, tracklet: TrackletId, first_ns: int, half_life_s: float) -> None:
        self.tracklet, self.first_ns, self.last_ns = tracklet, first_ns, first_ns
        self.confirmed = False
        self.box: Box | None = None
        self.pool = Pool(half_life_s)
        self.held: Held | None = None
        self.told: Identity | None = None
        self.cluster: str | None = None
        self.missed = 0  # frames that were dropped while it was there
        self._windows: list[Embedding] = []

    def follow(self, earlier: Life) -> None:
        """It continues ``earlier``: what that one showed counts, and its answer stands until evidence is
        against it.
        """
        self.pool.inherited = earlier.pool.shown()
        if self.held is None or self.held.identity.answer == "insufficient_evidence":
            self.held, self.cluster = earlier.held, earlier.cluster

    def part(self) -> None:
        """It continues nobody after all: only what it showed itself counts, from now on."""
        self.pool.inherited, self.held = None, None

    def see(self, now_ns: int, track: Track) -> None:
        """The track is there at ``now_ns``."""
        self.last_ns, self.box = max(self.last_ns, now_ns), track.box
        self.confirmed = self.confirmed or track.confirmed

    def add(self, embedding: Embedding) -> None:
        """Take in a window; raises MessageError for a bad vector, which leaves no trace."""
        self.pool.add(embedding)
        self.last_ns = max(self.last_ns, embedding.end_ns)
        self._windows = list(apart([*self._windows, embedding]))
        if len(self._windows) > KEPT_WINDOWS:
            self._windows.remove(min(self._windows, key=lambda e: (e.quality, e.samples)))

    def to_tell(self, step: float) -> Literal["new", "update"] | None:
        """Whether the standing answer should be told: the first one, another one, or a firmer one."""
        if self.held is None:
            return None
        now, before = self.held.identity, self.told
        if before is None:
            return "new"
        same = ("answer", "person", "name", "cluster")
        if any(getattr(now, name) != getattr(before, name) for name in same):
            return "update"
        moved = abs((now.probability or 0.0) - (before.probability or 0.0))
        return "update" if moved >= step else None

    def evidence(self) -> Evidence | None:
        """What the standing answer rests on; None where nothing was embedded."""
        if self.pool.samples <= 0:
            return None
        pool = self.pool
        shown = pool.shown()
        start_ns, end_ns = (shown.start_ns, shown.end_ns) if shown else (0, 0)
        return Evidence(start_ns, end_ns, round(pool.samples), round(pool.quality, 4), self.box)

    @property
    def person(self) -> str | None:
        """Whom the standing answer names."""
        return self.held.identity.person if self.held else None

    def place(self, strangers: Strangers, taken: Collection[str], impostors: Impostors | None) -> None:
        """Which stranger it shows, where its answer is that it is nobody known; ``impostors``: ``Belief``."""
        if self.held is None or self.held.identity.answer != "unknown":
            self.cluster = None
            return
        own = own_name(str(self.tracklet))
        vector, samples = self.pool.vector(), self.pool.samples
        self.cluster = strangers.recognise(vector, samples, own, self.cluster, taken, impostors)
        identity = msgspec.structs.replace(self.held.identity, cluster=self.cluster)
        self.held = replace(self.held, identity=identity)

    def teach(self, strangers: Strangers) -> None:
        """Add what it showed, now that it is over, to the stranger it was taken for."""
        if self.cluster is not None:
            strangers.learn(self.cluster, self.pool.vector(), self.pool.samples, self.last_ns)

    def forget(self) -> None:
        """Let go of every window: the person it shows was removed."""
        self._windows, self.cluster = [], None

    def templates(self) -> tuple[NewTemplate, ...]:
        """What the track would be enrolled with."""
        return window_templates(self._windows, TRACK_SOURCE + str(self.tracklet), KEPT_WINDOWS)


def track_record(life: Life, identity: Identity, expires_ns: int) -> TrackRecord:
    """The finished track as the gallery keeps it."""
    answer = identity.answer
    name = str(life.tracklet)
    return TrackRecord(
        *(name, life.tracklet.camera, life.first_ns, life.last_ns, answer, identity.person, expires_ns),
        cluster=identity.cluster,
    )
