"""``run_pipeline.py top``: cameras, stages, latencies and drops of a running pipeline, as they change."""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from typing import Final

import msgspec
from rich.live import Live

from commands.camera_desk import STATUS
from commands.cli import add_config_arguments, out, say
from commands.config import load_config
from commands.running import supervisor_endpoint
from commands.top_screen import rendered
from commands.top_view import TopView, top_view
from stream.control import ask
from stream.errors import ConfigError, ResourceError
from stream.health import Health
from stream.look import Status
from stream.messages import ControlRequest

_SPAN_S: Final = 5.0
"""Rates and latencies are of so many last seconds: long enough to be calm, short enough to follow."""
_SHORTEST_S: Final = 0.1


def configure(parser: argparse.ArgumentParser) -> None:
    """Which pipeline, how often, for whom."""
    add_config_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the screen")
    parser.add_argument("--once", action="store_true", help="one look instead of going on until Ctrl-C")
    parser.add_argument(
        "--every", type=float, default=1.0, metavar="S", help="seconds between two looks (default 1)"
    )
    parser.add_argument(
        "--id", default="", metavar="NAME", help="the pipeline's name, where several run (run --id NAME)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Look until Ctrl-C or the pipeline's end; 0 also then."""
    if arguments.every < _SHORTEST_S:
        raise ConfigError(f"--every {arguments.every:g}", wanted=f"at least {_SHORTEST_S} s")
    config = load_config(arguments.config, arguments.overrides)
    looks = Looks(supervisor_endpoint(config.stream, arguments.id))
    looks.view()  # a rate needs two looks
    time.sleep(arguments.every)
    if arguments.once or arguments.json or not out.is_terminal:
        return _print(looks, arguments)
    with Live(rendered(looks.view()), console=out, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(arguments.every)
                live.update(rendered(looks.view()), refresh=True)
        except ResourceError as error:
            ended = str(error)
        except KeyboardInterrupt:
            return 0
    say(f"the pipeline has ended ({ended})")
    return 0


def _print(looks: Looks, arguments: argparse.Namespace) -> int:
    """Without a screen: one look after the other, or one."""
    view = looks.view()
    while True:
        if arguments.json:
            sys.stdout.write(msgspec.json.encode(view).decode() + "\n")
            sys.stdout.flush()
        else:
            out.print(rendered(view))
        if arguments.once:
            return 0
        try:
            time.sleep(arguments.every)
            view = looks.view()
        except ResourceError:
            return 0  # it has ended
        except KeyboardInterrupt:
            return 0


class Looks:
    """The looks of the last seconds at one pipeline."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._kept: deque[Status] = deque()

    def view(self) -> TopView:
        """Look again: what happened since the oldest look that is kept. ResourceError: nobody answers."""
        reply = ask(self._endpoint, ControlRequest(STATUS))
        if not reply.ok:
            raise ConfigError(reply.error, where="the running pipeline")
        status = msgspec.convert(reply.result["status"], Status)
        self._kept.append(status)
        while len(self._kept) > 2 and status.at_s - self._kept[1].at_s >= _SPAN_S:
            self._kept.popleft()
        return top_view(self._kept[0], status, msgspec.convert(reply.result["health"], Health))
