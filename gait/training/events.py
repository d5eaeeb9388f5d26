"""TensorBoard's event files, written plainly: scalars need two small messages and a checksum.

A file is records of: length (uint64), its checksum, the message, its checksum; all little-endian, checksums
CRC-32C, rotated and offset. A message is protocol buffers: Event {1: wall time, 2: step, 3: version,
5: Summary {1: Value {1: tag, 2: float}}}.
"""

from __future__ import annotations

import struct
import time
from functools import cache
from pathlib import Path
from typing import Final

from gait.training.log import StepLine, ValidationLine

_POLYNOMIAL: Final = 0x82F63B78  # Castagnoli's, bits reversed
_OFFSET: Final = 0xA282EAD8
_VERSION: Final = b"brain.Event:2"
_DOUBLE, _VARINT, _BYTES, _FLOAT = 1, 0, 2, 5


class Events:
    """One more file in ``folder``; each resumed run adds its own, as the viewer expects."""

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # The viewer finds files by "tfevents" in the name and takes them in order of name.
        self.path = folder / f"events.out.tfevents.{step:010d}.gaitway"
        self.path.write_bytes(record(_key(1, _DOUBLE) + struct.pack("<d", time.time()) + _text(3, _VERSION)))

    def add(self, line: StepLine | ValidationLine) -> None:
        """The line's numbers, each a scalar of its own."""
        if isinstance(line, StepLine):
            scalars = {
                "loss": line.loss,
                "rate": line.rate,
                **{f"parts/{k}": v for k, v in line.parts.items()},
            }
            scalars["clips_per_s"] = line.clips_per_s
        else:
            scalars = {"validation/rank_1": line.rank_1}
        with self.path.open("ab") as file:
            file.write(record(event(line.step, scalars)))


def event(step: int, scalars: dict[str, float]) -> bytes:
    """An Event of scalars at a step."""
    values = b"".join(
        _text(1, _text(1, tag.encode()) + _key(2, _FLOAT) + struct.pack("<f", value))
        for tag, value in scalars.items()
    )
    when = _key(1, _DOUBLE) + struct.pack("<d", time.time())
    return when + _key(2, _VARINT) + _varint(step) + _text(5, values)


def record(message: bytes) -> bytes:
    """A message as it stands in the file."""
    length = struct.pack("<Q", len(message))
    return length + _masked(length) + message + _masked(message)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _text(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _masked(content: bytes) -> bytes:
    found = crc32c(content)
    return struct.pack("<I", ((found >> 15 | found << 17) + _OFFSET) & 0xFFFFFFFF)


def crc32c(content: bytes) -> int:
    """Castagnoli's checksum."""
    table, found = _table(), 0xFFFFFFFF
    for byte in content:
        found = table[(found ^ byte) & 0xFF] ^ found >> 8
    return found ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    return tuple(_shifted(number) for number in range(256))


def _shifted(number: int) -> int:
    for _ in range(8):
        number = number >> 1 ^ (_POLYNOMIAL if number & 1 else 0)
    return number
