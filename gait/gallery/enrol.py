"""From what a clip showed to templates worth keeping, or a refusal that says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from gait.gallery.records import NewTemplate
from stream.errors import GalleryError
from stream.messages import Array, Embedded, Embedding, TrackletId


class EnrolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The floor that enrolment holds, and how many templates one person gets from one clip.

    ``min_samples`` and ``min_quality`` hold for all of a person's tracks together. ``same_person``: two
    tracks of one clip that were never there at once are taken for one person from this inner product on; a
    template that is so much like somebody else's is shown first, as is one that is ``unlike`` all of its own.
    """

    min_samples: int = 50  # two seconds: two gait cycles, so that both legs lead twice
    min_quality: float = 0.3
    max_templates: int = 8
    same_person: float = 0.6
    unlike: float = 0.3  # half of what two windows of one walk reach

    def __post_init__(self) -> None:
        if self.min_samples < 1 or self.max_templates < 1 or not 0 <= self.min_quality <= 1:
            raise ValueError("`min_samples`, `max_templates` must be above 0, `min_quality` inside [0, 1]")


@dataclass(frozen=True)
class ClipTrack:
    """One track of an enrolment clip: what the embedder said of it, in time order."""

    tracklet: TrackletId
    embeddings: tuple[Embedding, ...]

    @property
    def samples(self) -> int:
        """Valid samples behind windows that do not overlap, at the least."""
        return sum(embedding.samples for embedding in apart(self.embeddings))

    @property
    def quality(self) -> float:
        """Mean quality, by samples."""
        total = sum(embedding.samples for embedding in self.embeddings)
        return sum(e.quality * e.samples for e in self.embeddings) / max(1, total)

    def beside(self, other: ClipTrack) -> bool:
        """Whether both were there at once, and so are two people."""
        mine, theirs = self.embeddings, other.embeddings
        return mine[0].start_ns < theirs[-1].end_ns and theirs[0].start_ns < mine[-1].end_ns


@dataclass(frozen=True)
class NamedTemplates:
    """Templates by name, and by name why nothing was kept of the others."""

    kept: Mapping[str, tuple[NewTemplate, ...]]
    refused: Mapping[str, str]


def clip_tracks(messages: Iterable[Embedded]) -> tuple[ClipTrack, ...]:
    """The tracks of a clip, by tracklet; those that gave no embedding are not there."""
    found: dict[TrackletId, list[Embedding]] = {}
    for message in messages:
        for embedding in message.embeddings:
            found.setdefault(embedding.tracklet, []).append(embedding)
    return tuple(
        ClipTrack(key, tuple(sorted(found[key], key=lambda e: (e.end_ns, e.start_ns))))
        for key in sorted(found)
    )


def apart(embeddings: Sequence[Embedding]) -> tuple[Embedding, ...]:
    """Windows that do not overlap, the latest and longest first chosen, in time order."""
    chosen: list[Embedding] = []
    for embedding in sorted(embeddings, key=lambda e: (e.samples, e.end_ns), reverse=True):
        if all(embedding.end_ns <= c.start_ns or c.end_ns <= embedding.start_ns for c in chosen):
            chosen.append(embedding)
    return tuple(sorted(chosen, key=lambda e: e.start_ns))


def templates_of(
    tracks: Sequence[ClipTrack], source: str, config: EnrolConfig | None = None
) -> tuple[NewTemplate, ...]:
    """One person's best windows over all their tracks; raises GalleryError below the floor."""
    config = config or EnrolConfig()
    where = f"{source}, track {', '.join(str(track.tracklet) for track in tracks)}"
    samples = sum(track.samples for track in tracks)
    if samples < config.min_samples:
        what = f"{samples} valid samples are too few to enrol"
        fix = "Let the person walk longer in full view"
        raise GalleryError(what, where=where, wanted=f"at least {config.min_samples}", fix=fix)
    quality = sum(track.quality * track.samples for track in tracks) / samples
    if quality < config.min_quality:
        what = f"quality {quality:.2f} is too low to enrol"
        fix = "Use a clip with the whole body in view, nearer and unhidden"
        raise GalleryError(what, where=where, wanted=f"at least {config.min_quality:.2f}", fix=fix)
    windows = [window for track in tracks for window in apart(track.embeddings)]
    return window_templates(windows, source, config.max_templates)


