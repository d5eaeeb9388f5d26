"""The net in the box: its files belong together, it answers through the configuration, and knows people again."""

import numpy as np
import pytest

from commands.config import PipelineConfig
from commands.recogniser import maps_of, recogniser
from engines.streaming_embedder import StreamingEmbedder
from gait.data.source import Found
from gait.embedder import Vector
from gait.models.weights import EMBEDDING, SHIPPED, STEM
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


def test_the_files_are_of_one_net_and_small(embedder: StreamingEmbedder) -> None:
    checkpoints = pytest.importorskip("gait.models.checkpoints")
    net = checkpoints.load(SHIPPED)
    assert embedder.model.digest == f"{checkpoints.digest_of(net)[:24]}-{EMBEDDING}"
    assert embedder.model.dimension == 512
    files = list(STEM.parent.glob(f"{STEM.name}*"))
    assert {path.suffix for path in files} == {".safetensors", ".json", ".onnx"}
    assert sum(path.stat().st_size for path in files) < 5e6


def test_its_cohort_and_the_map_of_told_scores_are_its_own(embedder: StreamingEmbedder) -> None:
    score_map, told = maps_of(PipelineConfig(embedder="shipped"), embedder.model)
    assert told is not None
    cohort, told_map = told
    assert cohort.model == told_map.model == score_map.model == embedder.model.digest
    assert cohort.vectors.shape[1] == embedder.model.dimension
    assert told_map.normalised
    assert not score_map.normalised


def test_one_line_of_the_configuration_chooses_it_with_its_score_map(embedder: StreamingEmbedder) -> None:
    config = PipelineConfig(embedder="shipped")
    model = recogniser(config).model
    assert model == embedder.model
    score_map, _ = maps_of(config, model)
    assert score_map.model == model.digest
    assert recogniser(PipelineConfig()).model.name == "baseline"
    assert PipelineConfig().digest != config.digest


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
