"""One target of bench ``fuzz`` in a process of its own.

    python -m benchmarks.fuzz_worker NAME COUNT SEED FOLDER

Prints what it found as JSON. The input in hand lies in FOLDER/input, for the case that this process dies.
"""

from __future__ import annotations

import gc
import logging
import random
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec

from benchmarks.fuzz_files import TARGETS as FILES
from benchmarks.fuzz_mutate import Mutator
from benchmarks.fuzz_stream import TARGETS as STREAM
from benchmarks.fuzz_stream import Target
from stream.errors import GaitwayError

TARGETS: Final = {**STREAM, **FILES}
HANG_S: Final = 5.0
_MOST: Final = 5  # different crashes that are told


class Crash(msgspec.Struct, frozen=True):
    """What went wrong, where, and the input that did it, in hexadecimal."""

    what: str
    where: str
    input: str


class Found(msgspec.Struct):
    """What came of one target."""

    inputs: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    blocks_grown: int = 0
    mb_grown: float = 0.0
    crashes: list[Crash] = []


class HangError(Exception):
    """One input took too long."""


def fuzz(target: Target, count: int, rng: random.Random, note: Callable[[bytes], object]) -> Found:
    """Feed ``count`` inputs, each told to ``note`` before; what is not a GaitwayError is a crash."""
    found, places = Found(crashes=[]), set[str]()
    mutator = Mutator(rng, target.seeds, target.form)
    target.feed(target.seeds[0])  # good input is taken
    begin_s, warm = time.monotonic(), max(1, count // 4)
    blocks, kilobytes = 0, 0
    for number in range(count):
        if number == warm:
            gc.collect()
            blocks, kilobytes = sys.getallocatedblocks(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        data = mutator.next()
        note(data)
        at_s = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        try:
            target.feed(data)
        except GaitwayError:
            found.refused += 1
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            where = _place(error)
            if where not in places and len(places) < _MOST:
                found.crashes.append(Crash(f"{type(error).__name__}: {error}"[:200], where, data.hex()))
            places.add(where)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        found.slowest_s = max(found.slowest_s, time.process_time() - at_s)
    target.close()
    gc.collect()
    found.inputs, found.seconds = count, time.monotonic() - begin_s
    found.blocks_grown = sys.getallocatedblocks() - blocks
    found.mb_grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - kilobytes) / 1e3
    return found


def _place(error: BaseException) -> str:
    """The last line of ours that the error came through."""
    where, step = "", error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if "site-packages" not in name and "/lib/python" not in name:
            where = f"{Path(name).name}:{step.tb_lineno}"
        step = step.tb_next
    return f"{where} {type(error).__name__}"


def _hangs(_number: int, _frame: FrameType | None) -> None:
    raise HangError(f"more than {HANG_S:g} s")


def main(name: str, count: int, seed: int, folder: Path) -> None:
    """Fuzz one target."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, _hangs)
    work = folder / name
    work.mkdir()
    target = TARGETS[name](work)
    with (folder / "input").open("wb", buffering=0) as file:

        def note(data: bytes) -> None:
            file.seek(0)
            file.write(len(data).to_bytes(4, "little") + data)

        found = fuzz(target, count, random.Random(f"{name}-{seed}"), note)  # noqa: S311 - to be had again
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
