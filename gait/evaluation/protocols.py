"""The protocols by name: which walks are searched for where, as each data set's authors lay down.

casia-b, ou-mvlp, sustech1k   view matrix: probe view x gallery view without the identical one
ccpg-gait, ccpg-reid          four changes of clothes, as a view matrix or as one ranked list; never mixed
gait3d, grew, ccvid           the data set's own lists of probes and gallery
leave-run-out                 each run of a person against the normal runs that are left (UCalgary Kinect)
leave-walk-out                the same for folders PERSON/WALK, which know no conditions
usf                           gallery against each probe set; half-cycles joined to walks, and each by itself
lists                         any data set whose index lists probes and gallery
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from gait.data.preparations.usf import NOT_ENROLLED
from gait.data.store import Entry, Partition
from gait.evaluation.trials import Exclude, Trial, indices
from stream.errors import ConfigError

Patterns = tuple[str, ...]
NO_CONDITION: Final = "walk"
"""What walks are called that come as PERSON/WALK (``gait.data.source.walks_by_person``)."""


@dataclass(frozen=True)
class Condition:
    """A group of a protocol: conditions of its probes and its gallery, as shell patterns."""

    group: str
    probes: Patterns
    gallery: Patterns


@dataclass(frozen=True)
class ViewMatrix:
    """Each probe view against each other gallery view; the group's figure is the mean over these cells."""

    conditions: tuple[Condition, ...]

    def trials(self, entries: Sequence[Entry], partition: Partition) -> list[Trial]:
        """One trial per cell."""
        chosen = tested(entries, partition)
        found = []
        for condition in self.conditions:
            probes = _by_view(entries, _taken(entries, chosen, condition.probes))
            gallery = _by_view(entries, _taken(entries, chosen, condition.gallery))
            found += [
                Trial(condition.group, indices(probes[row]), indices(gallery[column]), row, column)
                for row in probes
                for column in gallery
                if row != column
            ]
        return found


@dataclass(frozen=True)
class RankedList:
    """One gallery of all views for each condition; the same person in the same view is passed over."""

    conditions: tuple[Condition, ...]
    exclude: Exclude = "own view"

    def trials(self, entries: Sequence[Entry], partition: Partition) -> list[Trial]:
        """One trial per condition."""
        chosen = tested(entries, partition)
        return [
            Trial(
                condition.group,
                indices(_taken(entries, chosen, condition.probes)),
                indices(_taken(entries, chosen, condition.gallery)),
                exclude=self.exclude,
            )
            for condition in self.conditions
        ]


@dataclass(frozen=True)
class OwnLists:
    """The data set's lists: entries of role probe against those of role gallery.

    ``by_condition``: which they are where the data lists none. ``rest``: where no gallery is listed, all test
    entries that are not probes are the gallery. ``groups``: name and exclusion of each way of counting.
    """

    groups: tuple[tuple[str, Exclude], ...] = (("all", "nothing"),)
    rest: bool = False
    by_condition: Condition | None = None

    def trials(self, entries: Sequence[Entry], partition: Partition) -> list[Trial]:
        """One trial per group."""
        chosen = tested(entries, partition)
        probes = [i for i in chosen if entries[i].role == "probe"]
        gallery = [i for i in chosen if entries[i].role == "gallery"]
        if not probes and self.by_condition is not None:
            probes = _taken(entries, chosen, self.by_condition.probes)
            gallery = _taken(entries, chosen, self.by_condition.gallery)
        if not gallery and self.rest:
            gallery = [i for i in chosen if entries[i].role != "probe"]
        return [
            Trial(group, indices(probes), indices(gallery), exclude=exclude) for group, exclude in self.groups
        ]


@dataclass(frozen=True)
class JoinedProbes:
    """Each probe set (a condition of role probe) against the gallery, as whole walks and piece by piece."""

    def trials(self, entries: Sequence[Entry], partition: Partition) -> list[Trial]:
        """Two trials per probe set; all walks first, so that they are compared at a glance."""
        chosen = tested(entries, partition)
        gallery = indices([i for i in chosen if entries[i].role == "gallery"])
        sets: dict[str, list[int]] = {}
        for i in sorted(chosen, key=lambda i: entries[i].condition):
            if entries[i].role == "probe":
                sets.setdefault(entries[i].condition, []).append(i)
        walks = [
            # Nobody knows which pieces of people without a name belong together.
            Trial(
                f"{name}, walks",
                indices([i for i in probes if entries[i].person != NOT_ENROLLED]),
                gallery,
                joined=True,
            )
            for name, probes in sets.items()
        ]
        return walks + [Trial(f"{name}, pieces", indices(probes), gallery) for name, probes in sets.items()]


