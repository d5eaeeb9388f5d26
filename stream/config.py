"""The ``stream:`` part of pipeline.yaml: which sockets, how much memory, how long to wait."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from stream.bus import Limits
from stream.errors import ConfigError, ResourceError

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class StreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How frames and messages travel.

    ``transport``: ``inproc`` (stages are threads), ``ipc`` (processes) or ``tcp`` (processes, perhaps on
    several machines). ``tcp_host`` and ``tcp_port``: where the first tcp hop binds; hops count up from there.
    ``endpoints``: a hop's own endpoint, by hop name, in place of the derived one.
    """

    transport: Literal["inproc", "ipc", "tcp"] = "ipc"
    tcp_host: str = "127.0.0.1"
    tcp_port: Annotated[int, msgspec.Meta(ge=1, le=65000)] = 17400
    endpoints: dict[str, str] = {}

    # Folders. Empty: one of this user's own in the system's runtime or temporary folder, and /dev/shm.
    runtime_folder: str = ""
    shared_memory: str = ""

    # Bounds. 16 messages a hop and 8 frames a camera keep 2 busy cores fed (a stage's hiccup is a few frames
    # long) and the delay under a third of a second at 25 frames a second; 8 slots of 1080p are 50 MB, which
    # fits the 64 MB of shared memory that a container has unless told otherwise.
    hwm: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 16
    ring_slots: Annotated[int, msgspec.Meta(ge=2, le=1024)] = 8
    max_message_bytes: Annotated[int, msgspec.Meta(ge=1024, le=64 * 1024 * 1024)] = 64 * 1024 * 1024

    # Patience. A net is compiled in ``start_s``; after Ctrl-C the last frame is through within ``drain_s``
    # of the one before; ``grace_s`` is what an ending stage gets before it is killed.
    start_s: Seconds = 120.0
    drain_s: Seconds = 30.0
    grace_s: Seconds = 5.0

    # Supervision of stages that are processes. A stage is started again up to ``restarts`` times a minute
    # (0: the first death ends the pipeline), from a checkpoint kept every ``checkpoint_s``: what lies between
    # is computed again, and a checkpoint costs some ms. One that has not looked at its orders for
    # ``heartbeat_s`` hangs, is stopped or loops, and is killed: ten times the slowest frame on a busy host.
    # Where others keep it from running, the time does not count (``stream/pulse.py``). ``standby``: stages of
    # which a second process waits, modules and nets loaded, to take a dead one's place.
    restarts: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 5
    checkpoint_s: Seconds = 1.0
    heartbeat_s: Seconds = 10.0
    standby: tuple[Literal["perceive", "track", "embed", "identify", "publish"], ...] = ()

    @property
    def limits(self) -> Limits:
        """The limits of every hop after perception."""
        return Limits(self.hwm, self.max_message_bytes, self.drain_s)

    @property
    def token_limits(self) -> Limits:
        """The limits of the hops from the sources: less than the ring holds.

        So a source waits in its hop, which looks after itself meanwhile, and never for the ring.
        """
        return Limits(min(self.hwm, self.ring_slots - 1), self.max_message_bytes, self.drain_s)


def hop_endpoints(config: StreamConfig, folder: Path, hops: Iterable[str]) -> dict[str, str]:
    """The endpoint of every hop, by name; the same for every process that asks with the same arguments."""
    names = tuple(hops)
    unknown = config.endpoints.keys() - set(names)
    if unknown:
        raise ConfigError(
            f"no hop is called {', '.join(sorted(unknown))}",
            where="stream.endpoints",
            wanted=f"some of {', '.join(names)}",
        )
    return {
        name: config.endpoints.get(name) or _derived(config, folder, name, at)
        for at, name in enumerate(names)
    }


def runtime_folder(config: StreamConfig, pipeline: str) -> Path:
    """The folder of this pipeline's sockets, ledger and logs, made where needed, closed to other users."""
    base = config.runtime_folder or os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(base) / f"gaitway-{os.getuid()}" / pipeline
    try:
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.parent.stat().st_uid
    except OSError as error:
        raise ResourceError(
            f"the runtime folder cannot be made ({error.strerror})",
            where=str(folder),
            fix="Set stream.runtime_folder to a folder of yours",
        ) from error
    if owner != os.getuid():
        raise ResourceError(
            "the runtime folder belongs to another user",
            where=str(folder.parent),
            fix="Set stream.runtime_folder to a folder of yours",
        )
    return folder


def _derived(config: StreamConfig, folder: Path, name: str, at: int) -> str:
    if config.transport == "inproc":
        return f"inproc://{folder}/{name}"
    if config.transport == "ipc":
        return f"ipc://{folder}/{name}.sock"
    if config.tcp_port + at > 65535:
        raise ConfigError(f"no port is left for hop {name}", where="stream.tcp_port", wanted="a lower one")
    return f"tcp://{config.tcp_host}:{config.tcp_port + at}"
