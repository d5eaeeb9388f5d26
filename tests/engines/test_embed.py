"""The embed stage asks when an answer is due, by counts and capture times alone, and forgets what is over."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.embed import EmbedConfig, EmbedStage
from gait.embedder import Answer, ModelInfo
from stream.errors import MessageError
from stream.messages import (
    Array,
    ControlRequest,
    Cut,
    Embedded,
    Embedding,
    EndOfStream,
    People,
    Sample,
    Track,
    Tracked,
    TrackEnd,
    encode,
)
from tests.strategies_gallery import BOX, START_NS, frame, tracklet

GRID_NS = 40_000_000
SILHOUETTE = Array.of(np.zeros((64, 44), np.uint8))
JOINTS = Array.of(np.zeros((16, 3), np.float32))


MODEL = ModelInfo("counter", "c" * 32, 4)


@dataclass
class Counter:
    """An embedder whose answer tells how many samples it was asked about; it records every call."""

    model: ModelInfo = MODEL
    vector: Sequence[float] = (1.0, 0.0, 0.0, 0.0)
    calls: list[int] = field(default_factory=list)
    opened: list[list[int]] = field(default_factory=list)

    def open(self) -> list[int]:
        self.opened.append([])
        return self.opened[-1]

    def extend(self, memories: Sequence[list[int]], samples: Sequence[Sample]) -> None:
        self.calls.append(len(samples))
        for memory, sample in zip(memories, samples, strict=True):
            if sample.valid:
                memory.append(sample.captured_ns)

    def cut(self, memory: list[int]) -> None:
        memory.clear()

    def embed(self, memory: list[int], start_ns: int, end_ns: int) -> Answer | None:
        seen = sum(start_ns <= at <= end_ns for at in memory)
        return Answer(np.array(self.vector, np.float32), seen, 0.9) if seen else None


def sample(k: int, n: int = 0, *, valid: bool = True, camera: str = "door") -> Sample:
    at_ns = START_NS + k * GRID_NS
    return Sample(tracklet(n, camera), at_ns, SILHOUETTE, JOINTS, None, valid, 1.0 if valid else 0.0)


def tracked(k: int, samples: Sequence[Sample] = (), *, cuts=(), ended=(), ns=(0,), camera="door") -> Tracked:
    tracks = tuple(Track(tracklet(n, camera), BOX, 0) for n in ns)
    ends = tuple(TrackEnd(tracklet(n, camera), START_NS, START_NS + k * GRID_NS, "lost") for n in ended)
    return Tracked(frame(k, camera), tracks, tuple(samples), tuple(cuts), ends)


def answers(stage: EmbedStage, message: Tracked) -> tuple[Embedding, ...]:
    (out,) = stage.handle(message)
    assert isinstance(out, Embedded)
    assert (out.frame, out.tracks, out.ended) == (message.frame, message.tracks, message.ended)
    return out.embeddings


CONFIG = EmbedConfig(first_samples=10, hop_samples=5, window_s=0.5)
END = EndOfStream("door", "run", 100, START_NS)


def test_the_first_answer_comes_after_the_first_samples_and_then_each_hop() -> None:
    stage = EmbedStage(Counter(), CONFIG)
    due = [k for k in range(30) if answers(stage, tracked(k, [sample(k)]))]
    assert due == [9, 14, 19, 24, 29]


def test_invalid_samples_bring_no_answer_nearer() -> None:
    stage = EmbedStage(Counter(), CONFIG)
    due = [k for k in range(30) if answers(stage, tracked(k, [sample(k, valid=k % 2 == 0)]))]
    assert due == [18, 28]


def test_an_answer_looks_back_one_window_and_not_before_its_segment() -> None:
    stage = EmbedStage(Counter(), CONFIG)
    given_ = [e for k in range(30) for e in answers(stage, tracked(k, [sample(k)]))]
    assert [e.samples for e in given_] == [10, 13, 13, 13, 13]  # 0.5 s back on the 25 Hz grid, both ends in
    assert given_[0].start_ns == START_NS
    assert all(e.box == BOX and e.model == "c" * 32 and not e.final for e in given_)


def test_one_extend_a_frame_over_everybody() -> None:
    embedder = Counter()
    stage = EmbedStage(embedder, CONFIG)
    for k in range(5):
        answers(stage, tracked(k, [sample(k, 0), sample(k, 1), sample(k, 2)], ns=(0, 1, 2)))
    answers(stage, tracked(5))
    assert embedder.calls == [3] * 5


def test_a_track_that_ends_gives_its_last_answer_and_is_forgotten() -> None:
    stage = EmbedStage(Counter(), CONFIG)
    for k in range(12):
        answers(stage, tracked(k, [sample(k)]))
    (final,) = answers(stage, tracked(12, [sample(12)], ended=(0,)))
    assert final.final
    assert final.end_ns == START_NS + 12 * GRID_NS
    assert stage.control(ControlRequest("embed.status")).result["tracklets"] == 0


def test_a_track_that_ends_too_soon_says_nothing() -> None:
    stage = EmbedStage(Counter(), CONFIG)
    for k in range(8):
        answers(stage, tracked(k, [sample(k)]))
    assert answers(stage, tracked(8, ended=(0,))) == ()


def test_a_cut_ends_the_window_and_what_follows_starts_anew() -> None:
    stage = EmbedStage(Counter(), CONFIG)
    for k in range(12):
        answers(stage, tracked(k, [sample(k)]))
    cut = Cut(tracklet(0), START_NS + 12 * GRID_NS, "merged")
    (last,) = answers(stage, tracked(20, [sample(12), sample(20)], cuts=[cut]))
    assert (last.end_ns, last.final) == (START_NS + 12 * GRID_NS, False)
    due = [e for k in range(21, 30) for e in answers(stage, tracked(k, [sample(k)]))]
    assert [e.samples for e in due] == [10]
    assert due[0].start_ns > cut.at_ns


def test_the_end_of_the_stream_brings_the_answers_of_tracks_that_never_ended() -> None:
    stage = EmbedStage(Counter(), CONFIG)
    for k in range(12):
        answers(stage, tracked(k, [sample(k, 0), sample(k, 1)], ns=(0, 1)))
        answers(stage, tracked(k, [sample(k, 0, camera="yard")], camera="yard"))
    (out,) = stage.finish(END)
    assert isinstance(out, Embedded)
    assert [(e.tracklet.n, e.final) for e in out.embeddings] == [(0, True), (1, True)]
    assert out.frame == frame(11)
    assert list(stage.finish(END)) == []
    assert stage.control(ControlRequest("embed.status")).result["tracklets"] == 1


def test_a_track_whose_end_is_never_announced_is_closed_in_time() -> None:
    stage = EmbedStage(Counter(), EmbedConfig(first_samples=10, hop_samples=5, forget_s=2.0))
    for k in range(12):
        answers(stage, tracked(k, [sample(k)]))
    assert [answers(stage, tracked(k, ns=())) for k in range(12, 62)] == [()] * 50
    assert [e.final for e in answers(stage, tracked(62, ns=()))] == [True]


@pytest.mark.parametrize(
    "vector", [(np.nan, 0, 0, 0), (np.inf, 0, 0, 0), (0, 0, 0, 0), (2, 0, 0, 0), (1, 0)], ids=str
)
def test_an_embedder_that_fails_is_refused_and_counted(vector) -> None:
    stage = EmbedStage(Counter(vector=vector), CONFIG)
    assert not any(answers(stage, tracked(k, [sample(k)])) for k in range(15))
    assert stage.control(ControlRequest("embed.status")).result["refused"] == 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=6), max_size=60), st.data())
def test_the_same_samples_give_the_same_bytes_and_no_more_answers_than_hops(frames, data) -> None:
    messages = []
    for k, row in enumerate(frames):
        ended = data.draw(st.sets(st.integers(0, 3), max_size=1))
        picked = dict(row)
        messages.append(
            tracked(k, [sample(k, n, valid=v) for n, v in picked.items()], ended=ended, ns=range(4))
        )
    runs = []
    for _ in range(2):
        stage = EmbedStage(Counter(), CONFIG)
        runs.append(b"".join(encode(m) for message in messages for m in stage.handle(message)))
    assert runs[0] == runs[1]
    stage = EmbedStage(Counter(), CONFIG)
    given_ = [e for message in messages for e in answers(stage, message)]
    valid = sum(s.valid for message in messages for s in message.samples)
    assert len([e for e in given_ if not e.final]) <= valid / CONFIG.hop_samples


def test_a_message_of_another_hop_is_refused() -> None:
    with pytest.raises(MessageError, match="embed stage got a People"):
        list(EmbedStage(Counter(), CONFIG).handle(People(frame(0), ())))


@pytest.mark.parametrize("name", ["first_samples", "hop_samples", "window_s", "forget_s"])
def test_a_config_without_sense_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        EmbedConfig(**{name: 0})


def test_unknown_requests_are_answered() -> None:
    reply = EmbedStage(Counter()).control(ControlRequest("embed.stop"))
    assert not reply.ok
    assert "embed.stop" in reply.error
