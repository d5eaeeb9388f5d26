"""Tells the service manager that the pipeline is up, and that its supervisor goes on; sd_notify(3).

Under systemd (``Type=notify``, ``WatchdogSec=``) a supervisor that hangs or was stopped is then killed and
started again, as it watches its stages. Without a manager nothing is said.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Final

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG_US: Final = "WATCHDOG_USEC"
_SHARE: Final = 0.3  # of the manager's patience: three words are due before it runs out


class Manager:
    """The service manager, as the environment names it."""

    def __init__(self) -> None:
        # Not for the stages: they are the supervisor's to watch.
        address, patience_us = os.environ.pop(SOCKET, ""), os.environ.pop(WATCHDOG_US, "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every_s = int(patience_us) / 1e6 * _SHARE if patience_us.isdecimal() else None
        self._said_s = -1e9

    def ready(self) -> None:
        """Every stage is ready."""
        self._say("READY=1")

    def stopping(self) -> None:
        """The pipeline ends."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """The supervisor goes on; to be called often, said as often as it is due."""
        now_s = time.monotonic()
        if self._every_s is not None and now_s - self._said_s >= self._every_s:
            self._said_s = now_s
            self._say("WATCHDOG=1")

    def _say(self, word: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto(word.encode(), self._address)
