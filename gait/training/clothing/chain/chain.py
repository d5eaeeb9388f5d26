"""What every stage of the chain is given: the tracks, the variants wanted, and a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from gait.data.errors import DataError
from gait.data.prepare import Progress
from gait.data.source import Dropped
from gait.data.writer import write_atomically
from gait.training.clothing.chain.weights import Machine
from gait.training.clothing.looked import TRACK, Looked
from gait.training.clothing.rederived import WORK, Variant
from gait.training.clothing.shares import Wanted
from stream.errors import GaitwayError, ResourceError

Stage = Literal["look", "describe", "refine", "parse", "inpaint", "filter", "derive"]
STAGES: Final[tuple[Stage, ...]] = ("look", "describe", "refine", "parse", "inpaint", "filter", "derive")
T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the stages are told.

    Models are folders, files or names of a hub. ``prompts``: a file of outfits, a line each, instead of what
    describe and refine find. ``height`` and ``width`` of the inpainted picture; ``steps`` and ``guidance`` of
    the diffusion; ``again``: which share of the variants, the worst, is made a second time.
    """

    describe_model: str = ""
    refine_model: str = ""
    parse_model: str = ""
    inpaint_model: str = ""
    prompts: str = ""
    machine: Machine = Machine()
    height: int = 768
    width: int = 256
    steps: int = 30
    guidance: float = 7.5
    again: float = 0.2

    def check(self) -> None:
        """Raises DataError for numbers that mean nothing."""
        if (
            self.height % 64
            or self.width % 64
            or not (64 <= self.width <= 2048 and 64 <= self.height <= 2048)
        ):
            raise DataError(f"--size {self.height}x{self.width}", wanted="multiples of 64, 64 to 2048")
        if not 1 <= self.steps <= 1000:
            raise DataError(f"--diffusion-steps {self.steps}", wanted="1 to 1000")
        if not 0 <= self.again < 1:
            raise DataError(f"--again {self.again:g}", wanted="0 to below 1")


@dataclass
class Chain:
    """A run: ``variants`` of the recordings, in ``folder``; ``dropped`` collects what is left out."""

    folder: Path
    wanted: Wanted
    variants: Sequence[Variant]
    settings: Settings
    dropped: list[Dropped] = field(default_factory=list)
    say: Callable[[str], None] = lambda _: None
    progress: Progress | None = None

    def place(self, stage: Stage, *parts: str) -> Path:
        """A stage's folder, or a file in it, the folders above it made."""
        path = self.folder / WORK / stage
        for part in parts:
            path = path / part
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def tracks(self) -> Iterator[Looked]:
        """Every recording that was looked at and can be used, in order."""
        for path in sorted((self.folder / WORK / "look").glob("*")):
            if (path / TRACK).exists():
                yield Looked.open(path)

    def track(self, name: str) -> Looked | None:
        """One of them."""
        path = self.folder / WORK / "look" / name
        return Looked.open(path) if (path / TRACK).exists() else None

    def begin(self, stage: Stage, **told: object) -> None:
        """Note what a stage is told; raises DataError where it was begun otherwise, or has nothing to do."""
        if next(self.tracks(), None) is None:
            raise DataError(
                "no recording was looked at", where=str(self.folder), fix="Run --stage look before this one"
            )
        text = msgspec.json.encode({"stage": stage, **told}).decode()
        path = self.place(stage, "settings.json")
        # Settings of a stage that made nothing, such as of a model that was none, bind nobody.
        made = any(one.is_file() and one != path for one in path.parent.rglob("*"))
        if not path.exists() or (not made and path.read_text(encoding="utf-8") != text):
            write_atomically(path, text.encode())
        elif path.read_text(encoding="utf-8") != text:
            raise DataError(
                f"holds a {stage} stage begun with other settings ({path.read_text(encoding='utf-8')})",
                where=str(path.parent),
                wanted=text,
                fix="Use the same, or delete that folder",
            )

    def each(self, items: Iterable[T], name: Callable[[T], str], work: Callable[[T], None]) -> None:
        """``work`` on every item; one that cannot be used is told and passed over."""
        known = list(items)
        for number, item in enumerate(known, 1):
            try:
                work(item)
            except ResourceError:
                # What the machine lacks, it lacks for every item.
                raise
            except GaitwayError as error:
                reason = f"{error.what}; wanted {error.wanted}" if error.wanted else error.what
                self.dropped.append(Dropped(error.where or name(item), reason))
            if self.progress is not None:
                self.progress(number, len(known))


def write_json(path: Path, value: Any) -> None:
    """All of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def read_json(path: Path, kind: type[T]) -> T:
    """Raises DataError where the file is missing or holds something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"cannot be used ({error})", where=str(path)) from error
