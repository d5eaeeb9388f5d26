"""The net in the box: its files belong together, it answers through the configuration, and knows people again."""

import numpy as np
import pytest

from commands.config import PipelineConfig
from commands.recogniser import maps_of, recogniser
from engines.streaming_embedder import StreamingEmbedder
from gait.data.source import Found
from gait.embedder import Vector
from gait.models.weights import EMBEDDING, NETS, SHIPPED, STEM
from gait.training.synthetic import TESTED_WITH, TestWalkers, as_samples

PEOPLE = 5
VIEW = "090"


@pytest.fixture(scope="module")
def embedder() -> StreamingEmbedder:
    return StreamingEmbedder(STEM)


def vector(embedder: StreamingEmbedder, found: Found) -> Vector:
    samples, memory = as_samples(TestWalkers().load(found).walk)[:30], embedder.open()
    embedder.extend([memory] * len(samples), samples)
    answer = embedder.embed(memory, 0, samples[-1].captured_ns)
    assert answer is not None
    assert answer.samples > len(samples) // 2
    return answer.vector


@pytest.mark.parametrize("name", NETS)
def test_the_files_are_of_one_net_and_small(name: str) -> None:
    checkpoints = pytest.importorskip("gait.models.checkpoints")
    stem, model = NETS[name], StreamingEmbedder(NETS[name]).model
    net = checkpoints.load(stem.with_name(f"{stem.name}{SHIPPED.suffix}"))
    assert model.digest == f"{checkpoints.digest_of(net)[:24]}-{EMBEDDING}"
    assert model.dimension == 512
    files = list(stem.parent.glob(f"{stem.name}.*"))
    assert {path.suffix for path in files} == {".safetensors", ".json", ".onnx"}
    assert sum(path.stat().st_size for path in files) < (4e6 if name == "shipped" else 15e6)


@pytest.mark.parametrize("name", NETS)
def test_its_cohort_and_the_map_of_told_scores_are_its_own(name: str) -> None:
    model = StreamingEmbedder(NETS[name]).model
    score_map, told = maps_of(PipelineConfig(embedder=name), model)
    assert told is not None
    cohort, told_map = told
    assert cohort.model == told_map.model == score_map.model == model.digest
    assert cohort.vectors.shape[1] == model.dimension
    assert told_map.normalised
    assert told_map.others is not None  # cameras' own levels are taken off
    assert not score_map.normalised


def test_it_is_the_default_and_one_line_of_the_configuration_chooses_another(
    embedder: StreamingEmbedder,
) -> None:
    config = PipelineConfig()
    model = recogniser(config).model
    assert model == embedder.model
    score_map, _ = maps_of(config, model)
    assert score_map.model == model.digest
    baseline = PipelineConfig(embedder="baseline")
    assert recogniser(baseline).model.name == "baseline"
    assert maps_of(baseline, recogniser(baseline).model)[1] is None
    assert baseline.digest != config.digest


def test_the_larger_one_says_much_the_same_of_a_walk(embedder: StreamingEmbedder) -> None:
    """It began as the same net and its mirror image; of two walkers, each is nearest to itself."""
    larger, found = StreamingEmbedder(NETS["shipped-larger"]), TestWalkers().find().found
    walks = [next(one for one in found if one.entry.person == str(TESTED_WITH.first + k)) for k in range(2)]
    likeness = np.array([[vector(embedder, a) @ vector(larger, b) for b in walks] for a in walks])
    assert likeness.argmax(axis=1).tolist() == [0, 1]
    assert likeness.diagonal().min() > 0.9
    assert likeness.diagonal().max() < 0.9999


def test_walkers_it_never_saw_are_known_again_on_another_walk(embedder: StreamingEmbedder) -> None:
    found = TestWalkers().find().found
    chosen = [one for one in found if one.entry.view == VIEW]
    people = [str(TESTED_WITH.first + k) for k in range(PEOPLE)]
    enrolled, seen = (
        np.stack(
            [
                vector(embedder, one)
                for one in chosen
                if one.entry.person in people and one.entry.condition == condition
            ]
        )
        for condition in ("nm-01", "nm-05")
    )
    hits = (seen @ enrolled.T).argmax(axis=1) == np.arange(PEOPLE)
    assert hits.sum() >= PEOPLE - 2
