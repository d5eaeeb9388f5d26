"""Ready-made scenes, each from a seed: the demo's two clips, perception's bench, the end-to-end bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gait.walkers.camera import Camera
from gait.walkers.conditions import sample_conditions
from gait.walkers.path import Path
from gait.walkers.person import Person, sample_person
from gait.walkers.population import PLAIN, Population
from gait.walkers.quality import CLEAN, Quality
from gait.walkers.scene import Scene, Walker
from gait.walkers.seeds import stream
from gait.walkers.timing import Stop

NAMES = (
    "Ada", "Ben", "Chloe", "Dan", "Eva", "Finn", "Grace", "Hugo", "Iris", "Jon", "Kira", "Leo",
    "Mia", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tess", "Uma", "Vera", "Will", "Yara", "Zoe",
)  # fmt: skip


@dataclass(frozen=True)
class DemoScenes:
    """Two clips of the same day and place; ``stranger`` walks in ``probe`` alone."""

    gallery: Scene
    probe: Scene
    enrolled: tuple[str, ...]
    stranger: str


LEVEL_SLANT, STEEPEST_SLANT = 0.15, 0.5
"""Radians from side-on at which people cross a street: nearly along the picture, or at any angle."""
Viewpoint = Literal["level", "high", "any"]
VIEWPOINTS: tuple[Viewpoint, ...] = ("level", "high", "any")
"""At a person's height; from the top of a door frame; anywhere between knee and lamp, with any lens."""


@dataclass(frozen=True)
class Eye:
    """The camera before a street: where it stands and how good it is."""

    viewpoint: Viewpoint = "level"
    quality: Quality = CLEAN


@dataclass(frozen=True)
class Cast:
    """Which people a street has: ``kinds`` of conditions (see ``conditions.CHOICES``), each drawn per person.

    ``varied``: every time they come they walk a little differently.
    """

    population: Population = PLAIN
    kinds: tuple[str, ...] = ("normal",)
    varied: bool = False


def sample_people(seed: int, count: int, outfit: int = 0, cast: Cast = Cast()) -> list[Person]:
    """``count`` people with different names."""
    rng = stream(seed, "people")
    names = rng.choice(NAMES, size=count, replace=False) if count <= len(NAMES) else np.arange(count)
    seeds = rng.choice(2**31, size=count, replace=False)
    return [
        sample_person(who, str(name), outfit, cast.population).under(
            sample_conditions(who, outfit, cast.kinds)
        )
        for who, name in zip(seeds.tolist(), names, strict=True)
    ]


def _crossing(
    person: Person,
    camera: Camera,
    depth_m: float,
    rightwards: bool,
    slant: float,
    enter_s: float,
    visit: int | None = None,
) -> Walker:
    """Walk through the picture at ``depth_m``, from out of view to out of view.

    ``slant`` radians from side-on, positive away from the camera.
    """
    half = camera.width / 2 / camera.focal * depth_m / np.cos(slant) + 0.75
    middle = np.array(camera.ground(camera.width / 2, depth_m))
    level = np.array([np.cos(camera.heading), np.sin(camera.heading)])
    right = np.array([np.sin(camera.heading), -np.cos(camera.heading)])
    way = (1 if rightwards else -1) * np.cos(slant) * right + np.sin(slant) * level
    start, end = middle - half * way, middle + half * way
    phase = float(stream(person.seed, "phase", round(enter_s * 1000)).random())
    path = Path.line((float(start[0]), float(start[1])), (float(end[0]), float(end[1])))
    return Walker(person, path, enter_s, phase=phase, visit=visit)


SAME_WAY_DEG, OTHER_WAY_DEG = 7.0, 30.0
"""From side-on at most: for people who come again as they were, and for those who come another way."""


def demo_scenes(seed: int, enrolled: int = 3, *, changed: bool = False) -> DemoScenes:
    """A gallery clip of ``enrolled`` people and a probe clip with them and one stranger.

    Everyone keeps their direction, so that the two views of a person differ by some degrees only.
    ``changed``: in the probe clip they wear and carry something else and cross at up to 30 degrees from
    side-on.
    """
    people = sample_people(seed, enrolled + 1)
    ways = {person.name: number % 2 == seed % 2 for number, person in enumerate(people)}
    camera = Camera(focal=1000.0, height=1.45, pitch=0.05)
    gallery = _demo_clip(seed, "gallery", camera, people[:-1], ways)
    again = sample_people(seed, enrolled + 1, outfit=1, cast=Cast(kinds=("any",))) if changed else people
    order = stream(seed, "order").permutation(len(people))
    most = OTHER_WAY_DEG if changed else SAME_WAY_DEG
    probe = _demo_clip(seed, "probe", camera, [again[i] for i in order], ways, most)
    return DemoScenes(gallery, probe, tuple(person.name for person in people[:-1]), people[-1].name)


def _demo_clip(
    seed: int,
    name: str,
    camera: Camera,
    people: list[Person],
    rightwards: dict[str, bool],
    slant_deg: float = SAME_WAY_DEG,
) -> Scene:
    """Everyone crosses once, one after another, at different depths."""
    rng = stream(seed, name)
    depths = np.linspace(5.6, 8.4, len(people))
    rng.shuffle(depths)
    walkers = []
    for number, (person, depth) in enumerate(zip(people, depths, strict=True)):
        slant = float(np.deg2rad(rng.uniform(-slant_deg, slant_deg)))
        walkers.append(_crossing(person, camera, float(depth), rightwards[person.name], slant, 1.2 * number))
    # Slow walkers need not reach the far side: eight seconds of anyone are plenty.
    seconds = max(min(walker.leave_s + 0.2, walker.enter_s + 8.0) for walker in walkers)
    far = max(float(w.path.at(s).at[1]) for w in walkers for s in (0.0, w.path.length))
    return Scene(seed, camera, tuple(walkers), seconds, wall_m=max(12.0, far + 2.0), name=name)


