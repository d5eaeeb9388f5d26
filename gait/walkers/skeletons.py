"""Walks as a depth camera sees them: joints in metres and nothing else, by the folder.

Each walk passes the camera once, 30 times a second, in a view and on a day of its own: what changes a gait
(pace, load, tiredness) is drawn anew, what makes a person stays. Joints err as a body tracker's do: a slow
wander and a jitter, both several times larger at hands and feet than at the trunk. Wang et al. 2015
("Evaluation of pose tracking accuracy in the first and second generations of Microsoft Kinect") measured
errors of some centimetres for the second Kinect, the least at the trunk and the most at the feet; the numbers
here are in that order, not fitted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gait.skeleton import BLAZEPOSE33, Layout, convert
from gait.walkers.conditions import sample_conditions
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import pass_by
from gait.walkers.seeds import stream
from gait.walkers.views import sample_view
from stream.errors import ConfigError, ResourceError

FPS: Final = 30.0
FRAMES: Final = 90
WANDER_M, JITTER_M = 0.008, 0.004
"""Standard deviations at the trunk."""
WANDER_S: Final = 0.3
LOOSE: Final = ("hand", "thumb", "foot", "heel", "ankle", "wrist")
LOOSER: Final = 2.5
"""How many times as far as the trunk's joints these are off."""
PARTITION: Final = "partition.json"


def skeleton_walk(seed: int, number: int, layout: Layout, frames: int = FRAMES) -> NDArray[np.float32]:
    """Walk ``number`` of the person of ``seed``: (frames, K, 3) metres, x right, y down, z ahead."""
    person = sample_person(seed, outfit=number, population=STREET).under(sample_conditions(seed, number))
    view = sample_view(seed, number)
    phase = float(stream(seed, "skeleton phase", number).random())
    seen = pass_by(person, view, frames, visit=number, phase=phase, fps=FPS)
    joints = convert(seen.joints_3d, BLAZEPOSE33, layout, confidence=False).points
    return (joints + _errors(seed, number, layout, frames)).astype(np.float32)


def _errors(seed: int, number: int, layout: Layout, frames: int) -> NDArray[np.float64]:
    """A wander that forgets itself within ``WANDER_S``, and jitter on top."""
    rng = stream(seed, "skeleton errors", number)
    loose = np.array([LOOSER if any(part in joint for part in LOOSE) else 1.0 for joint in layout.joints])
    keep = float(np.exp(-1.0 / (WANDER_S * FPS)))
    steps = rng.normal(size=(frames, layout.size, 3))
    wander = np.empty_like(steps)
    wander[0] = steps[0]
    for t in range(1, frames):
        wander[t] = keep * wander[t - 1] + np.sqrt(1.0 - keep * keep) * steps[t]
    jitter = rng.normal(size=(frames, layout.size, 3))
    return np.asarray((WANDER_M * wander + JITTER_M * jitter) * loose[:, None])


def write_skeletons(
    folder: Path,
    layout: Layout,
    people: int,
    walks: int,
    *,
    seed: int = 0,
    unseen: int = 0,
    progress: Callable[[int], None] | None = None,
) -> int:
    """``folder/PERSON/NN.npy`` for every walk, and who is to train and who to test; how many were written.

    The last ``unseen`` people are for the test. Files that are there already are kept.
    """
    if people < 1 or walks < 1 or not 0 <= unseen < people or seed < 0:
        raise ConfigError(
            f"{people} people, {walks} walks, {unseen} unseen, seed {seed}",
            wanted="1 or more, fewer unseen than people, a seed of 0 or more",
        )
    names = [f"{seed + n:06d}" for n in range(people)]
    try:
        for number, name in enumerate(names):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for walk in range(walks):
                path = folder / name / f"{walk:02d}.npy"
                if not path.exists():
                    _write(path, skeleton_walk(seed + number, walk, layout))
                if progress is not None:
                    progress(number * walks + walk + 1)
        sides = {"TRAIN_SET": names[: people - unseen], "TEST_SET": names[people - unseen :]}
        (folder / PARTITION).write_text(json.dumps(sides, indent=1) + "\n")
    except OSError as error:
        raise ResourceError(f"cannot write walks ({error.strerror})", where=str(folder)) from error
    return people * walks


def _write(path: Path, joints: NDArray[np.float32]) -> None:
    """Whole or not at all: a walk that is cut short must not pass for one."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, joints, allow_pickle=False)
    part.replace(path)
