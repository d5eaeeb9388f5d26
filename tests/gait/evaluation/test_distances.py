"""Distances equal slow definitions, do not depend on blocks, and keep ties."""

import numpy as np
import pytest

from gait.evaluation.distances import blocks, distances
from stream.errors import MessageError


def slow(a, b, metric):
    if metric == "euclidean":
        return np.mean([np.linalg.norm(x - y) for x, y in zip(a, b, strict=True)])
    return 1 - np.mean([x @ y / (np.linalg.norm(x) * np.linalg.norm(y)) for x, y in zip(a, b, strict=True)])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equals_the_definition_pair_by_pair(metric) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 3, 7)).astype(np.float32), rng.normal(size=(6, 3, 7)).astype(np.float32)
    wanted = [[slow(x.astype(float), y.astype(float), metric) for y in b] for x in a]
    np.testing.assert_allclose(distances(a, b, metric), wanted, rtol=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_blocks_are_the_matrix_whatever_their_size(metric) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(23, 2, 5)).astype(np.float32), rng.normal(size=(4100, 2, 5)).astype(np.float32)
    found = np.full((23, 4100), np.nan, np.float32)
    sizes = []
    for rows, block in blocks(a, b, metric, block_bytes=5 * 4100 * 4):
        found[rows] = block
        sizes.append(len(block))
    assert sizes == [5, 5, 5, 5, 3]
    np.testing.assert_allclose(found, distances(a, b, metric), rtol=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equal_vectors_tie_wherever_they_stand(metric) -> None:
    rng = np.random.default_rng(2)
    one = rng.normal(size=(1, 16, 256)).astype(np.float32) * 100
    other = rng.normal(size=(1, 16, 256)).astype(np.float32) * 100
    found = distances(np.repeat(other, 9, 0), np.repeat(one, 4099, 0), metric)
    assert np.unique(found).size == 1
    assert not distances(np.repeat(one, 9, 0), np.repeat(one, 4099, 0), metric).any()


def test_a_strip_of_zeros_is_like_nothing() -> None:
    zero, one = np.zeros((1, 1, 4), np.float32), np.ones((1, 1, 4), np.float32)
    assert distances(zero, one, "cosine") == 1
    assert distances(zero, zero, "cosine") == 1


def test_far_vectors_of_nearly_equal_strips_are_not_negative() -> None:
    base = np.full((1, 1, 64), 1e4, np.float32)
    assert distances(base, base + np.float32(0.1)).item() == pytest.approx(0.8, rel=0.03)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 0, 4)])
def test_other_forms_are_refused(shape) -> None:
    with pytest.raises(MessageError, match=r"wanted \(N, strips, numbers\)"):
        list(blocks(np.zeros(shape, np.float32), np.zeros((2, 3, 4), np.float32)))


def test_a_vector_that_is_not_finite_is_named() -> None:
    vectors = np.zeros((4, 1, 2), np.float32)
    vectors[2, 0, 1] = np.nan
    with pytest.raises(MessageError, match="embedding 2 is not finite"):
        distances(np.zeros((1, 1, 2), np.float32), vectors)
