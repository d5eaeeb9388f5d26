"""Walkers as a camera sees them, small and few: what the clothing tests are dressed on."""

from functools import cache
from pathlib import Path

from gait.data.records import Entry, Partition
from gait.data.store import DataSetWriter
from gait.inputs import Walk
from gait.skeleton import GAITWAY16
from gait.walkers.person import sample_person
from gait.walkers.population import STREET
from gait.walkers.rapid import aligned, pass_by
from gait.walkers.views import sample_view


@cache
def side_on(view_deg: float = 90.0, seed: int = 7, frames: int = 30) -> Walk:
    """Somebody in ordinary clothes; 90 walks to the right, 0 towards the camera."""
    person = sample_person(seed, population=STREET)
    return aligned(pass_by(person, sample_view(seed, 1, view_deg), frames=frames), GAITWAY16)


def small_set(folder: Path, people: int = 4, sequences: int = 2, frames: int = 12) -> Path:
    """A prepared data set whose last person is for the test alone."""
    names = [f"{number:03d}" for number in range(people)]
    with DataSetWriter(folder) as writer:
        for number, name in enumerate(names):
            for sequence in range(sequences):
                walk = side_on(90.0 if sequence % 2 == 0 else 45.0, number, frames)
                writer.add(Entry(name, "nm", "090", frames, str(sequence)), walk)
        writer.finish(Partition(tuple(names[:-1]), (names[-1],)))
    return folder
