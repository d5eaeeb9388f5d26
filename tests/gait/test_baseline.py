"""The baseline compares people and not poses, sides, orders or lengths; its memory is bounded."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.baseline import VIEWS_DEGREES, VIEWS_FILE, BaselineConfig, BaselineEmbedder, aside_of, view_shares
from gait.embedder import Answer
from stream.messages import Array, Sample
from tests.strategies_gallery import START_NS, tracklet

GRID_NS = 40_000_000
EMBEDDER = BaselineEmbedder()
MODEL = EMBEDDER.model


def joints(degrees: float = 0.0, *, leftwards: bool = False) -> Array:
    """Joints that face right (or left), turned ``degrees`` towards the camera: x right, y down, z ahead."""
    turn = np.radians(degrees)
    across = np.array([-np.sin(turn), 0.0, -np.cos(turn)], np.float32)
    if leftwards:
        across[2] *= -1
    found = np.zeros((16, 3), np.float32)
    found[1], found[4], found[13], found[10] = 0.1 * across, -0.1 * across, 0.2 * across, -0.2 * across
    return Array.of(found)


def silhouette(person: int, phase: int = 0) -> np.ndarray:
    """A figure of a girth and a head of its own, whose legs swing."""
    image = np.zeros((64, 44), np.uint8)
    girth, head = 5 + person % 4, 3 + person // 4
    image[:10, 22 - head : 22 + head] = 255
    image[10:36, 22 - girth : 22 + girth] = 255
    swing = round(6 * np.sin(2 * np.pi * phase / 12))
    for row in range(36, 64):
        shift = swing * (row - 36) // 28
        for sign in (-1, 1):
            image[row, 19 + sign * shift : 25 + sign * shift] = 255
    return image


def sample(
    k: int, image: np.ndarray, at: Array | None = None, *, valid: bool = True, weight: float = 1.0
) -> Sample:
    flat = Array.of(np.zeros((16, 3), np.float32))
    place = joints() if at is None else at
    return Sample(tracklet(0), START_NS + k * GRID_NS, Array.of(image), flat, place, valid, weight)


def walk(person: int, count: int = 48, start: int = 0, **where: bool) -> list[Sample]:
    images = [silhouette(person, k + start) for k in range(count)]
    if where.get("leftwards"):
        images = [image[:, ::-1] for image in images]
    return [sample(k, image, joints(**where)) for k, image in enumerate(images)]


def embed(samples: Sequence[Sample], config: BaselineConfig | None = None) -> Answer | None:
    embedder = BaselineEmbedder(config) if config else EMBEDDER
    memory = embedder.open()
    embedder.extend([memory] * len(samples), samples)
    return embedder.embed(memory, START_NS, START_NS + 10_000 * GRID_NS)


def vector(samples: Sequence[Sample]) -> np.ndarray:
    answer = embed(samples)
    assert answer is not None
    return answer.vector


def test_a_vector_is_what_the_model_says() -> None:
    answer = embed(walk(0))
    assert answer is not None
    assert answer.vector.shape == (MODEL.dimension,)
    assert answer.vector.dtype == np.float32
    assert np.linalg.norm(answer.vector) == pytest.approx(1.0, abs=1e-5)
    assert (answer.samples, answer.quality) == (48, 1.0)


def test_the_same_person_is_nearer_than_another_whatever_the_phase() -> None:
    people = range(8)
    gallery = np.stack([vector(walk(person)) for person in people])
    probes = np.stack([vector(walk(person, count=40, start=5)) for person in people])
    scores = probes @ gallery.T
    assert (scores.argmax(axis=1) == np.arange(8)).all()
    assert scores.diagonal().min() > 0.97


@pytest.mark.parametrize("person", [0, 5])
def test_walking_to_the_left_is_walking_to_the_right_mirrored(person: int) -> None:
    np.testing.assert_allclose(vector(walk(person)), vector(walk(person, leftwards=True)), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.floats(-90, 90), st.booleans())
def test_directions_are_read_off_the_joints(degrees: float, leftwards: bool) -> None:
    aside = aside_of(joints(degrees, leftwards=leftwards))
    found_leftwards, shares = view_shares([aside] * 5)
    assert shares.shape == (5, 13)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-4)
    np.testing.assert_allclose(shares @ VIEWS_DEGREES, degrees, atol=0.01)
    if abs(degrees) < 89:
        assert found_leftwards == leftwards


def test_every_sample_has_a_direction_of_its_own_and_slips_are_smoothed() -> None:
    turning = [aside_of(joints(float(degrees))) for degrees in np.linspace(-40, 40, 81)]
    turning[30], turning[50] = aside_of(joints(80.0, leftwards=True)), None
    leftwards, shares = view_shares(turning)
    assert not leftwards
    np.testing.assert_allclose((shares @ VIEWS_DEGREES)[6:-6], np.linspace(-40, 40, 81)[6:-6], atol=2.0)


def test_without_joints_a_person_is_taken_to_walk_right() -> None:
    bare = [sample(k, silhouette(0, k)) for k in range(48)]
    bare = [Sample(s.tracklet, s.captured_ns, s.silhouette, s.joints_2d, None, True, 1.0) for s in bare]
    np.testing.assert_allclose(vector(bare), vector(walk(0)), atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(draw) -> None:
    samples = walk(3, count=24)
    shuffled = list(samples)
    draw.shuffle(shuffled)
    np.testing.assert_allclose(vector(samples), vector(shuffled), atol=1e-5)


def test_invalid_and_weightless_samples_leave_no_trace() -> None:
    noise = np.full((64, 44), 255, np.uint8)
    bad = [sample(100 + k, noise, valid=False) for k in range(50)]
    bad += [sample(200 + k, noise, weight=0.0) for k in range(50)]
    np.testing.assert_array_equal(vector(walk(1)), vector([*walk(1), *bad]))
    assert embed(bad) is None


def test_two_people_in_one_silhouette_are_left_out() -> None:
    both = silhouette(1).copy()
    both[:, 28:44] = 255
    answer = embed([*walk(1), *(sample(100 + k, both) for k in range(10))])
    assert answer is not None
    np.testing.assert_allclose(answer.vector, vector(walk(1)), atol=1e-6)
    assert answer.samples == 48
    assert answer.quality < 1.0


def test_heavier_samples_count_for_more() -> None:
    light = [sample(100 + k, silhouette(2, k), weight=0.1) for k in range(48)]
    mixed = vector([*walk(1), *light])
    assert mixed @ vector(walk(1)) > mixed @ vector(walk(2))


def test_a_window_holds_what_was_captured_in_it() -> None:
    memory = EMBEDDER.open()
    samples = [*walk(1, count=24), *(sample(100 + k, silhouette(2, k)) for k in range(24))]
    EMBEDDER.extend([memory] * len(samples), samples)
    late = EMBEDDER.embed(memory, START_NS + 100 * GRID_NS, START_NS + 200 * GRID_NS)
    assert late is not None
    np.testing.assert_array_equal(late.vector, vector(walk(2, count=24)))
    assert EMBEDDER.embed(memory, 0, START_NS - 1) is None


def test_a_cut_forgets() -> None:
    memory = EMBEDDER.open()
    EMBEDDER.extend([memory] * 24, walk(1, count=24))
    EMBEDDER.cut(memory)
    assert EMBEDDER.embed(memory, 0, 2**62) is None


def test_memory_is_bounded() -> None:
    memory = EMBEDDER.open()
    for _ in range(20):
        EMBEDDER.extend([memory] * 48, walk(1))
    answer = EMBEDDER.embed(memory, 0, 2**62)
    assert answer is not None
    assert answer.samples == len(memory.samples) == BaselineConfig().memory_samples


def test_memories_do_not_mix() -> None:
    one, other = EMBEDDER.open(), EMBEDDER.open()
    pairs = [
        (memory, s) for a, b in zip(walk(1), walk(2), strict=True) for memory, s in ((one, a), (other, b))
    ]
    EMBEDDER.extend([memory for memory, _ in pairs], [s for _, s in pairs])
    answer = EMBEDDER.embed(other, 0, 2**62)
    assert answer is not None
    np.testing.assert_array_equal(answer.vector, vector(walk(2)))


def test_an_empty_silhouette_tells_nothing_false() -> None:
    answer = embed([sample(k, np.zeros((64, 44), np.uint8)) for k in range(30)])
    assert answer is None or np.isfinite(answer.vector).all()


def test_the_digest_stands_for_every_parameter() -> None:
    assert BaselineEmbedder().model == MODEL
    assert BaselineEmbedder(BaselineConfig(steady_share=0.31)).model.digest != MODEL.digest
    with pytest.raises(ValueError, match="memory_samples"):
        BaselineConfig(memory_samples=0)


def test_the_average_people_are_people() -> None:
    views = np.load(VIEWS_FILE, allow_pickle=False)
    assert (views.shape, views.dtype) == ((13, 64, 44), np.uint8)
    front, side = views[-1].astype(float), views[6].astype(float)
    for view in views:
        assert view[2:8, 19:25].mean() > 150  # a head in the middle
        assert view[:, 0].mean() < 10  # and nothing at the rim
    assert np.abs(front - front[:, ::-1]).mean() < np.abs(side - side[:, ::-1]).mean() + 10
