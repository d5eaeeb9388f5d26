"""A camera, a place and people with somewhere to go: any frame, in any order, always the same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gait.walkers.background import add_noise, sample_background, sample_light, sample_noise, turned_with
from gait.walkers.camera import Camera
from gait.walkers.motion import Pose, Walk
from gait.walkers.paint import Light
from gait.walkers.path import Path
from gait.walkers.person import Person
from gait.walkers.quality import CLEAN, Quality, deliver, expose
from gait.walkers.render import cast_shadows, compose, draw_person
from gait.walkers.timing import Stop
from gait.walkers.truth import Rendered


@dataclass(frozen=True)
class Walker:
    """``person`` sets out on ``path`` at ``enter_s`` and is gone when it ends; ``visit`` as of ``Walk``."""

    person: Person
    path: Path
    enter_s: float = 0.0
    pace: float = 1.0
    stops: tuple[Stop, ...] = ()
    phase: float = 0.0
    visit: int | None = None

    @cached_property
    def walk(self) -> Walk:
        """The motion."""
        return Walk(self.person, self.path, self.pace, self.stops, self.phase, self.visit)

    @property
    def leave_s(self) -> float:
        """When the path ends."""
        return self.enter_s + self.walk.timing.seconds

    def pose(self, time_s: float) -> Pose | None:
        """The skeleton at the scene's ``time_s``, None before entering and after leaving."""
        if not self.enter_s <= time_s <= self.leave_s:
            return None
        return self.walk.pose(time_s - self.enter_s)


@dataclass(frozen=True)
class Scene:
    """``seconds`` of ``walkers`` before ``camera``; ``seed`` decides place, light and noise.

    ``noise`` is the sensor's, in levels of 255; ``wall_m`` how far ahead the wall stands; ``quality`` the
    camera's other faults.
    """

    seed: int
    camera: Camera
    walkers: tuple[Walker, ...]
    seconds: float
    fps: float = 25.0
    wall_m: float = 12.0
    noise: float = 2.0
    name: str = "walkers"
    quality: Quality = CLEAN

    def __post_init__(self) -> None:
        names = [walker.person.name for walker in self.walkers]
        people = {walker.person.name: walker.person for walker in self.walkers}
        if any(people[walker.person.name] != walker.person for walker in self.walkers):
            raise ValueError(f"two different people share a name: {sorted(names)}")
        if not (self.fps > 0 and self.seconds > 0):
            raise ValueError(f"a scene needs time and a frame rate, got {self.seconds} s at {self.fps} fps")

    @property
    def frame_count(self) -> int:
        """How many frames there are."""
        return max(1, round(self.seconds * self.fps))

    @cached_property
    def _light(self) -> Light:
        return turned_with(sample_light(self.seed), self.camera)

    @cached_property
    def _background(self) -> NDArray[np.uint8]:
        return sample_background(self.seed, self.camera, self.wall_m)

    @cached_property
    def _noise(self) -> NDArray[np.int8]:
        return sample_noise(self.seed, self.camera, self.noise)

    def frame(self, number: int) -> Rendered:
        """Frame ``number``, counted from 0."""
        if not 0 <= number < self.frame_count:
            raise IndexError(f"frame {number} of a scene of {self.frame_count}")
        time_s = number / self.fps
        image = self._background.copy()
        poses = [(walker.walk.person, pose) for walker in self.walkers if (pose := walker.pose(time_s))]
        cast_shadows(image, poses, self.camera, self._light)
        drawn = [one for who, pose in poses if (one := draw_person(who, pose, self.camera, self._light))]
        truth = compose(image, drawn, self.camera)
        noisy = add_noise(expose(image, self.quality), self._noise, self.seed, number)
        return Rendered(number, time_s, deliver(noisy, self.quality), truth)

    def frames(self) -> Iterator[Rendered]:
        """All frames in order."""
        return (self.frame(number) for number in range(self.frame_count))
