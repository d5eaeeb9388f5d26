"""The streaming embedder answers what the net would over the whole segment, sample by sample."""

import numpy as np
import pytest
import torch

from engines.export import export_onnx
from engines.streaming_embedder import StreamingConfig, StreamingEmbedder
from gait.embedder import Answer, Embedder, Lagging
from gait.inputs import Walk, prepare
from gait.models import registry
from gait.models.family import GaitNet
from gait.models.input_spec import spec_of
from gait.sample import sample_walk
from stream.errors import WeightsError
from stream.messages import Array, Sample, TrackletId
from tests.strategies_skeletons import worn

STEP_NS = 40_000_000
SINGLE = StreamingConfig(block_samples=1)
NETS = ("deepgaitv2", "silskeletongait")


def samples_of(walk: Walk, n: int = 0, invalid: tuple[int, ...] = ()) -> list[Sample]:
    assert walk.joints_3d is not None
    return [
        Sample(
            tracklet=TrackletId("cam", "run", n),
            captured_ns=t * STEP_NS,
            silhouette=Array.of(walk.silhouettes[t]),
            joints_2d=Array.of(walk.joints_2d[t].astype(np.float32)),
            joints_3d=Array.of(walk.joints_3d[t]),
            valid=t not in invalid,
            weight=0.5 if t % 2 else 1.0,
        )
        for t in range(len(walk.silhouettes))
    ]


@pytest.fixture(scope="module")
def nets(tmp_path_factory) -> dict[str, tuple[GaitNet, StreamingEmbedder]]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("streaming")
    made = {}
    for name in NETS:
        torch.manual_seed(3)
        net = worn(registry.build(name, "tiny"))
        export_onnx(net, folder / name, frames=8)
        made[name] = (net, StreamingEmbedder(folder / name, SINGLE))
    return made


def fed(embedder: Embedder, samples: list[Sample]):
    memory = embedder.open()
    for sample in samples:
        embedder.extend([memory], [sample])
    return memory


def answered(answer: Answer | None) -> Answer:
    assert answer is not None
    return answer


def whole(net: GaitNet, walk: Walk, valid: list[bool]) -> np.ndarray:
    """One forward over the segment, the maximum over the frames marked."""
    frames = torch.from_numpy(prepare(spec_of(net), walk))[None]
    with torch.no_grad():
        return net.vector(net(frames, torch.tensor([valid])))[0].numpy()


@pytest.mark.parametrize("name", NETS)
def test_a_window_is_one_forward_over_the_segment(nets, name) -> None:
    """All of it, a part of it, with refused samples left out of the maximum: to 1e-5."""
    net, embedder = nets[name]
    walk = sample_walk(1, 12)
    memory = fed(embedder, samples_of(walk, invalid=(4, 5)))
    embedder.settle(memory)
    for start, end in ((0, 11), (3, 8), (11, 11)):
        answer = answered(embedder.embed(memory, start * STEP_NS, end * STEP_NS))
        marks = [start <= t <= end and t not in (4, 5) for t in range(12)]
        np.testing.assert_allclose(answer.vector, whole(net, walk, marks), atol=1e-5)
        assert (answer.samples, answer.start_ns, answer.end_ns) == (
            sum(marks),
            start * STEP_NS,
            end * STEP_NS,
        )
        assert np.linalg.norm(answer.vector) == pytest.approx(1, abs=1e-6)
    assert embedder.embed(memory, 4 * STEP_NS, 5 * STEP_NS) is None
    assert embedder.embed(memory, 50 * STEP_NS, 60 * STEP_NS) is None


@pytest.mark.parametrize("name", NETS)
def test_an_answer_in_mid_segment_covers_what_has_come_out(nets, name) -> None:
    """Of frames whose neighbours are known; it equals the whole segment's forward, frames to come included."""
    net, embedder = nets[name]
    walk, lag = sample_walk(1, 14), 3
    samples, memory = samples_of(walk), embedder.open()
    for t, sample in enumerate(samples):
        embedder.extend([memory], [sample])
        answer = embedder.embed(memory, 0, sample.captured_ns)
        assert (answer is None) == (t < lag)
        if answer is not None:
            marks = [frame <= t - lag for frame in range(14)]
            np.testing.assert_allclose(answer.vector, whole(net, walk, marks), atol=1e-5)
            assert answer.end_ns == (t - lag) * STEP_NS


@pytest.mark.parametrize("batch", [1, 4])
def test_random_tracks_with_gaps_and_hops_are_exact(nets, tmp_path, batch: int) -> None:
    """Tracks that begin and end anywhere, side by side, cut and refused at random: each answer to 1e-5."""
    net, _ = nets["deepgaitv2"]
    export_onnx(net, tmp_path / "net", frames=4)
    embedder = StreamingEmbedder(tmp_path / "net", StreamingConfig(block_samples=2, batch=batch))
    rng = np.random.default_rng(batch)
    tracks = []
    for n in range(6):
        length = int(rng.integers(5, 16))
        walk = sample_walk(n, length)
        refused = tuple(int(t) for t in np.flatnonzero(rng.random(length) < 0.2))
        tracks.append((walk, samples_of(walk, n, refused), int(rng.integers(0, 6)), embedder.open()))
    for now in range(22):
        due = [
            (memory, samples[now - begin])
            for _, samples, begin, memory in tracks
            if 0 <= now - begin < len(samples)
        ]
        if due:
            embedder.extend([memory for memory, _ in due], [sample for _, sample in due])
    for walk, samples, _, memory in tracks:
        embedder.settle(memory)
        for _ in range(3):
            start, end = sorted(int(t) for t in rng.integers(0, len(samples), 2))
            answer = embedder.embed(memory, start * STEP_NS, end * STEP_NS)
            first = start + start % 2
            last = end if end == len(samples) - 1 or end % 2 else end - 1
            marks = [first <= t <= last and samples[t].valid for t in range(len(samples))]
            assert (answer is None) == (not any(marks))
            if answer is not None:
                np.testing.assert_allclose(answer.vector, whole(net, walk, marks), atol=1e-5)


