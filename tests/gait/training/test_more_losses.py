"""Batch-hard, both contrastive losses and their sum against loops in plain numpy."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.models.family import Features
from gait.training.config import (
    ContrastSection,
    CrossEntropySection,
    LossSection,
    PairSection,
    TripletSection,
)
from gait.training.losses import batch_hard, contrastive, supervised_contrastive
from gait.training.objective import Objective
from stream.errors import ConfigError, MessageError

LABELS = np.array([0, 0, 1, 1, 1, 2])


def values(seed=0, size=6):
    return np.random.default_rng(seed).normal(size=(size, 4, 3))


def slow_distance(x, a, b, strip):
    return float(np.sqrt(((x[a, :, strip] - x[b, :, strip]) ** 2).sum()))


def slow_batch_hard(x, labels, margin):
    terms = []
    for strip, a in itertools.product(range(x.shape[2]), range(len(x))):
        near = [slow_distance(x, a, b, strip) for b in range(len(x)) if labels[b] != labels[a]]
        far = [slow_distance(x, a, b, strip) for b in range(len(x)) if labels[b] == labels[a] and b != a]
        if near and far:
            terms.append(max(0.0, max(far) - min(near) + margin))
    return np.mean(terms) if terms else 0.0


def slow_supervised(x, labels, temperature):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    terms = []
    for strip, a in itertools.product(range(x.shape[2]), range(len(x))):
        others = [b for b in range(len(x)) if b != a]
        powers = {b: -slow_distance(unit, a, b, strip) / temperature for b in others}
        largest = max(powers.values())
        below = largest + np.log(sum(np.exp(power - largest) for power in powers.values()))
        logs = [powers[b] - below for b in others if labels[b] == labels[a]]
        if logs:
            terms.append(-np.mean(logs))
    return np.mean(terms) if terms else 0.0


def slow_contrastive(x, labels, margin):
    terms = []
    for strip in range(x.shape[2]):
        for a, b in itertools.combinations(range(len(x)), 2):
            d = slow_distance(x, a, b, strip)
            terms.append(d**2 if labels[a] == labels[b] else max(0.0, margin - d) ** 2)
    return np.mean(terms)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_each_loss_equals_its_loop(labels, seed) -> None:
    """For any make-up of a batch, also one without a positive or a negative."""
    x, kinds = values(seed, len(labels)), np.array(labels)
    tensors = (torch.from_numpy(x), torch.from_numpy(kinds))
    assert batch_hard(*tensors, 0.5).value.item() == pytest.approx(slow_batch_hard(x, kinds, 0.5), abs=1e-5)
    assert supervised_contrastive(*tensors, 0.1).item() == pytest.approx(
        slow_supervised(x, kinds, 0.1), abs=1e-5
    )
    assert contrastive(*tensors, 2.0).item() == pytest.approx(slow_contrastive(x, kinds, 2.0), abs=1e-5)


@pytest.mark.parametrize(
    "loss", [lambda x, y: batch_hard(x, y).value, supervised_contrastive, contrastive], ids=str
)
@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 1, 2, 3], [0, 0, 0, 0]])
def test_gradients_stay_finite_where_all_embeddings_are_equal(loss, labels) -> None:
    x = torch.ones(4, 3, 2, requires_grad=True)
    loss(x, torch.tensor(labels)).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def features(classes: int | None = 5) -> Features:
    x = torch.from_numpy(values())
    logits = (
        None if classes is None else torch.from_numpy(np.random.default_rng(3).normal(size=(6, classes, 3)))
    )
    return Features(x, x, logits)


def test_the_whole_loss_is_the_weighted_sum_of_its_terms() -> None:
    section = LossSection(
        triplet=TripletSection(weight=2.0, mining="hard", margin=0.5, unit=True),
        cross_entropy=CrossEntropySection(weight=0.5),
        supervised_contrastive=ContrastSection(weight=0.25),
        contrastive=PairSection(weight=3.0),
    )
    found = Objective(section)(features(), torch.from_numpy(LABELS))
    p = found.parts
    wanted = 2 * p["triplet"] + 0.5 * p["cross_entropy"] + 0.25 * p["supervised_contrastive"]
    assert found.total.item() == pytest.approx(wanted + 3 * p["contrastive"], rel=1e-5)
    assert 0 < p["triplet_active"] <= 1


def test_a_batch_of_one_person_is_refused_in_one_line() -> None:
    with pytest.raises(MessageError, match="all 6 clips of a batch are of one person"):
        Objective(LossSection(triplet=TripletSection()))(features(), torch.zeros(6, dtype=torch.int64))


def test_classification_without_a_classifier_is_refused() -> None:
    with pytest.raises(ConfigError, match="no classifier"):
        Objective(LossSection(cross_entropy=CrossEntropySection()))(features(None), torch.from_numpy(LABELS))
