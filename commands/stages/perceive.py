"""The perceive stage of a run."""

from __future__ import annotations

from pathlib import Path

from commands.budgets import note_budget
from commands.plan import RunPlan
from engines.perceive import PerceiveStage, Perception
from stream.frames import FrameReader, Frames
from stream.punctual import EasedStage, PunctualFrames
from stream.recorder import RecordedFrames, RecordedStage, Recorder
from stream.stage import Stage


def prepare(plan: RunPlan) -> Perception:
    """The nets."""
    return Perception.load(plan.config.perceive)


def build(plan: RunPlan, perception: Perception) -> Stage:
    """Perception, its frames in time and, where that was asked, recorded."""
    folder = plan.config.stream.shared_memory
    reader = FrameReader(folder=Path(folder) if folder else None)
    if plan.recorded:
        return _recorded(plan, reader, perception)
    frames = PunctualFrames(reader, {})
    for name in plan.cameras:
        note_budget(plan, frames, name)
    return EasedStage(_recorded(plan, frames, perception), frames)


def _recorded(plan: RunPlan, frames: Frames, perception: Perception) -> Stage:
    """Perception, which keeps what it looks at where the run is recorded."""
    if not plan.record:
        return PerceiveStage(frames, perception)
    recorder = Recorder(Path(plan.record))
    return RecordedStage(PerceiveStage(RecordedFrames(frames, recorder), perception), recorder)
