"""A camera that went away is waited for: asked again and again, each time after a longer pause."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from stream.errors import SourceError
from stream.redact import redact
from stream.sources.base import Picture, Source, SourceOptions
from stream.sources.live import SCHEMES, USB, CameraRefusesError, LiveSource

FIRST_PAUSE_S: Final = 0.2
LAST_PAUSE_S: Final = 0.8
"""So that a camera that is back shows its first picture within 2 s: pause, handshake, key frame."""
REFUSED_PAUSE_S: Final = 30.0
"""After a wrong password: cameras lock an account that is tried too often."""
_REACH_S: Final = 0.5
_LOOK_FOR_STOP_S: Final = 0.05
_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_log = logging.getLogger("gaitway.stream")

Open = Callable[[str, str, SourceOptions], Source]


def is_camera(specification: str) -> bool:
    """Whether this is a camera's address, which may be lost and come back."""
    return specification.startswith((*SCHEMES, USB))


class AbsentSource:
    """A camera that could not be reached at the start: it shows nothing, and its ``problem`` says why."""

    live = True
    run = "absent"
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    expected_frames: int | None = None
    notes: tuple[str, ...] = ()

    def __init__(self, camera: str, problem: SourceError) -> None:
        self.camera = camera
        self.problem: SourceError | None = problem

    def frames(self) -> Iterator[Picture]:
        """None."""
        return iter(())

    def close(self) -> None:
        """Nothing is held."""


class Reconnect:
    """Opens a camera's next connection; waits for it for as long as nobody stops."""

    def __init__(
        self, address: str, camera: str, options: SourceOptions, open_one: Open = LiveSource
    ) -> None:
        self._address, self._camera, self._options, self._open = address, camera, options, open_one

    def __call__(self, stopped: Callable[[], bool]) -> Source | None:
        """The next connection, or None once ``stopped()``."""
        pause_s = FIRST_PAUSE_S
        said = ""
        while not stopped():
            try:
                if self._reachable():
                    return self._open(self._address, self._camera, self._options)
            except SourceError as error:
                if error.what != said:
                    said = error.what
                    _log.warning("%s: %s", self._camera, error, extra={"camera": self._camera})
                if isinstance(error, CameraRefusesError):
                    pause_s = REFUSED_PAUSE_S
            _wait(pause_s, stopped)
            pause_s = min(2 * pause_s, max(LAST_PAUSE_S, pause_s))
        return None

    def _reachable(self) -> bool:
        """Whether somebody listens there: a switched-off host is noticed in half a second, not in five."""
        where = urlsplit(self._address)
        if where.scheme not in _PORTS:
            return True
        with contextlib.suppress(OSError, ValueError):
            address = (where.hostname or "", where.port or _PORTS[where.scheme])
            socket.create_connection(address, timeout=_REACH_S).close()
            return True
        return False

    def __str__(self) -> str:
        return redact(self._address)


def _wait(pause_s: float, stopped: Callable[[], bool]) -> None:
    until_s = time.monotonic() + pause_s
    while not stopped() and (left_s := until_s - time.monotonic()) > 0:
        time.sleep(min(left_s, _LOOK_FOR_STOP_S))
