"""Preparing a data set: every sequence read, in parallel, and written in order; what is dropped is told."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

import msgspec

from gait.data.errors import DataError
from gait.data.partition import among, read_partition
from gait.data.records import Entry
from gait.data.source import Dropped, Found, Loaded, Preparation
from gait.data.store import DataSet
from gait.data.writer import DataSetWriter, check_walk, write_atomically
from stream.errors import GaitwayError, ResourceError

REPORT: Final = "report.json"
# So few sequences are read before other processes have even started.
_FEW: Final = 16
_AHEAD: Final = 4

Progress = Callable[[int, int], None]


class Report(msgspec.Struct, frozen=True):
    """What became of a data set. ``lost_frames`` held nothing and were left out of sequences kept."""

    kind: str
    sequences: int
    people: int
    frames: int
    lost_frames: int
    dropped: tuple[Dropped, ...]


def prepare(
    kind: str,
    preparation: Preparation,
    folder: Path,
    *,
    settings: str = "",
    partition_file: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Fill ``folder`` with our form of a data set, or take up where an earlier run was stopped.

    Raises DataError where nothing can be kept, and for a partition that names people who are not there.
    """
    listing = preparation.find()
    people = frozenset(found.entry.person for found in listing.found)
    if partition_file is None:
        partition = preparation.partition(people)
    else:
        partition = read_partition(partition_file, people)
    dropped = list(listing.dropped)
    with DataSetWriter(folder, settings or kind) as writer:
        todo = [found for found in listing.found if found.entry not in writer]
        done = len(listing.found) - len(todo)
        for found, result in _results(preparation, todo, workers):
            if isinstance(result, Dropped):
                dropped.append(result)
            else:
                writer.add(_entry(found, result), result.walk)
            done += 1
            if progress is not None:
                progress(done, len(listing.found))
        if not writer.keys:
            raise _nothing(dropped[len(listing.dropped) :])
        writer.finish(among(partition, frozenset(key[0] for key in writer.keys)))
    return _reported(kind, folder, dropped)


def _reported(kind: str, folder: Path, dropped: list[Dropped]) -> Report:
    data = DataSet.open(folder)
    report = Report(
        kind,
        len(data),
        len(data.people),
        sum(entry.frames for entry in data.entries),
        sum(entry.lost for entry in data.entries),
        tuple(dropped),
    )
    write_atomically(folder / REPORT, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return report


def _nothing(dropped: Sequence[Dropped]) -> DataError:
    first = dropped[0]
    return DataError(
        f"every sequence was dropped, {len(dropped)} in all; first: {first.reason}", where=first.where
    )


def _entry(found: Found, loaded: Loaded) -> Entry:
    frames = _frames(loaded)
    return msgspec.structs.replace(found.entry, frames=frames, lost=loaded.lost)


def _frames(loaded: Loaded) -> int:
    return len(loaded.walk.joints_2d)


def _results(
    preparation: Preparation, todo: Sequence[Found], workers: int | None
) -> Iterator[tuple[Found, Loaded | Dropped]]:
    """Every sequence with what became of it, in order."""
    count = min(os.cpu_count() or 1, 8) if workers is None else workers
    if count < 2 or len(todo) < _FEW or not preparation.parallel:
        yield from ((found, _attempt(preparation, found)) for found in todo)
        return
    # Spawned, because a forked process would share threads that OpenCV has already started.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        try:
            yield from _in_order(pool, preparation, todo, _AHEAD * count)
        except BrokenProcessPool as error:
            raise ResourceError(
                "a process that reads sequences was killed",
                fix="Start it again with fewer --workers; what is done is kept",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, preparation: Preparation, todo: Sequence[Found], ahead: int
) -> Iterator[tuple[Found, Loaded | Dropped]]:
    """No more than ``ahead`` sequences are held at once, however many there are."""
    waiting: deque[tuple[Found, Future[Loaded | Dropped]]] = deque()
    rest = iter(todo)
    for found in rest:
        waiting.append((found, pool.submit(_attempt, preparation, found)))
        if len(waiting) >= ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    for first, future in waiting:
        yield first, future.result()


def _attempt(preparation: Preparation, found: Found) -> Loaded | Dropped:
    """Errors come back as values: they cross processes, and one bad sequence does not end the others."""
    try:
        loaded = preparation.load(found)
        check_walk(_entry(found, loaded), loaded.walk)
    except GaitwayError as error:
        told = error.where not in ("", str(found.entry))
        where = error.where if told else str(found.files[0])
        reason = f"{error.what}; wanted {error.wanted}" if error.wanted else error.what
        return Dropped(where, reason)
    return loaded