def window_templates(windows: Sequence[Embedding], source: str, limit: int) -> tuple[NewTemplate, ...]:
    """At most ``limit`` templates of windows that do not overlap: all of them as one, then the best."""
    best = sorted(windows, key=lambda e: (e.quality, e.samples), reverse=True)
    single = tuple(_template(window, source) for window in best)
    return single if len(single) < 2 else (_whole(windows, source), *single)[:limit]


def enrol_one(
    tracks: Sequence[ClipTrack], source: str, config: EnrolConfig | None = None
) -> tuple[NewTemplate, ...]:
    """The templates of the one person in a clip, whose track may have been broken into several.

    Raises GalleryError where nobody is there long enough, or more than one person is.
    """
    config = config or EnrolConfig()
    if not tracks:
        fix = "Use a clip in which one person walks for a few seconds in full view"
        raise GalleryError("nobody walks long enough to be enrolled", where=source, fix=fix)
    main = max(tracks, key=lambda track: track.samples)
    theirs = [main]
    for track in tracks:
        same = (
            not any(track.beside(other) for other in theirs) and _likeness(main, track) >= config.same_person
        )
        if same and track is not main:
            theirs.append(track)
        elif track is not main and track.samples >= config.min_samples:
            fix = "Say which track is the person's, or use a clip with one person"
            both = f"{main.tracklet}, {track.tracklet}"
            raise GalleryError(f"several people walk in it ({both})", where=source, wanted="one", fix=fix)
    return templates_of(theirs, source, config)


def enrol_named(
    tracks: Sequence[ClipTrack],
    names: Mapping[TrackletId, str],
    source: str,
    config: EnrolConfig | None = None,
) -> NamedTemplates:
    """Templates by name for a clip whose tracks somebody named; tracks without a name are left out.

    Whose tracks are below the floor, or gave nothing, is refused by name; the others are kept.
    """
    kept: dict[str, tuple[NewTemplate, ...]] = {}
    refused: dict[str, str] = {}
    for name in sorted(set(names.values())):
        theirs = [track for track in tracks if names.get(track.tracklet) == name]
        try:
            if not theirs:
                what = f"{name} has no track long enough"
                raise GalleryError(what, where=source, fix="Use a longer clip")
            kept[name] = templates_of(theirs, source, config)
        except GalleryError as error:
            refused[name] = str(error)
    return NamedTemplates(kept, refused)


def _likeness(one: ClipTrack, other: ClipTrack) -> float:
    """The best inner product between two tracks' windows."""
    first, second = (np.stack([e.vector.numpy() for e in apart(t.embeddings)]) for t in (one, other))
    return float((first @ second.T).max())


def _whole(windows: Sequence[Embedding], source: str) -> NewTemplate:
    """The track as a whole: what somebody is compared with who is seen as long; windows serve short views."""
    samples = sum(window.samples for window in windows)
    vectors = np.stack([window.vector.numpy().astype(np.float64) for window in windows])
    total = np.array([window.samples for window in windows]) @ vectors
    vector = Array.of((total / np.linalg.norm(total)).astype(np.float32))
    quality = sum(window.samples * window.quality for window in windows) / samples
    return NewTemplate(vector, windows[0].model, samples, quality, source)


def _template(embedding: Embedding, source: str) -> NewTemplate:
    vector = Array.of(embedding.vector.numpy())
    return NewTemplate(vector, embedding.model, embedding.samples, embedding.quality, source)
