"""A data set that is in our form already: for another layout of it, or to pair silhouettes with poses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gait.data.errors import DataError
from gait.data.partition import among
from gait.data.records import Partition
from gait.data.source import Dropped, Found, Listing, Loaded, Options, listing, make_walk
from gait.data.store import DataSet


@dataclass(frozen=True)
class Prepared:
    """Our own folder. With ``options.poses``, another one, its joints go beside our silhouettes.

    Two sequences are a pair where person, condition, view and name are the same and both have as many frames.
    """

    root: Path
    options: Options
    parallel: bool = False  # it is mapped, not decoded

    @cached_property
    def _data(self) -> DataSet:
        return DataSet.open(self.root)

    @cached_property
    def _poses(self) -> DataSet | None:
        return None if self.options.poses is None else DataSet.open(self.options.poses)

    def find(self) -> Listing:
        """Every sequence; those without a partner are dropped."""
        poses = self._poses
        known = None if poses is None else {entry.key for entry in poses.entries}
        found: list[Found] = []
        dropped: list[Dropped] = []
        for entry in self._data.entries:
            if known is None or entry.key in known:
                found.append(Found(entry, (self.root / str(entry),)))
            else:
                dropped.append(
                    Dropped(str(self.root / str(entry)), f"{self.options.poses} has no poses of it")
                )
        return listing(found, dropped, self.root, "sequences that both have")

    def load(self, found: Found) -> Loaded:
        """The walk, with the partner's joints where there is one."""
        walk = self._data.read(found.entry)
        if self._poses is None:
            return Loaded(walk, found.entry.lost)
        partner = self._poses.entry(found.entry.key)
        pose = self._poses.read(partner)
        if partner.frames != found.entry.frames:
            raise DataError(
                f"{found.entry.frames} silhouettes but {partner.frames} poses",
                where=str(found.files[0]),
                wanted="as many of one as of the other",
            )
        points = pose.joints_2d if pose.joints_2d.size else None
        return Loaded(make_walk(walk.silhouettes, points, pose.joints_3d, pose.layout), found.entry.lost)

    def partition(self, people: frozenset[str]) -> Partition:
        """The one it has."""
        return among(self._data.partition, people)
