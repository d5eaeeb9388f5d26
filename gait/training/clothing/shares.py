"""Which tracks get new clothes, what their variants are called, and the record of what was made from what."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gait.data.errors import DataError
from gait.data.records import Entry, Key
from gait.data.writer import write_atomically
from gait.walkers.seeds import stream

LEDGER: Final = "augmented.jsonl"
MARK: Final = "+"
"""What parts a variant's name from the name of the track it was made from."""
MOST_VARIANTS: Final = 100
METHODS: Final = ("outline", "recolour", "diffusion")
_VARIANT: Final = re.compile(rf"(.*)\{MARK}(?:{'|'.join(METHODS)})\d\d", re.DOTALL)


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much is made: ``share`` of the tracks, ``variants`` of each; one ``seed``, one set of clothes."""

    share: float = 0.25
    variants: int = 10
    seed: int = 0

    def check(self) -> None:
        """Raises DataError for numbers that mean nothing."""
        if not 0 < self.share <= 1:
            raise DataError(f"--share {self.share:g}", wanted="above 0, 1 at most (0.25 is a quarter)")
        if not 1 <= self.variants <= MOST_VARIANTS:
            raise DataError(f"--variants {self.variants}", wanted=f"1 to {MOST_VARIANTS}")
        if self.seed < 0:
            raise DataError(f"--seed {self.seed}", wanted="0 or more")


class Made(msgspec.Struct, frozen=True, omit_defaults=True, rename={"source": "from"}):
    """A line of the ledger: which track was made from which, by what, and what is worn in it."""

    made: str
    source: str
    method: str
    variant: int
    seed: int
    wearing: dict[str, Any]
    frames: int = 0


def chosen(entries: Sequence[Entry], wanted: Wanted) -> list[Entry]:
    """``share`` of them, of each person alike as far as the numbers allow; in their own order."""
    ordered = sorted(entries, key=lambda entry: (entry.person, _luck(wanted.seed, entry)))
    start = float(stream(wanted.seed, "share").random())
    taken = {
        entry.key
        for number, entry in enumerate(ordered)
        if math.floor((number + 1) * wanted.share + start) > math.floor(number * wanted.share + start)
    }
    if not taken and ordered:
        taken = {ordered[0].key}
    return [entry for entry in entries if entry.key in taken]


def variant_of(entry: Entry, method: str, number: int) -> Entry:
    """The track ``number`` made from ``entry``; all but the name stays."""
    return msgspec.structs.replace(entry, name=f"{entry.name}{MARK}{method}{number:02d}")


def is_variant(entry: Entry) -> bool:
    """Whether it was made by one of our methods, and so is not dressed again."""
    return source_of(entry) is not None


def source_of(entry: Entry) -> Key | None:
    """The key of the track that a variant was made from; None for a track that is none."""
    told = _VARIANT.fullmatch(entry.name)
    return None if told is None else (entry.person, entry.condition, entry.view, told[1])


def write_ledger(folder: Path, lines: Iterable[Made]) -> int:
    """All lines at once, in order; how many."""
    encoded = [msgspec.json.encode(line) for line in lines]
    write_atomically(folder / LEDGER, b"".join(line + b"\n" for line in encoded))
    return len(encoded)


def _luck(seed: int, entry: Entry) -> bytes:
    return hashlib.blake2b("\0".join((str(seed), *entry.key)).encode(), digest_size=8).digest()
