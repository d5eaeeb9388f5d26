"""GREW's hidden test: for each probe the people of its 20 nearest gallery walks, as a CSV to hand in."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from gait.evaluation.distances import Metric
from gait.evaluation.run import Studied
from gait.evaluation.searching import nearest
from stream.errors import ConfigError, ResourceError

LENGTH: Final = 20
HEADER: Final = ("videoId", *(f"rank{k}" for k in range(1, LENGTH + 1)))


def rows(studied: Studied, metric: Metric) -> list[tuple[str, ...]]:
    """(probe's sequence, then the people of the nearest walks, near to far; a person may come twice)."""
    embedded, trial = studied.embedded, studied.trial
    if trial.gallery.size < LENGTH:
        raise ConfigError(
            f"a gallery of {trial.gallery.size} walks", wanted=f"{LENGTH} or more for a submission"
        )
    found = []
    for probe in trial.probes:
        order, _ = nearest(embedded, trial, int(probe), metric)
        entry = embedded.entries[probe]
        people = (embedded.names[embedded.people[index]] for index in order[:LENGTH])
        found.append((entry.name or entry.view, *(_number(person) for person in people)))
    return found


def write(studied: Studied, metric: Metric, path: Path) -> None:
    """One row per probe; raises ResourceError where the file cannot be written."""
    table = rows(studied, metric)
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(table)
    except OSError as error:
        raise ResourceError(f"cannot be written ({error.strerror})", where=str(path)) from error


def _number(person: str) -> str:
    """GREW's ids are numbers; its folders have leading zeros, its submissions do not."""
    return str(int(person)) if person.isascii() and person.isdigit() else person