def test_asking_changes_nothing(nets) -> None:
    """An answer halfway leaves what comes after as it would have been."""
    _, embedder = nets["deepgaitv2"]
    samples = samples_of(sample_walk(2, 9))
    asked, quiet = embedder.open(), fed(embedder, samples)
    for sample in samples:
        embedder.extend([asked], [sample])
        embedder.embed(asked, 0, sample.captured_ns)
    for memory in (asked, quiet):
        embedder.settle(memory)
    one, other = (answered(embedder.embed(m, 0, 9 * STEP_NS)) for m in (asked, quiet))
    np.testing.assert_array_equal(one.vector, other.vector)
    assert one.quality == pytest.approx(np.mean([1.0, 0.5] * 4 + [1.0]))


def test_who_else_is_in_view_does_not_matter(nets) -> None:
    """Two people and repeated memories in one batch give each the very bytes they get alone."""
    _, embedder = nets["silskeletongait"]
    first, second = (samples_of(sample_walk(seed, 8), seed) for seed in (1, 2))
    a, b = embedder.open(), embedder.open()
    for t in range(0, 8, 2):
        embedder.extend([a, b, a, b], [first[t], second[t], first[t + 1], second[t + 1]])
    for memory, samples in ((a, first), (b, second)):
        alone = answered(embedder.embed(fed(embedder, samples), 0, 9 * STEP_NS))
        together = answered(embedder.embed(memory, 0, 9 * STEP_NS))
        np.testing.assert_array_equal(alone.vector, together.vector)


def test_after_a_cut_nothing_is_left_of_before(nets) -> None:
    _, embedder = nets["silskeletongait"]
    before, after = samples_of(sample_walk(1, 6)), samples_of(sample_walk(2, 6))
    memory = fed(embedder, before)
    embedder.cut(memory)
    assert embedder.embed(memory, 0, 9 * STEP_NS) is None
    for sample in after:
        embedder.extend([memory], [sample])
    fresh = answered(embedder.embed(fed(embedder, after), 0, 9 * STEP_NS))
    np.testing.assert_array_equal(answered(embedder.embed(memory, 0, 9 * STEP_NS)).vector, fresh.vector)


def test_memory_is_bounded(nets, tmp_path) -> None:
    """Old blocks make way; what is left is what a window over the newest samples sees."""
    net, _ = nets["deepgaitv2"]
    export_onnx(net, tmp_path / "net", frames=4)
    small = StreamingEmbedder(tmp_path / "net", StreamingConfig(memory_samples=4, block_samples=3))
    memory = fed(small, samples_of(sample_walk(1, 14)))
    assert len(memory.blocks) == 2
    answer = answered(small.embed(memory, 0, 20 * STEP_NS))
    assert (answer.samples, answer.start_ns, answer.end_ns) == (5, 6 * STEP_NS, 10 * STEP_NS)
    small.settle(memory)
    assert answered(small.embed(memory, 0, 20 * STEP_NS)).end_ns == 13 * STEP_NS


def test_a_segment_shorter_than_the_look_ahead_is_settled_too(nets) -> None:
    net, embedder = nets["deepgaitv2"]
    walk = sample_walk(1, 2)
    memory = fed(embedder, samples_of(walk))
    assert embedder.embed(memory, 0, STEP_NS) is None
    embedder.settle(memory)
    answer = answered(embedder.embed(memory, 0, STEP_NS))
    np.testing.assert_allclose(answer.vector, whole(net, walk, [True, True]), atol=1e-5)
    assert isinstance(embedder, Lagging)


def test_a_model_says_which_embedding_it_gives(nets, tmp_path) -> None:
    """Galleries of embed_1 and embed_2 must not be compared, so their digests differ."""
    net, embedder = nets["deepgaitv2"]
    export_onnx(net, tmp_path / "net", frames=4, which="embed_2")
    other = StreamingEmbedder(tmp_path / "net").model
    assert embedder.model.dimension == other.dimension == 512
    assert embedder.model.digest != other.digest


def test_files_that_do_not_belong_together_are_refused(nets, tmp_path) -> None:
    """Missing, garbage, another net's head, a net that wants motion."""
    with pytest.raises(WeightsError, match="no such net"):
        StreamingEmbedder(tmp_path / "none")
    one, other = (worn(registry.build("deepgaitv2", "tiny"), seed) for seed in (1, 2))
    export_onnx(one, tmp_path / "net", frames=4)
    export_onnx(other, tmp_path / "other", frames=4)
    (tmp_path / "other.head.onnx").replace(tmp_path / "net.head.onnx")
    with pytest.raises(WeightsError, match="not of one net"):
        StreamingEmbedder(tmp_path / "net")
    (tmp_path / "net.trunk.onnx").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot read"):
        StreamingEmbedder(tmp_path / "net")
    export_onnx(registry.build("hybridgait", "tiny").eval(), tmp_path / "hybrid", frames=4)
    with pytest.raises(WeightsError, match="motion"):
        StreamingEmbedder(tmp_path / "hybrid")
