"""A built engine on the disk and its sidecar: what it was built from, with what, and for which machine.

An engine is code that a driver runs, so only one that we wrote, unharmed, for exactly this use, is loaded:
the sidecar must say what is wanted and the engine's bytes must hash to what the sidecar says.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final, Literal

import msgspec

from stream.errors import FOREIGN, ResourceError

SIDECAR: Final = ".json"


class EngineKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that an engine depends on; engines of different keys do not stand in for each other.

    ``batch``: the least, usual and largest number of rows of its profile.
    """

    onnx_sha256: str
    tensorrt: str
    driver: int
    gpu: str
    capability: str
    precision: str
    batch: tuple[int, int, int]
    workspace_bytes: int
    version_compatible: bool
    hardware_compatible: bool


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON beside an engine."""

    key: EngineKey
    engine_sha256: str
    version: Literal[1] = 1


def load_engine(path: Path, key: EngineKey) -> tuple[bytes | None, str]:
    """The engine's bytes where it is ours, unharmed and for ``key``; else None and why not."""
    try:
        said = msgspec.json.decode(sidecar_of(path).read_bytes(), type=Sidecar)
    except FileNotFoundError:
        return None, "not built yet" if not path.exists() else "an engine without its sidecar is not ours"
    except (OSError, *FOREIGN):
        return None, "its sidecar cannot be read"
    if said.key != key:
        return None, f"it was built for another {difference(said.key, key)}"
    try:
        data = path.read_bytes()
    except OSError as error:
        return None, f"it cannot be read ({error.strerror})"
    if hashlib.sha256(data).hexdigest() != said.engine_sha256:
        return None, "its bytes are not those that were written"
    return data, ""


def key_beside(path: Path) -> EngineKey | None:
    """What the engine at ``path`` says that it was built for; None where its sidecar says nothing."""
    try:
        return msgspec.json.decode(sidecar_of(path).read_bytes(), type=Sidecar).key
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def save_engine(path: Path, data: bytes, key: EngineKey) -> None:
    """Write the engine, then its sidecar; whoever reads in between finds no match and builds."""
    sidecar = Sidecar(key, hashlib.sha256(data).hexdigest())
    sidecar_of(path).unlink(missing_ok=True)
    write_whole(path, data)
    write_whole(sidecar_of(path), msgspec.json.format(msgspec.json.encode(sidecar)) + b"\n")


def sidecar_of(path: Path) -> Path:
    """Where the sidecar of an engine lies."""
    return path.with_name(path.name + SIDECAR)


def difference(one: EngineKey, other: EngineKey) -> str:
    """The fields in which two keys differ, by name."""
    fields = EngineKey.__struct_fields__
    return ", ".join(name for name in fields if getattr(one, name) != getattr(other, name))


def write_whole(path: Path, data: bytes) -> None:
    """Write by renaming a finished file; raises ResourceError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        raise ResourceError(
            f"cannot write it ({error.strerror})",
            where=str(path),
            fix="Free the disk, or choose another --out",
        ) from error
