"""A stage that is restored from a checkpoint goes on as if nothing had happened, to the byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from commands.checkpoints import memory_of
from commands.config import CameraConfig, PipelineConfig
from commands.plan import RunPlan
from commands.stage import _take_up
from engines.config import PerceiveConfig
from engines.embed import EmbedConfig, EmbedStage
from engines.perceive import PerceiveStage, Perception
from gait.baseline import BaselineEmbedder
from gait.body import body_of
from gait.gallery.store import Gallery
from gait.identify_stage import IdentifyStage
from gait.score_map import built_in_map
from gait.walkers.scenes import street_scene
from stream.checkpoint import Checkpoint
from stream.config import StreamConfig
from stream.frames import HeldFrames
from stream.ledger import Count, Ledger
from stream.messages import EndOfStream, FrameMessage, FrameRef, encode
from stream.stage import Stage
from trackers.stage import TrackStage

FRAMES = 40
STEP_NS = 40_000_000
END = EndOfStream("door", "r", FRAMES, FRAMES * STEP_NS)


@pytest.fixture(scope="module")
def seen() -> list[list[FrameMessage]]:
    """Perception's input and output over one walker, and after its first half once more from a checkpoint."""
    scene = street_scene(5, 2, FRAMES / 25, size=(320, 240))
    frames, perception = HeldFrames(), Perception.load(PerceiveConfig())
    tokens = []
    for number in range(FRAMES):
        frame = FrameRef("door", "r", number, (number + 1) * STEP_NS, number, 320, 240)
        tokens.append(frames.hold(frame, scene.frame(number).image))
    stage = PerceiveStage(frames, perception)
    people = [message for token in tokens for message in stage.handle(token)]
    first, second = PerceiveStage(frames, perception), PerceiveStage(frames, perception)
    again = [message for token in tokens[: FRAMES // 2] for message in first.handle(token)]
    memory_of(second).load(memory_of(first).save())
    again += [message for token in tokens[FRAMES // 2 :] for message in second.handle(token)]
    return [people, again]


def through(stages: Iterator[Stage], messages: list[FrameMessage], cut: int | None) -> list[FrameMessage]:
    """What a stage makes of the messages; before message ``cut`` another takes its place."""
    stage = next(stages)
    out: list[FrameMessage] = []
    for at, message in enumerate(messages):
        if at == cut:
            data = memory_of(stage).save()
            stage.close()
            stage = next(stages)
            memory_of(stage).load(data)
        out += stage.handle(message)
    out += stage.finish(END)
    stage.close()
    return out


def bytes_of(messages: list[FrameMessage]) -> list[bytes]:
    return [encode(message) for message in messages]


@pytest.mark.parametrize(("open_", "first"), [(("c",), 200), ((), None)])
def test_a_recording_that_is_gone_on_with_has_its_frames_in_the_books(
    tmp_path: Path, open_: tuple[str, ...], first: int | None
) -> None:
    """Also where perception had seen its end before the supervisor was killed, and nothing is left to send."""
    config = PipelineConfig(
        cameras={"c": CameraConfig("clip.mp4")}, stream=StreamConfig(runtime_folder=str(tmp_path))
    )
    plan = RunPlan("x", str(tmp_path), config)
    plan.checkpoints.mkdir()
    kept = Checkpoint(b"", open=open_, frames={"c": ("r", 199)})
    (plan.checkpoints / "perceive.checkpoint").write_bytes(msgspec.msgpack.encode(kept))
    ledger = Ledger.create(tmp_path / "ledger", plan.stages, ["c"])
    rows = ledger.stage("source")
    source = SimpleNamespace(camera="c", run="r", live=False)
    assert _take_up(plan, source, rows) == first
    assert rows.value("c", Count.CAPTURED) == rows.value("c", Count.SENT) == 200
    ledger.close()


def test_perception_goes_on_to_the_byte(seen: list[list[FrameMessage]]) -> None:
    assert bytes_of(seen[0]) == bytes_of(seen[1])
    assert any(message.people for message in seen[0])


def test_every_later_stage_goes_on_to_the_byte(seen: list[list[FrameMessage]], tmp_path: Path) -> None:
    config = PipelineConfig(embed=EmbedConfig(first_samples=5, hop_samples=3))
    makers: list[Callable[[int], Stage]] = [
        lambda _: TrackStage(body_of, config.track),
        lambda _: EmbedStage(BaselineEmbedder(), config.embed),
        lambda n: IdentifyStage(
            Gallery(tmp_path / f"g{n}.sqlite"), BaselineEmbedder().model, built_in_map("baseline")
        ),
    ]
    messages = seen[0]
    for make in makers:
        undisturbed = through(map(make, range(100)), messages, None)
        for cut in (1, FRAMES // 2, FRAMES - 3):
            replaced = through(map(make, range(100 * cut, 100 * cut + 100)), messages, cut)
            assert bytes_of(replaced) == bytes_of(undisturbed), f"{make} cut before message {cut}"
        messages = undisturbed
    assert any(message.events for message in messages)
