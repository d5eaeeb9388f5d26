"""``walkers:seed=3,people=4,seconds=20``: rendered people as a source of frames, recorded or live."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Iterator

import msgspec

from gait.walkers.conditions import CHOICES
from gait.walkers.population import PLAIN, POPULATIONS
from gait.walkers.quality import CAMERAS, sample_quality
from gait.walkers.scene import Scene
from gait.walkers.scenes import VIEWPOINTS, Cast, Eye, Viewpoint, street_scene
from stream.errors import ConfigError, SourceError
from stream.sources.base import NS_PER_S, Picture, SourceOptions

PREFIX = "walkers:"
LIMITS = {
    "seed": (0, 2**31 - 1),
    "people": (1, 24),
    "seconds": (0.04, 86_400),
    "fps": (1, 240),
    "live": (0, 1),
    "outfit": (0, 1000),
}
"""What numbers a key takes."""
ANY = "any"
WORDS = {
    "conditions": CHOICES,
    "population": tuple(POPULATIONS),
    "camera": (*CAMERAS, ANY),
    "viewpoint": VIEWPOINTS,
}
"""What words a key takes."""
SIZES = (32, 7680)


class WalkersSpec(msgspec.Struct, frozen=True):
    """What the text after ``walkers:`` says; ``live`` 1 paces the frames by the clock as a camera does.

    ``conditions`` are kinds joined by ``+``, ``population`` and ``camera`` names; the defaults are ordinary
    clothes, plain people and a clean camera at their height, and people who walk alike each time they come.
    """

    seed: int = 0
    people: int = 4
    seconds: float = 20.0
    size: tuple[int, int] = (1280, 720)
    fps: float = 25.0
    live: int = 0
    outfit: int = 0
    conditions: str = "normal"
    population: str = PLAIN.name
    camera: str = "clean"
    viewpoint: Viewpoint = "level"

    @classmethod
    def parse(cls, text: str) -> WalkersSpec:
        """``seed=3,size=1280x720``, in any order, all optional; raises ConfigError."""
        values: dict[str, int | float | str | tuple[int, int]] = {}
        for part in filter(None, (piece.strip() for piece in text.removeprefix(PREFIX).split(","))):
            key, equals, value = (word.strip() for word in part.partition("="))
            if key not in cls.__struct_fields__:
                raise _wrong(f"unknown key {key!r}", f"one of {', '.join(cls.__struct_fields__)}")
            if not equals or key in values:
                raise _wrong(
                    f"{key!r} is given {'twice' if key in values else 'no value'}", f"{key}=value once"
                )
            values[key] = _value(key, value)
        return msgspec.convert(values, cls)

    def scene(self) -> Scene:
        """What will be rendered."""
        population = POPULATIONS[self.population]
        cast = Cast(population, tuple(self.conditions.split("+")), varied=population is not PLAIN)
        quality = sample_quality(self.seed) if self.camera == ANY else CAMERAS[self.camera]
        eye = Eye(self.viewpoint, quality)
        return street_scene(self.seed, self.people, self.seconds, self.size, self.fps, self.outfit, cast, eye)


def _wrong(what: str, wanted: str) -> ConfigError:
    return ConfigError(what, where=PREFIX, wanted=wanted, fix="Example: walkers:seed=3,people=4,seconds=20")


def _value(key: str, text: str) -> int | float | str | tuple[int, int]:
    if key == "size":
        return _size(text)
    if key not in WORDS:
        return _number(key, text)
    for word in text.split("+") if key == "conditions" else [text]:
        if word not in WORDS[key]:
            raise _wrong(f"{key}={text} has no {word!r}", f"one of {', '.join(WORDS[key])}")
    return text


def _number(key: str, text: str) -> int | float:
    low, high = LIMITS[key]
    whole = key not in {"seconds", "fps"}
    wanted = f"a{' whole' if whole else ''} number from {low} to {high}"
    try:
        value = int(text) if whole else float(text)
    except ValueError as error:
        raise _wrong(f"{key}={text!r} is no number", wanted) from error
    if not (math.isfinite(value) and low <= value <= high):
        raise _wrong(f"{key}={text} is out of range", wanted)
    return value


def _size(text: str) -> tuple[int, int]:
    wanted = f"even width x height from {SIZES[0]} to {SIZES[1]}, such as 1280x720"
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() and len(side) <= 5 for side in sides):
        raise _wrong(f"size={text!r} is no size", wanted)
    width, height = int(sides[0]), int(sides[1])
    if any(not SIZES[0] <= side <= SIZES[1] or side % 2 for side in (width, height)):
        raise _wrong(f"size={text} is out of range or odd", wanted)
    return width, height


class WalkersSource:
    """A ``stream.sources.Source``: recorded frames start at the options' epoch, live ones now."""

    problem: SourceError | None = None
    notes: tuple[str, ...] = ()

    def __init__(
        self, specification: str, camera: str = "walkers", options: SourceOptions | None = None
    ) -> None:
        self.spec = WalkersSpec.parse(specification)
        self.camera = camera
        self.scene = self.spec.scene()
        self._options = options or SourceOptions()
        self._closed = threading.Event()
        self._start_ns = time.time_ns() if self.live else self._options.epoch_ns
        content = hashlib.sha256(msgspec.json.encode((self.spec, self._start_ns if self.live else 0)))
        self.run = content.hexdigest()[:16]

    @property
    def live(self) -> bool:
        """Live frames come by the clock and may be dropped."""
        return bool(self.spec.live)

    @property
    def width(self) -> int:
        """Pixels."""
        return self.spec.size[0]

    @property
    def height(self) -> int:
        """Pixels."""
        return self.spec.size[1]

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.spec.fps

    @property
    def expected_frames(self) -> int:
        """Exactly this many, unless closed."""
        return self.scene.frame_count

    def frames(self) -> Iterator[Picture]:
        """Every frame in order; a live source that falls behind leaves out the frames whose time has gone."""
        paced = self.live or self._options.realtime
        began = time.monotonic()
        for number in range(self.scene.frame_count):
            due_s = number / self.fps
            late_s = time.monotonic() - began - due_s
            if self._closed.is_set() or (paced and late_s < 0 and self._closed.wait(-late_s)):
                return
            if self.live and late_s > 1 / self.fps:
                continue
            source_ns = round(number * NS_PER_S / self.fps)
            image = self.scene.frame(number).image
            yield Picture(number, self._start_ns + source_ns, source_ns, image)

    def close(self) -> None:
        """Stop handing out frames."""
        self._closed.set()


def open_walkers(specification: str, camera: str, options: SourceOptions) -> WalkersSource:
    """A ``SourceFactory`` for ``register_source("walkers:", open_walkers)``."""
    return WalkersSource(specification, camera, options)