def perception_scene(
    seed: int, walkers: int = 3, height_px: tuple[float, float] = (60.0, 600.0), seconds: float = 8.0
) -> Scene:
    """People from ``height_px`` low to high at any heading, who cross, come and go while the clip runs."""
    rng = stream(seed, "perception")
    people = sample_people(seed, walkers)
    sizes = np.exp(rng.uniform(np.log(height_px[0]), np.log(height_px[1]), walkers))
    focal = 1000.0
    depths = focal * np.array([person.body.stature for person in people]) / sizes
    # A near person fills the picture, so the camera looks at the middle of the nearest body.
    near = float(depths.min())
    height = float(rng.uniform(0.95, 1.3) if near < 5 else rng.uniform(1.2, 2.6))
    camera = Camera(focal=focal, height=height, pitch=0.85 * (height - 0.87) / near)
    crowd = tuple(
        _passing(rng, person, camera, float(depth), seconds)
        for person, depth in zip(people, depths, strict=True)
    )
    ends = [place for one in crowd for place in (one.path.at(0.0), one.path.at(one.path.length))]
    wall = max(float(place.at[1]) for place in ends) + 2.0
    return Scene(seed, camera, crowd, seconds, wall_m=wall, name=f"perception-{walkers}")


def _passing(
    rng: np.random.Generator, person: Person, camera: Camera, depth_m: float, seconds: float
) -> Walker:
    """Walk all through the clip and be ``depth_m`` away, somewhere in the picture, at some time within it."""
    when = float(rng.uniform(0.2, 0.8)) * seconds
    reach = person.gait.speed * max(when, seconds - when)
    steepest = np.arcsin(min(1.0, 0.4 * depth_m / reach))
    slant = float(rng.uniform(-steepest, steepest)) + (np.pi if rng.random() < 0.5 else 0.0)
    at = np.array(camera.ground(float(rng.uniform(0.2, 0.8)) * camera.width, depth_m))
    # Heading pi/2 looks along y, so a slant from the x axis is a slant from side-on.
    way = np.array([np.cos(slant), np.sin(slant)]) * person.gait.speed
    start, end = at - way * when, at + way * (seconds - when + 0.1)
    path = Path.line((float(start[0]), float(start[1])), (float(end[0]), float(end[1])))
    pause = (Stop(path.length * 0.5, 1.2),) if rng.random() < 0.2 else ()
    return Walker(person, path, stops=pause, phase=float(rng.random()))


def endtoend_scene(seed: int, seconds: float = 12.0) -> Scene:
    """Three walkers who come back as soon as they have left; 720p at 25 fps."""
    return street_scene(seed, 3, seconds)


def _scale(size: tuple[int, int]) -> float:
    return min(size[0] / 1280, size[1] / 720)


def _street_camera(seed: int, size: tuple[int, int], viewpoint: Viewpoint) -> tuple[Camera, float]:
    """Where the camera stands, and by how many radians paths may slant from side-on."""
    focal = 1000.0 * _scale(size)
    if viewpoint == "level":
        return Camera(size[0], size[1], focal=focal, height=1.45, pitch=0.05), LEVEL_SLANT
    if viewpoint == "high":
        return Camera(size[0], size[1], focal=focal, height=3.4, pitch=0.36), STEEPEST_SLANT
    rng = stream(seed, "viewpoint")
    lens = float(np.exp(rng.uniform(np.log(0.75), np.log(1.7))))
    height = float(np.exp(rng.uniform(np.log(0.8), np.log(3.8))))
    # Aimed at the middle of people half-way back.
    pitch = float(np.arctan2(height - 0.95, 6.8 * lens) + rng.normal(0, 0.015))
    return Camera(size[0], size[1], focal=focal * lens, height=height, pitch=pitch), STEEPEST_SLANT


def street_scene(
    seed: int,
    people: int,
    seconds: float,
    size: tuple[int, int] = (1280, 720),
    fps: float = 25.0,
    outfit: int = 0,
    cast: Cast = Cast(),
    eye: Eye = Eye(),
) -> Scene:
    """``people`` who cross the picture to and fro for as long as it lasts, each at a depth of their own."""
    rng = stream(seed, "street")
    camera, steepest = _street_camera(seed, size, eye.viewpoint)
    reach = camera.focal / (1000.0 * _scale(size))
    depths = np.linspace(5.6, 8.4 + 0.3 * max(0, people - 4), people) * reach
    walkers = []
    crowd = sample_people(seed, people, outfit, cast)
    for number, (person, depth) in enumerate(zip(crowd, depths, strict=True)):
        enter, lap = -1.5 * number, number
        while enter < seconds:
            slant = float(rng.uniform(-steepest, steepest))
            visit = lap if cast.varied else None
            walker = _crossing(person, camera, float(depth), lap % 2 == 0, slant, enter, visit)
            walkers.append(walker)
            enter, lap = walker.leave_s + 0.3, lap + 1
    ends = [walker.path.at(s).at[1] for walker in walkers for s in (0.0, walker.path.length)]
    wall = max(12.0, float(depths[-1]) + 3.0, float(max(ends)) + 2.0 if steepest > LEVEL_SLANT else 0.0)
    return Scene(seed, camera, tuple(walkers), seconds, fps, wall, name="street", quality=eye.quality)
