"""Taking a person out of what runs have written: event logs are blotted out in place, traces removed.

A log may be open in a running publisher, so every byte keeps its place: the name and the id become asterisks
of the same length. A log treated so no longer equals what a replay of its recording gives.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stream.errors import FOREIGN, GalleryError
from stream.messages import Event

BLOT: Final = b"*"
LOG: Final = "log"
TRACE: Final = "trace"
CHECKPOINTS: Final = "checkpoints"
"""A folder of what stages remember of tracks that were alive, should a run go on; it goes with anybody."""


class _Delivery(msgspec.Struct):
    """A line of a sink's file: the event, and how it was sent."""

    event: Event


_decoder = msgspec.json.Decoder(Event)
_delivery = msgspec.json.Decoder(_Delivery)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Redacted:
    """What was done to one file: how many events were blotted out, or that a trace was removed."""

    path: str
    events: int
    removed: bool = False


def redact(
    places: Iterable[tuple[str, str]], person: str, tracklets: Iterable[str] = (), *, idle: bool = False
) -> list[Redacted]:
    """Take ``person`` out of every log and remove the traces of runs that saw them; only what was changed.

    ``places`` are (path, kind) as the gallery keeps them; ``tracklets`` are those the person was enrolled
    from. ``idle``: no run is alive that replaces its checkpoints by itself, so they go too. Raises
    GalleryError where a file cannot be changed.
    """
    files = sorted(places)
    runs = {tracklet.rsplit("/", 1)[0] for tracklet in tracklets}
    found = []
    folders = set()
    for path, kind in files:
        for log in _copies(Path(path)) if kind == LOG else ():
            events, seen = _redact_log(log, person, runs)
            if events:
                found.append(Redacted(str(log), events))
            if events or seen:
                folders.add(log.parent)
    for path, kind in files:
        if kind == TRACE and Path(path).parent in folders and Path(path).exists():
            _remove(Path(path))
            found.append(Redacted(path, 0, removed=True))
        for left in sorted(Path(path).glob("*")) if kind == CHECKPOINTS and idle else ():
            if left.is_file():
                _remove(left)
                found.append(Redacted(str(left), 0, removed=True))
    return found


def _copies(log: Path) -> list[Path]:
    """The log and those that earlier runs left beside it (events.1.jsonl and so on)."""
    return sorted({*log.parent.glob(f"{log.stem}.*{log.suffix}"), *((log,) if log.exists() else ())})


def _redact_log(path: Path, person: str, runs: set[str]) -> tuple[int, bool]:
    """How many events named the person; and whether the log is of a run that they were enrolled from."""
    count, seen, at = 0, False, 0
    needle = f'"{person}"'.encode()
    try:
        with path.open("rb") as reading, path.open("r+b", buffering=0) as writing:
            for line in reading:
                seen = seen or any(run.encode() in line for run in runs)
                if needle in line:
                    blotted = _blotted(line, person)
                    if blotted != line:
                        os.pwrite(writing.fileno(), blotted, at)
                        count += 1
                at += len(line)
            if count:
                os.fsync(writing.fileno())
    except OSError as error:
        fix = "Make it writable and remove the person's name from it, or delete it"
        raise GalleryError(f"cannot be redacted ({error.strerror})", where=f"log {path}", fix=fix) from error
    return count, seen


def _blotted(line: bytes, person: str) -> bytes:
    """The line with the person's id and name blotted out, byte for byte as long."""
    try:
        event = _delivery.decode(line).event if line.startswith(b'{"event"') else _decoder.decode(line)
    except FOREIGN:
        return line
    identity = event.identity
    if identity is None or identity.person != person:
        return line
    for field, value in (("person", identity.person), ("name", identity.name)):
        if value:
            text = _encode(value)
            before, after = f'"{field}":'.encode() + text, f'"{field}":"'.encode()
            line = line.replace(before, after + BLOT * (len(text) - 2) + b'"', 1)
    return line


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        what = f"cannot be removed ({error.strerror})"
        raise GalleryError(
            what, where=str(path), fix="Remove it: it holds silhouettes and vectors"
        ) from error
