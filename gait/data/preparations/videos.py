"""Recordings in colour, which our own perception turns into walks: it is handed in, not imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gait.data.errors import DataError
from gait.data.images import load_silhouettes, pictures_in
from gait.data.opengait import named_sequence
from gait.data.records import Entry, Partition, Role
from gait.data.source import (
    Dropped,
    Found,
    Listing,
    Loaded,
    Options,
    Perceive,
    gathered,
    listing,
    require_folder,
    split_at,
    walks_by_person,
)

VIDEOS: Final = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"})


@dataclass(frozen=True)
class VideoFolders:
    """``root/PERSON/*.mp4``: a folder a person, a file a walk."""

    root: Path
    options: Options
    parallel: bool = False  # perception itself uses all cores

    def find(self) -> Listing:
        """Every video one folder down, and every folder of pictures two down."""
        return walks_by_person(self.root, _is_recording, "videos", "PERSON/*.mp4")

    def load(self, found: Found) -> Loaded:
        """What perception saw of the one person in it."""
        return Loaded(_perceive(self.options)(found.files[0]))

    def partition(self, people: frozenset[str]) -> Partition:
        """None of its own."""
        del people
        return Partition()


@dataclass(frozen=True)
class CasiaBVideos:
    """CASIA-B's recordings: ``001-nm-01-090.avi``; those named bkgrd show nobody."""

    root: Path
    options: Options
    parallel: bool = False

    def find(self) -> Listing:
        """Every video whose name is a sequence's."""
        videos = sorted(p for p in require_folder(self.root).rglob("*") if p.suffix.lower() in VIDEOS)
        return gathered(videos, _named, self.root, "001-nm-01-090.avi")

    def load(self, found: Found) -> Loaded:
        """What perception saw of the one person in it."""
        return Loaded(_perceive(self.options)(found.files[0]))

    def partition(self, people: frozenset[str]) -> Partition:
        """001 to 074 train."""
        return split_at(people, lambda person: int(person) <= 74)


def _named(path: Path) -> Found | str | None:
    entry = named_sequence(path.stem)
    if entry is not None:
        return Found(entry, (path,))
    return None if "bkgrd" in path.stem else "its name is not 001-nm-01-090.avi"


@dataclass(frozen=True)
class Ccvid:
    """CCVID: train.txt, query.txt and gallery.txt name folders session1/001_01, the person and the clothes.

    Folders of colour pictures go through perception; folders of .png are taken for silhouettes.
    """

    root: Path
    options: Options
    parallel: bool = False

    def find(self) -> Listing:
        """Every folder that the three lists name."""
        found: list[Found] = []
        dropped: list[Dropped] = []
        require_folder(self.root)
        for file, role in _LISTS.items():
            for number, line in enumerate(_lines(self.root / file), 1):
                cells = line.split()
                if len(cells) < 2:
                    what = f"row {number} of {file} has {len(cells)} columns"
                    raise DataError(what, where=str(self.root / file), wanted="folder, person, clothes")
                folder, person = self.root / cells[0], cells[1]
                pictures = pictures_in(folder) if folder.is_dir() else ()
                if not pictures:
                    dropped.append(Dropped(str(folder), f"{file} names it, but it holds no pictures"))
                    continue
                session, _, name = cells[0].partition("/")
                clothes = cells[2] if len(cells) > 2 else "walk"
                found.append(
                    Found(Entry(person, clothes, session, 0, name.replace("/", "-"), role), pictures)
                )
        return listing(found, dropped, self.root, "train.txt, query.txt, gallery.txt and their folders")

    def load(self, found: Found) -> Loaded:
        """Silhouettes as they are, or what perception saw."""
        if found.files[0].suffix.lower() == ".png":
            return load_silhouettes(found.files)
        return Loaded(_perceive(self.options)(found.files[0].parent))

    def partition(self, people: frozenset[str]) -> Partition:
        """As the lists say: nobody is both trained on and tested."""
        train = {line.split()[1] for line in _lines(self.root / "train.txt")}
        return split_at(people, lambda person: person in train)


_LISTS: Final[dict[str, Role]] = {"train.txt": "train", "query.txt": "probe", "gallery.txt": "gallery"}


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path)) from error
    return [line for line in lines if line.strip()]


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in VIDEOS or (path.is_dir() and bool(pictures_in(path)))


def _perceive(options: Options) -> Perceive:
    if options.perceive is None:
        raise DataError("colour pictures need the pipeline's perception", fix="Use `run_pipeline.py prepare`")
    return options.perceive
