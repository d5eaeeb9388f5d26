"""Data sets that come as folders of silhouette pictures: which folder is whose, by a pattern of its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gait.data.images import load_silhouettes, pictures_in
from gait.data.records import Entry, Partition, Role
from gait.data.source import Found, Listing, Loaded, gathered, require_folder, split_at


@dataclass(frozen=True)
class Rule:
    """A picture folder's path below the root, with groups person, condition, view and name as it has them.

    Folders without a person are nobody's that is known: probes. ``suffix`` tells ids apart that are counted
    twice.
    """

    pattern: str
    role: Role = ""
    suffix: str = ""

    def entry(self, path: str) -> Entry | None:
        """Whose sequence a folder is; None where the path is another."""
        told = re.fullmatch(self.pattern, path)
        if told is None:
            return None
        parts = {"person": "probe", "condition": "", "view": "", "name": ""} | told.groupdict()
        person = parts["person"] + self.suffix
        return Entry(person, parts["condition"], parts["view"], 0, parts["name"], self.role)


@dataclass(frozen=True)
class Naming:
    """The facts of one data set: how its folders are named, and which people its authors train on."""

    rules: tuple[Rule, ...]
    shown: str
    trains: Callable[[str], bool]

    def entry(self, path: str) -> Entry | None:
        """Whose sequence a folder is; None where it is not one of this data set's."""
        return next((entry for rule in self.rules if (entry := rule.entry(path)) is not None), None)


def _number_at_most(last: int) -> Callable[[str], bool]:
    return lambda person: int(person) <= last


def _odd(person: str) -> bool:
    return int(person) % 2 == 1


CASIA_B = Naming(
    (Rule(r"(?P<person>\d{3})/(?P<condition>(?:nm|bg|cl)-\d{2})/(?P<view>\d{3})"),),
    "001/nm-01/090/*.png",
    _number_at_most(74),
)
OUMVLP = Naming(
    (Rule(r"Silhouette_(?P<view>\d{3})-(?P<condition>\d{2})/(?P<person>\d{5})"),),
    "Silhouette_090-00/00001/*.png",
    _odd,
)
# Training and test ids are counted apart, so 00001 is two people.
GREW = Naming(
    (
        Rule(r"train/(?P<person>\d{5})/(?P<name>[^/]+)", "train", "train"),
        Rule(r"(?:test/)?gallery/(?P<person>\d{5})/(?P<name>[^/]+)", "gallery"),
        Rule(r"(?:test/)?probe/(?P<name>[^/]+)", "probe"),
    ),
    "train/00001/SEQ/*.png, test/gallery/00001/SEQ/*.png, test/probe/SEQ/*.png",
    lambda person: person.endswith("train"),
)
GAIT3D = Naming(
    (
        Rule(
            r"(?:2D_(?:Silhouettes|Poses)/)?(?P<person>\d{4})/(?P<condition>camid\d+_videoid\d+)/(?P<view>seq\d+)",
        ),
    ),
    "0000/camid0_videoid2/seq0/*.png",
    _number_at_most(2999),
)
CCPG = Naming(
    (Rule(r"(?:[^/]+/)?(?P<person>\d{3})/(?P<condition>U\d+_D\d+(?:_BG)?)/(?P<view>[^/]+)"),),
    "000/U0_D0/01_0/*.png",
    _number_at_most(99),
)
SUSTECH1K = Naming(
    (
        Rule(
            r"(?P<person>\d{4})/(?P<condition>\d{2}-[a-z-]+)/(?P<view>\d{3}(?:-\w+)?)"
            r"(?:/[^/]*[Ss]ils?[^/]*)?"
        ),
    ),
    "0000/01-nm/090/*.png or .../090/Camera-Sils/*.png",
    _number_at_most(249),
)


@dataclass(frozen=True)
class SilhouetteTree:
    """One of the data sets above, at one place."""

    root: Path
    kind: str
    parallel: bool = True

    def find(self) -> Listing:
        """Every folder with pictures in it; those whose name does not fit are dropped."""
        folders = sorted(path for path in require_folder(self.root).rglob("*") if path.is_dir())
        return gathered(folders, self._told, self.root, NAMINGS[self.kind].shown)

    def _told(self, folder: Path) -> Found | str | None:
        naming, pictures = NAMINGS[self.kind], pictures_in(folder)
        entry = naming.entry(folder.relative_to(self.root).as_posix())
        if pictures:
            return Found(entry, pictures) if entry else f"its name is none of {self.kind}: {naming.shown}"
        return "the folder is empty" if entry is not None and not any(folder.iterdir()) else None

    def load(self, found: Found) -> Loaded:
        """The pictures, aligned."""
        return load_silhouettes(found.files)

    def partition(self, people: frozenset[str]) -> Partition:
        """The published split."""
        return split_at(people, NAMINGS[self.kind].trains)


NAMINGS = {
    "casia-b": CASIA_B,
    "oumvlp": OUMVLP,
    "grew": GREW,
    "gait3d": GAIT3D,
    "ccpg": CCPG,
    "sustech1k": SUSTECH1K,
}
