"""What goes over the pipe to mediapipe's process and back; both sides import this and msgspec alone.

A message is its length, four bytes little-endian, and MessagePack. Arrays travel as their bytes.
"""

from __future__ import annotations

from typing import BinaryIO

import msgspec

SIDE = 256
"""Pixels of a crop's side, and of a mask's."""
LANDMARKS, NUMBERS, JOINTS = 35, 5, 33
"""Landmarks of an answer (the body's, then the two that place the next region), numbers of each, joints."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The process has loaded its graph: mediapipe's version, and the digest of the net."""

    version: str
    sha256: str


class Crops(msgspec.Struct, frozen=True, tag=True):
    """``pixels``: uint8 (count, 256, 256, 3) BGR."""

    count: int
    pixels: bytes


class Answers(msgspec.Struct, frozen=True, tag=True):
    """One answer a crop, float32: ``presence`` (count,); ``landmarks`` (count, 35, 5) x, y, z in pixels of
    the crop, visibility and presence from 0 to 1; ``world`` (count, 33, 3) metres; ``masks`` (count, 256,
    256) from 0 to 1. Where nobody was seen all but the presence is 0.
    """

    presence: bytes
    landmarks: bytes
    world: bytes
    masks: bytes


class Failed(msgspec.Struct, frozen=True, tag=True):
    """What went wrong; the process ends."""

    reason: str


Message = Ready | Crops | Answers | Failed

_PACK = msgspec.msgpack.Encoder()
_UNPACK = msgspec.msgpack.Decoder(Message)


def send(pipe: BinaryIO, message: Message) -> None:
    """Write one message."""
    data = _PACK.encode(message)
    pipe.write(len(data).to_bytes(4, "little"))
    pipe.write(data)
    pipe.flush()


def receive(pipe: BinaryIO) -> Message | None:
    """The next message, None where the other side is gone; raises msgspec.DecodeError for anything else."""
    head = pipe.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "little")
    data = pipe.read(size)
    return _UNPACK.decode(data) if len(data) == size else None
