"""GaitInference: similarity, identification and the attention picture, on sequences as they come."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

from gait.models import checkpoints, registry
from gait.models.gait_inference import GaitInference, attention_received
from gait.models.siamesegait import SiameseGait
from stream.errors import MessageError, ResourceError, WeightsError
from tests.gait.models.test_siamesegait import SMALL, sequence
from tests.strategies_skeletons import walk, worn


@pytest.fixture
def inference() -> GaitInference:
    return GaitInference(worn(SiameseGait(SMALL)))


def test_a_walk_is_most_like_itself(inference: GaitInference) -> None:
    one, other = walk(60, 25, 3, 0), walk(60, 25, 3, 1)
    similarity, distance = inference.compute_similarity(one, one)
    assert similarity == pytest.approx(1.0, abs=1e-6)
    assert distance == pytest.approx(0.0, abs=1e-3)
    assert inference.compute_similarity(one, other)[0] < similarity


def test_similarity_is_symmetric_and_distance_follows_from_it(inference: GaitInference) -> None:
    one, other = walk(40, 25, 3, 0), walk(75, 25, 3, 1)
    similarity, distance = inference.compute_similarity(one, other)
    assert inference.compute_similarity(other, one) == pytest.approx((similarity, distance), abs=1e-6)
    assert distance**2 == pytest.approx(2 - 2 * similarity, abs=1e-5)


def test_the_same_walk_elsewhere_and_taller_is_the_same(inference: GaitInference) -> None:
    one = walk(60, 25, 3, 0)
    assert inference.compute_similarity(one, one * 1.2 + 3)[0] == pytest.approx(1.0, abs=1e-4)


def test_people_are_named_once_nearest_first(inference: GaitInference) -> None:
    gallery = [walk(60, 25, 3, seed) for seed in (1, 2, 3, 4)]
    labels = ["anna", "ben", "anna", "cleo"]
    matches = inference.identify_person(gallery[2], gallery, labels, top_k=3)
    people = [person for person, _, _ in matches]
    assert people[0] == "anna"
    assert sorted(people) == ["anna", "ben", "cleo"]
    assert matches[0][2] == pytest.approx(0.0, abs=1e-3)
    assert [distance for _, _, distance in matches] == sorted(distance for _, _, distance in matches)
    assert len(inference.identify_person(gallery[0], gallery, labels, top_k=2)) == 2


def test_an_empty_gallery_names_nobody(inference: GaitInference) -> None:
    assert inference.identify_person(walk(5, 25, 3), [], []) == []


@pytest.mark.parametrize("top_k", [0, -1])
def test_a_wrong_question_is_refused(inference: GaitInference, top_k: int) -> None:
    with pytest.raises(MessageError, match="a label for each"):
        inference.identify_person(walk(5, 25, 3), [walk(5, 25, 3)], [])
    with pytest.raises(MessageError, match="top_k"):
        inference.identify_person(walk(5, 25, 3), [], [], top_k=top_k)


@pytest.mark.parametrize("shape", [(0, 25, 3), (60, 17, 3), (60, 75), (60, 25, 2)])
def test_another_shape_is_refused(inference: GaitInference, shape: tuple[int, ...]) -> None:
    with pytest.raises(MessageError, match=r"wanted \(frames, 25, 3\)"):
        inference.compute_similarity(np.zeros(shape), walk(5, 25, 3))


@pytest.mark.parametrize("fill", [0.0, np.nan, np.inf, 1e30])
def test_a_broken_walk_still_gives_numbers(inference: GaitInference, fill: float) -> None:
    broken = walk(30, 25, 3).astype(np.float64)
    broken[3:9, 4:8] = fill
    assert np.isfinite(inference.compute_similarity(broken, walk(1, 25, 3))).all()
    assert np.isfinite(inference.compute_similarity(np.full((2, 25, 3), fill), broken)).all()


def test_attention_is_shares(inference: GaitInference) -> None:
    joints, frames = attention_received(inference.net, sequence(0, 60)[None])
    assert joints.shape == (1, 60, 25)
    assert torch.allclose(joints.sum(-1), torch.ones(()), atol=1e-5)
    assert frames.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert (frames > 0).all()


def test_blind_attention_is_even() -> None:
    """Queries of zero look everywhere alike, so every joint and every frame gets the same share."""
    net = worn(SiameseGait(SMALL))
    with torch.no_grad():
        for name, part in net.named_parameters():
            if ".query." in name:
                part.zero_()
        joints, frames = attention_received(net, sequence(0, 60)[None])
    assert torch.allclose(joints, torch.tensor(1 / 25), atol=1e-6)
    assert torch.allclose(frames, torch.tensor(1 / 60), atol=1e-6)


def test_the_attention_picture_is_a_picture(inference: GaitInference, tmp_path: Path) -> None:
    path = tmp_path / "attention.png"
    attention = inference.visualize_attention(walk(33, 25, 3), path)
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == (860, 1200, 3)
    assert len(np.unique(picture @ np.array([65536, 256, 1]))) > 500
    assert attention.joints.shape == (60, 25)


def test_a_folder_that_is_not_there_is_told(inference: GaitInference, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot write the picture"):
        inference.visualize_attention(walk(3, 25, 3), tmp_path / "nowhere" / "attention.png")


def test_a_saved_net_answers_as_before(inference: GaitInference, tmp_path: Path) -> None:
    weights = checkpoints.save(inference.net, tmp_path / "siamese")
    again = GaitInference.load(weights)
    one, other = walk(20, 25, 3, 0), walk(20, 25, 3, 1)
    assert again.compute_similarity(one, other) == inference.compute_similarity(one, other)


def test_weights_of_another_family_are_refused(tmp_path: Path) -> None:
    weights = checkpoints.save(registry.build("gaitgraph2"), tmp_path / "graph")
    with pytest.raises(WeightsError, match="gaitgraph2"):
        GaitInference.load(weights)


def test_without_normalising_where_one_stood_shows(inference: GaitInference) -> None:
    raw = GaitInference(worn(SiameseGait(msgspec.structs.replace(SMALL, normalise=False))))
    one = walk(60, 25, 3, 0)
    assert raw.compute_similarity(one, one + 3)[1] > 0.01
    assert inference.compute_similarity(one, one + 3)[1] < 0.001
