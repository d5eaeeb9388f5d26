"""The losses against loops over triplets and the formula of label smoothing."""

import itertools

import numpy as np
import pytest
import torch

from gait.training.losses import cross_entropy, triplet


def test_triplet_equals_a_loop_over_all_triplets() -> None:
    """Per strip: every anchor, positive, negative; the mean over those above zero; then over strips."""
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(6, 4, 3)), np.array([0, 0, 1, 1, 1, 2])
    strips, violating = [], 0
    for strip in range(3):
        terms = []
        for a, p, n in itertools.product(range(6), repeat=3):
            if a != p and labels[a] == labels[p] and labels[a] != labels[n]:
                near, far = (np.linalg.norm(values[a, :, strip] - values[k, :, strip]) for k in (p, n))
                terms.append(max(0.0, near - far + 0.2))
        strips.append(sum(terms) / sum(term > 0 for term in terms))
        violating += sum(term > 0 for term in terms)
    found = triplet(torch.from_numpy(values), torch.from_numpy(labels))
    assert found.value.item() == pytest.approx(np.mean(strips), rel=1e-6)
    assert found.active == pytest.approx(violating / (3 * len(terms)))


def test_embeddings_that_are_all_equal_still_have_a_gradient() -> None:
    """A collapsed batch costs the margin, and no gradient is broken."""
    values = torch.ones(4, 3, 2, requires_grad=True)
    loss = triplet(values, torch.tensor([0, 0, 1, 1])).value
    assert loss.item() == pytest.approx(0.2, abs=1e-5)
    loss.backward()
    assert values.grad is not None
    assert torch.isfinite(values.grad).all()


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_without_triplets_costs_nothing(labels) -> None:
    found = triplet(torch.rand(3, 4, 2), torch.tensor(labels))
    assert found.value.item() == 0
    assert found.active == 0


def test_cross_entropy_by_its_formula() -> None:
    """Scale 16; 0.9 on the truth and 0.1 spread over all classes; the mean over rows and strips."""
    rng = np.random.default_rng(1)
    logits, labels = rng.uniform(-1, 1, (2, 5, 3)), np.array([4, 1])
    scaled = 16 * logits
    log_shares = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    wanted = np.full((2, 5), 0.02)
    wanted[[0, 1], labels] += 0.9
    expected = -(wanted[:, :, None] * log_shares).sum(axis=1).mean()
    found = cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    assert found.item() == pytest.approx(expected, rel=1e-6)
