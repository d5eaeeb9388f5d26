"""The links of a running pipeline: sees what embed says of every frame, and states or retracts links.

Everything is decided by capture times and by what was seen, in the order of the messages, so that a recorded
clip gives the same links every time. Memory is bounded: the tracklets that are live, and the ended ones of
the last ``hold_s``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from stream.messages import Array, Box, Embedded, Embedding, FrameRef, Link, Retraction, Track, TrackletId
from trackers.config import NS_PER_S, StitchConfig
from trackers.motion import Floats
from trackers.stitch import End, Evidence, Place, Transit, find_links, learn_transit, review_link

LEAST_WEIGHT = 1e-3
NOTHING = Array.of(np.zeros(0, np.float32))


@dataclass
class Seen:
    """What is remembered of one tracklet: its first and last sight, and how it walks.

    ``opening`` and ``closing`` are sums of what it showed, the one fading from its first window on, the other
    towards its last: whoever they swap in between, each end is that of who was there. ``unseen``: it was not
    in its camera's last frame. ``after`` is the link to the earlier tracklet, with that one's end, and
    ``inherited`` the sum of what that one showed; ``followed_by`` continues it and began at ``followed_ns``;
    ``refused`` says that a link of it was retracted.
    """

    tracklet: TrackletId
    first_ns: int
    first_box: Box
    last_ns: int
    last_box: Box
    opening: Floats | float = 0.0
    closing: Floats | float = 0.0
    shown_ns: int = 0
    until_ns: int = 0
    samples: float = 0.0
    unseen: bool = False
    over: bool = False
    after: tuple[Link, End] | None = None
    inherited: Floats | float = 0.0
    inherited_samples: float = 0.0
    followed_by: TrackletId | None = None
    followed_ns: int | None = None
    refused: bool = False

    def see(self, now_ns: int, track: Track) -> None:
        """The tracklet is, or is not, in this frame."""
        self.unseen = track.person is None
        if not self.unseen:
            self.last_ns, self.last_box = max(self.last_ns, now_ns), track.box

    @property
    def shown(self) -> bool:
        """Whether any of its gait was seen."""
        return not isinstance(self.closing, float)

    def add(self, embedding: Embedding, half_life_s: float) -> None:
        """Take in a window; one that overlaps those before counts for what is new in it."""
        vector = embedding.vector.numpy().astype(np.float64)
        if (
            vector.ndim != 1
            or not np.isfinite(vector).all()
            or np.shape(self.closing) not in ((), vector.shape)
        ):
            return
        span_ns = max(1, embedding.end_ns - embedding.start_ns)
        new = min(1.0, max(0.0, (embedding.end_ns - max(self.until_ns, embedding.start_ns)) / span_ns))
        weight = max(LEAST_WEIGHT, new * embedding.samples * embedding.quality)
        half_life_ns = half_life_s * NS_PER_S
        self.shown_ns = self.shown_ns or embedding.end_ns
        self.until_ns = self.until_ns or embedding.end_ns
        early = 0.5 ** (max(0, embedding.end_ns - self.shown_ns) / half_life_ns)
        late = 0.5 ** (max(0, embedding.end_ns - self.until_ns) / half_life_ns)
        self.opening = self.opening + early * weight * vector
        self.closing = late * self.closing + weight * vector
        self.samples += new * embedding.samples
        self.until_ns = max(self.until_ns, embedding.end_ns)

    def first(self, place: Place | None) -> End:
        """Where it began, and what it showed itself."""
        over_ns = self.last_ns if self.over else None
        vector = _unit(self.opening)
        return End(self.tracklet, self.first_ns, self.first_box, vector, self.samples, place, over_ns)

    def last(self, place: Place | None) -> End:
        """Where it was last, and what it and those that it continues showed."""
        samples = self.samples if self.shown else self.inherited_samples
        vector = _unit(self.closing + self.inherited)
        return End(self.tracklet, self.last_ns, self.last_box, vector, samples, place, self.followed_ns)

    def follow(self, link: Link, earlier: Seen, end: End, share: float) -> None:
        """It continues ``earlier``, which ended so; a ``share`` of what that one showed counts for it."""
        self.after, self.inherited = (link, end), share * (earlier.closing + earlier.inherited)
        self.inherited_samples = end.samples
        if earlier.followed_by is not None:  # it came in between
            self.followed_by, self.followed_ns = earlier.followed_by, earlier.followed_ns
        earlier.followed_by, earlier.followed_ns = self.tracklet, self.first_ns

    def part(self) -> None:
        """It does not continue anybody after all."""
        self.after, self.inherited, self.refused = None, 0.0, True


def _unit(total: Floats | float) -> Array:
    """Empty where nothing was shown."""
    if isinstance(total, float):
        return NOTHING
    length = float(np.linalg.norm(total))
    return Array.of((total / (length or 1.0)).astype(np.float32))


class Linker:
    """Embedded in, links and retractions out; one for all cameras."""

    def __init__(self, evidence: Evidence, config: StitchConfig | None = None) -> None:
        """``evidence``: what two vectors' inner product says, by the model's calibrated score map."""
        self._evidence, self._config = evidence, config or StitchConfig()
        self._live: dict[TrackletId, Seen] = {}
        self._ended: dict[TrackletId, Seen] = {}
        self._transits: dict[tuple[str, str], Transit] = {}
        self._asked: set[str] = set()
        self._solved_ns: dict[str, int] = {}

    @property
    def hold_s(self) -> float:
        """How long after its last sight somebody may still turn out to continue an ended tracklet."""
        return self._config.hold_s + self._config.patience_s

    @property
    def held(self) -> int:
        """How many tracklets are remembered."""
        return len(self._live) + len(self._ended)

    @property
    def transits(self) -> Mapping[tuple[str, str], Transit]:
        """What was learned of the walks between cameras."""
        return MappingProxyType(self._transits)

    def take(self, message: Embedded) -> tuple[Link | Retraction, ...]:
        """What this frame says about who continues whom: retractions first, each kind by tracklet."""
        now_ns = message.frame.captured_ns
        self._see(message)
        fresh = {embedding.tracklet for embedding in message.embeddings}
        for embedding in message.embeddings:
            if embedding.tracklet in self._live:
                self._live[embedding.tracklet].add(embedding, self._config.half_life_s)
        over = {end.tracklet for end in message.ended}
        retractions = self._review(fresh, now_ns)
        self._end(over | self._forgotten(message.frame.camera, now_ns))
        self._expire(now_ns)
        self._asked.update(key.camera for key in fresh if self._open(key))
        links = self._link(message.frame) if over or self._is_due(message.frame) else ()
        return (*retractions, *links)

    def stop(self, camera: str, run: str) -> None:
        """The camera's run is over, and with it all its tracklets."""
        self._end({key for key in self._live if (key.camera, key.run) == (camera, run)})
        self._asked.discard(camera)
        self._solved_ns.pop(camera, None)

    def _see(self, message: Embedded) -> None:
        now_ns = message.frame.captured_ns
        for track in message.tracks:
            seen = self._live.get(track.tracklet)
            if seen is None and track.confirmed and track.person is not None:
                seen = Seen(track.tracklet, now_ns, track.box, now_ns, track.box)
                self._live[track.tracklet] = seen
            if seen is not None:
                seen.see(now_ns, track)

    def _review(self, fresh: Iterable[TrackletId], now_ns: int) -> tuple[Retraction, ...]:
        """Retract the links of live tracklets that what they showed since contradicts."""
        found = []
        for key in sorted(fresh):
            seen = self._live.get(key)
            if seen is None or seen.after is None:
                continue
            link, earlier = seen.after
            retraction = review_link(link, earlier, self._first(seen), now_ns, self._evidence, self._config)
            if retraction is not None:
                found.append(retraction)
                seen.part()
                self._free(key)
        return tuple(found)

    def _free(self, key: TrackletId) -> None:
        """Whom ``key`` was thought to continue may be continued by somebody else."""
        for seen in self._ended.values():
            if seen.followed_by == key:
                seen.followed_by, seen.followed_ns = None, None

    def _end(self, keys: Iterable[TrackletId]) -> None:
        for key in sorted(keys):
            seen = self._live.pop(key, None)
            if seen is None:
                continue
            seen.over = True
            self._ended[key] = seen
            if seen.after is not None:  # it lived and nothing spoke against its link
                self._transits = learn_transit(self._transits, seen.after[0])

    def _forgotten(self, camera: str, now_ns: int) -> set[TrackletId]:
        horizon_ns = now_ns - round(self._config.forget_s * NS_PER_S)
        return {k for k, seen in self._live.items() if k.camera == camera and seen.last_ns < horizon_ns}

    def _expire(self, now_ns: int) -> None:
        """Let go of those that ended too long ago, and of the oldest where too many wait."""
        horizon_ns = now_ns - round(self.hold_s * NS_PER_S)
        self._ended = {key: seen for key, seen in self._ended.items() if seen.last_ns >= horizon_ns}
        for key in list(self._ended)[: max(0, len(self._ended) - self._config.max_waiting)]:
            del self._ended[key]

    def _is_due(self, frame: FrameRef) -> bool:
        """Whether somebody showed more of their gait, and it is time to look again."""
        waited_ns = frame.captured_ns - self._solved_ns.get(frame.camera, -NS_PER_S)
        return frame.camera in self._asked and waited_ns >= self._config.every_s * NS_PER_S

    def _open(self, key: TrackletId) -> bool:
        """Whether a tracklet may still turn out to continue an earlier one."""
        seen = self._live.get(key)
        return seen is not None and seen.after is None and not seen.refused

    def _link(self, frame: FrameRef) -> tuple[Link, ...]:
        """The new links of this camera's tracklets; those of other cameras compete, and have their turn."""
        now_ns = frame.captured_ns
        self._asked.discard(frame.camera)
        self._solved_ns[frame.camera] = now_ns
        waiting = list(self._ended.values())
        lost = [seen for seen in self._live.values() if seen.unseen]
        horizon_ns = now_ns - round(self.hold_s * NS_PER_S)
        # Who showed no gait may yet do so; once over, the way alone must tell.
        shown = [seen for seen in self._live.values() if seen.shown]
        begun = [
            seen
            for seen in (*shown, *self._ended.values())
            if seen.after is None and not seen.refused and seen.first_ns >= horizon_ns
        ]
        if not waiting or not begun:
            return ()
        lasts = {seen.tracklet: self._last(seen) for seen in (*waiting, *lost)}
        links = find_links(
            tuple(lasts.values()),
            tuple(self._first(seen) for seen in begun),
            now_ns,
            self._evidence,
            self._config,
            transits=self._transits,
            unsettled={seen.tracklet for seen in lost},
        )
        links = tuple(one for one in links if (one.later.camera, one.later.run) == (frame.camera, frame.run))
        for link in links:
            later = self._live.get(link.later) or self._ended[link.later]
            earlier = self._ended[link.earlier]
            later.follow(link, earlier, lasts[link.earlier], self._config.inherited)
        return links

    def _first(self, seen: Seen) -> End:
        return seen.first(self._ground(seen.tracklet.camera, seen.first_box))

    def _last(self, seen: Seen) -> End:
        return seen.last(self._ground(seen.tracklet.camera, seen.last_box))

    def _ground(self, camera: str, box: Box) -> Place | None:
        """Where the middle of the box's lower edge stands, in metres; None without a plane, or beyond it."""
        homography = self._config.ground.get(camera)
        if homography is None:
            return None
        foot = np.array([(box[0] + box[2]) / 2.0, box[3], 1.0])
        x, y, scale = (np.array(homography).reshape(3, 3) @ foot).tolist()
        return (x / scale, y / scale) if scale > 0 else None