@dataclass(frozen=True)
class LeaveRunOut:
    """Each run (an entry's ``view`` and ``name``) of a condition against the normal runs that are left.

    A learner is fitted to that gallery alone, so it never saw the run it is asked about.
    """

    normal: str = "N"

    def trials(self, entries: Sequence[Entry], partition: Partition) -> list[Trial]:
        """One trial per run, grouped by the condition of the probes."""
        chosen = tested(entries, partition)
        runs = sorted({run_of(entries[i]) for i in chosen}, key=lambda run: (run[0] != self.normal, run))
        found = []
        for run in runs:
            condition, *name = run
            gallery = [i for i in chosen if entries[i].condition == self.normal and run_of(entries[i]) != run]
            probes = [i for i in chosen if run_of(entries[i]) == run]
            other = "normal" if condition == self.normal else condition
            row = " ".join(filter(None, (condition, *name)))
            found.append(
                Trial(f"normal to {other}", indices(probes), indices(gallery), row, "normal runs left")
            )
        return found


AnyProtocol = ViewMatrix | RankedList | OwnLists | JoinedProbes | LeaveRunOut

_CCPG: Final = (
    Condition("CL", ("U0_D0", "U0_D0_BG"), ("U1_D1", "U2_D2", "U3_D3")),
    Condition("UP", ("U3_D3",), ("U0_D3",)),
    Condition("DN", ("U1_D0",), ("U1_D1",)),
    Condition("BG", ("U0_D0_BG",), ("U0_D0",)),
)
_NORMAL: Final = ("nm-01", "nm-02", "nm-03", "nm-04")
_SUSTECH1K: Final = {
    "normal": ("01-nm",),
    "bag": ("*bg*",),
    "clothing": ("*cl*",),
    "carrying": ("*cr*",),
    "umbrella": ("*ub*",),
    "uniform": ("*uf*",),
    "occlusion": ("*oc*",),
    "night": ("*nt*",),
    "overall": ("01-*", "02-*", "03-*", "04-*"),
}

PROTOCOLS: Final[dict[str, AnyProtocol]] = {
    "casia-b": ViewMatrix(
        (
            Condition("NM", ("nm-05", "nm-06"), _NORMAL),
            Condition("BG", ("bg-01", "bg-02"), _NORMAL),
            Condition("CL", ("cl-01", "cl-02"), _NORMAL),
        )
    ),
    "ou-mvlp": ViewMatrix((Condition("all", ("00",), ("01",)),)),
    "sustech1k": ViewMatrix(
        tuple(Condition(group, probes, ("00-nm",)) for group, probes in _SUSTECH1K.items())
    ),
    "ccpg-gait": ViewMatrix(_CCPG),
    "ccpg-reid": RankedList(_CCPG),
    "gait3d": OwnLists(rest=True),
    "grew": OwnLists(by_condition=Condition("all", ("03",), ("01", "02"))),
    "ccvid": OwnLists((("general", "own view"), ("clothes changed", "own view and clothes"))),
    "leave-run-out": LeaveRunOut(),
    "leave-walk-out": LeaveRunOut(normal=NO_CONDITION),
    "usf": JoinedProbes(),
    "lists": OwnLists(rest=True),
}


def plan(name: str, entries: Sequence[Entry], partition: Partition) -> list[Trial]:
    """The trials of the protocol of that name on these entries.

    Raises ConfigError for a name that is none, and where the data has nothing to try.
    """
    if name not in PROTOCOLS:
        near = difflib.get_close_matches(name, PROTOCOLS, n=1)
        raise ConfigError(
            f"no protocol {name}",
            wanted=f"one of {', '.join(PROTOCOLS)}",
            fix=f"Did you mean {near[0]}?" if near else "",
        )
    trials = PROTOCOLS[name].trials(entries, partition)
    useful = [trial for trial in trials if trial.probes.size and trial.gallery.size]
    if not useful:
        seen = ", ".join(sorted({entry.condition or "(no condition)" for entry in entries})[:8])
        raise ConfigError(
            f"protocol {name} finds no probes and gallery in the data",
            wanted="entries of the conditions or roles that it names",
            fix=f"The data has {seen or 'no entries'}; check --protocol and --data",
        )
    return useful


def tested(entries: Sequence[Entry], partition: Partition) -> list[int]:
    """Indices of the test people's entries; of all where there is no split."""
    if not partition.test:
        return list(range(len(entries)))
    people = frozenset(partition.test)
    return [index for index, entry in enumerate(entries) if entry.person in people]


def run_of(entry: Entry) -> tuple[str, str, str]:
    """Which run a sequence belongs to: condition, and what tells its runs apart."""
    return entry.condition, entry.view, entry.name


def _taken(entries: Sequence[Entry], chosen: Sequence[int], patterns: Patterns) -> list[int]:
    return [i for i in chosen if any(fnmatchcase(entries[i].condition, pattern) for pattern in patterns)]


def _by_view(entries: Sequence[Entry], chosen: Sequence[int]) -> dict[str, list[int]]:
    views: dict[str, list[int]] = {view: [] for view in sorted({entries[i].view for i in chosen})}
    for index in chosen:
        views[entries[index].view].append(index)
    return views
