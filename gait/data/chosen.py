"""A part of a data set: some of its conditions and views, and if need be another say on who is trained on.

Sets without a split of their own people (Kinect runs, USF's gallery and probes) are divided this way: one
preparation of what is trained on, one of what is tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gait.data.errors import DataError
from gait.data.records import Entry, Partition
from gait.data.source import Found, Listing, Loaded, Preparation

Everyone = Literal["", "train", "test"]


@dataclass(frozen=True)
class Chosen:
    """``conditions`` and ``views`` that are kept (empty: all); ``everyone`` puts all people on one side."""

    whole: Preparation
    conditions: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    everyone: Everyone = ""

    @property
    def parallel(self) -> bool:
        """As the whole."""
        return self.whole.parallel

    def find(self) -> Listing:
        """Those that were chosen; raises DataError where none is left, naming what there is."""
        listing = self.whole.find()
        kept = tuple(found for found in listing.found if self._wanted(found.entry))
        if not kept:
            there = sorted({found.entry.condition for found in listing.found})[:20]
            views = sorted({found.entry.view for found in listing.found})[:20]
            raise DataError(
                "no sequence has the conditions and views that were asked for",
                where=str(listing.found[0].files[0].parent),
                wanted=f"conditions of {', '.join(there)}; views of {', '.join(views)}",
            )
        return Listing(kept, listing.dropped)

    def load(self, found: Found) -> Loaded:
        """As the whole."""
        return self.whole.load(found)

    def partition(self, people: frozenset[str]) -> Partition:
        """The whole's, unless everyone is on one side."""
        if self.everyone == "train":
            return Partition(train=tuple(sorted(people)))
        if self.everyone == "test":
            return Partition(test=tuple(sorted(people)))
        return self.whole.partition(people)

    def _wanted(self, entry: Entry) -> bool:
        return (not self.conditions or entry.condition in self.conditions) and (
            not self.views or entry.view in self.views
        )
