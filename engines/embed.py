"""The embed stage: samples go into the embedder as they come, answers come out when they are due.

What is due is decided by counts of valid samples and by capture times alone, so a recorded clip gives the
same messages every time, whatever the transport and however the batches arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from gait.embedder import Answer, Embedder, Lagging
from stream.errors import MessageError
from stream.figures import Figure
from stream.messages import (
    Array,
    Box,
    ControlReply,
    ControlRequest,
    Cut,
    Embedded,
    Embedding,
    EndOfStream,
    FrameMessage,
    FrameRef,
    Sample,
    Tracked,
    TrackletId,
)
from stream.stage import PassiveStage

NANOSECONDS = 1_000_000_000
NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)


class EmbedConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the embedder is asked.

    ``first_samples``: valid samples before a segment's first answer. ``hop_samples``: valid samples between
    answers. ``window_s``: how far back an answer looks. ``forget_s``: a tracklet neither seen nor sampled for
    this long is closed, should its end never be announced.
    """

    first_samples: int = msgspec.field(default=25)  # one second of the 25 Hz grid: about one gait cycle
    hop_samples: int = msgspec.field(default=13)  # half a second: half a cycle
    window_s: float = 4.0  # three to four cycles; longer windows mix views of a person who turns
    forget_s: float = 60.0  # four times the longest that a tracker holds a lost person

    def __post_init__(self) -> None:
        for name in ("first_samples", "hop_samples", "window_s", "forget_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0")


@dataclass
class _Follow:
    """One tracklet's memory and what has been answered of it; ``pending`` counts since the last answer.

    The segment began at ``segment_ns``; the last sample is of ``sampled_ns``, the last sight of ``seen_ns``.
    """

    memory: Any
    segment_ns: int
    sampled_ns: int
    seen_ns: int
    box: Box = NOWHERE
    segment_samples: int = 0
    pending: int = 0
    answered: bool = False


class EmbedStage(PassiveStage):
    """Tracked in, Embedded out: one ``extend`` a frame (two where a segment ends inside it)."""

    def __init__(self, embedder: Embedder, config: EmbedConfig | None = None) -> None:
        self._embedder = embedder
        self._config = config or EmbedConfig()
        self._follows: dict[TrackletId, _Follow] = {}
        self._last_frame: dict[tuple[str, str], FrameRef] = {}
        self._refused = 0

    def handle(self, message: FrameMessage) -> Iterable[FrameMessage]:
        """Take in the frame's samples and answer for every tracklet whose answer is due."""
        if not isinstance(message, Tracked):
            raise MessageError(f"the embed stage got a {type(message).__name__}", wanted="Tracked")
        self._last_frame[message.frame.camera, message.frame.run] = message.frame
        self._see(message)
        due = [*self._ending_segments(message), *self._hops(message), *self._ends(message)]
        return [Embedded(message.frame, tuple(due), message.tracks, message.ended)]

    def finish(self, end: EndOfStream) -> Iterable[FrameMessage]:
        """The last answers for tracklets whose end was never announced, in the camera's last frame."""
        frame = self._last_frame.pop((end.camera, end.run), None)
        open_ids = sorted(key for key in self._follows if (key.camera, key.run) == (end.camera, end.run))
        finals = [final for key in open_ids if (final := self._close(key)) is not None]
        return [Embedded(frame, tuple(finals))] if frame is not None and finals else []

    def control(self, request: ControlRequest) -> ControlReply:
        """``embed.status``: how many tracklets are held, how many answers were refused, and the model."""
        if request.verb != "embed.status":
            return super().control(request)
        model = self._embedder.model
        held: dict[str, Any] = {"tracklets": len(self._follows), "refused": self._refused}
        return ControlReply(ok=True, result=held | {"model": model.name, "digest": model.digest})

    def figures(self) -> Iterable[Figure]:
        """How many tracklets are held, and how many of the embedder's answers were refused."""
        yield Figure("tracklets_embedded", len(self._follows))
        yield Figure("embeddings_refused", self._refused)

    def close(self) -> None:
        """Forget every tracklet."""
        self._follows.clear()
        self._last_frame.clear()

    def _see(self, message: Tracked) -> None:
        """Note where each tracklet is now."""
        for track in message.tracks:
            if (follow := self._follows.get(track.tracklet)) is not None:
                follow.box = track.box
                follow.seen_ns = max(follow.seen_ns, message.frame.captured_ns)

    def _ending_segments(self, message: Tracked) -> list[Embedding]:
        """Extend with the samples up to each cut, answer for the segments that end, then cut."""
        cuts: dict[TrackletId, Cut] = {cut.tracklet: cut for cut in message.cuts}
        before = [
            s for s in message.samples if s.tracklet not in cuts or s.captured_ns <= cuts[s.tracklet].at_ns
        ]
        after = [s for s in message.samples if s.tracklet in cuts and s.captured_ns > cuts[s.tracklet].at_ns]
        boxes = {track.tracklet: track.box for track in message.tracks}
        self._extend(before, boxes)
        answers = []
        for key in sorted(cuts):
            if (follow := self._follows.get(key)) is not None:
                answers.append(self._answer_rest(key, follow, final=False))
                self._embedder.cut(follow.memory)
                follow.segment_samples = follow.pending = 0
                follow.answered = False
                follow.segment_ns = cuts[key].at_ns + 1
        self._extend(after, boxes)
        return [answer for answer in answers if answer is not None]

    def _extend(self, samples: Sequence[Sample], boxes: dict[TrackletId, Box]) -> None:
        """One call of the embedder over every sample, in the order they came."""
        if not samples:
            return
        follows = []
        for sample in samples:
            follow = self._follows.get(sample.tracklet)
            if follow is None:
                box, at_ns = boxes.get(sample.tracklet, NOWHERE), sample.captured_ns
                follow = _Follow(self._embedder.open(), at_ns, at_ns, at_ns, box)
                self._follows[sample.tracklet] = follow
            follow.sampled_ns = max(follow.sampled_ns, sample.captured_ns)
            follow.seen_ns = max(follow.seen_ns, sample.captured_ns)
            follow.segment_samples += sample.valid
            follow.pending += sample.valid
            follows.append(follow)
        self._embedder.extend([follow.memory for follow in follows], samples)

    def _hops(self, message: Tracked) -> list[Embedding]:
        """The answers that are due by count, except for tracklets that end in this frame."""
        ended = {end.tracklet for end in message.ended}
        due = []
        for key in sorted({sample.tracklet for sample in message.samples} - ended):
            follow = self._follows[key]
            wanted = self._config.hop_samples if follow.answered else self._config.first_samples
            if follow.pending >= wanted:
                due.append(self._answer(key, follow, self._window_start(follow), final=False))
        return [answer for answer in due if answer is not None]

    def _ends(self, message: Tracked) -> list[Embedding]:
        """The final answers of tracklets that ended or were long forgotten by the tracker."""
        camera, run = message.frame.camera, message.frame.run
        horizon_ns = message.frame.captured_ns - int(self._config.forget_s * NANOSECONDS)
        over = {end.tracklet for end in message.ended}
        over |= {
            key
            for key, follow in self._follows.items()
            if (key.camera, key.run) == (camera, run) and follow.seen_ns < horizon_ns
        }
        return [final for key in sorted(over) if (final := self._close(key)) is not None]

    def _close(self, key: TrackletId) -> Embedding | None:
        """Drop a tracklet's memory; its final answer if anything is left to say."""
        follow = self._follows.pop(key, None)
        return None if follow is None else self._answer_rest(key, follow, final=True)

    def _answer_rest(self, key: TrackletId, follow: _Follow, *, final: bool) -> Embedding | None:
        """The answer for a segment that is over: None where it is too short, or a mere cut adds nothing."""
        if follow.segment_samples < self._config.first_samples or not (final or follow.pending):
            return None
        if isinstance(self._embedder, Lagging):
            self._embedder.settle(follow.memory)
        return self._answer(key, follow, self._window_start(follow), final=final)

    def _window_start(self, follow: _Follow) -> int:
        """Where a window that ends now begins: never before its segment."""
        return max(follow.segment_ns, follow.sampled_ns - int(self._config.window_s * NANOSECONDS))

    def _answer(self, key: TrackletId, follow: _Follow, start_ns: int, *, final: bool) -> Embedding | None:
        """Ask the embedder; an answer that is not a finite unit vector is refused and counted."""
        answer = self._embedder.embed(follow.memory, start_ns, follow.sampled_ns)
        follow.pending = 0
        if answer is None or not _is_sound(answer, self._embedder.model.dimension):
            self._refused += answer is not None
            return None
        follow.answered = True
        vector = Array.of(np.asarray(answer.vector, dtype=np.float32))
        model = self._embedder.model.digest
        begin_ns = start_ns if answer.start_ns is None else answer.start_ns
        end_ns = follow.sampled_ns if answer.end_ns is None else answer.end_ns
        return Embedding(
            key, begin_ns, end_ns, vector, answer.samples, answer.quality, model, follow.box, final
        )


def _is_sound(answer: Answer, dimension: int) -> bool:
    """Whether the vector has the model's dimension and, within float error, unit length."""
    if answer.vector.shape != (dimension,):
        return False
    return bool(abs(float(np.linalg.norm(answer.vector)) - 1.0) < 1e-3)
