"""``run_pipeline.py cameras``: list, attach, detach or pause the cameras of a running pipeline."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from commands.camera_desk import ORDERS
from commands.cli import add_config_arguments, add_json_argument, out, print_json, say
from commands.config import load_config
from commands.running import supervisor_endpoint
from stream.control import ask
from stream.errors import ConfigError
from stream.messages import ControlReply, ControlRequest
from stream.security import client_keys


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, with which camera, of which pipeline."""
    add_config_arguments(parser)
    add_json_argument(parser)
    parser.add_argument("order", choices=ORDERS, metavar="ORDER", help=", ".join(ORDERS))
    parser.add_argument(
        "camera",
        nargs="?",
        default="",
        metavar="NAME[=SOURCE]",
        help="the camera; attach takes NAME=rtsp://..., or the name of one that was detached",
    )
    parser.add_argument(
        "--id", default="", metavar="NAME", help="the pipeline's name, where several run (run --id NAME)"
    )
    there = parser.add_argument_group("a pipeline on another machine")
    there.add_argument("--at", metavar="ENDPOINT", help="its security.control, such as tcp://HOST:5580")
    there.add_argument("--identity", type=Path, metavar="FILE", help="an operator's NAME.key_secret")
    there.add_argument("--server", type=Path, metavar="FILE", help="its pipeline.key")


def run(arguments: argparse.Namespace) -> int:
    """Ask the running pipeline."""
    config = load_config(arguments.config, arguments.overrides)
    order: str = arguments.order
    name, _, source = str(arguments.camera).partition("=")
    if order != "list" and not name:
        raise ConfigError(f"which camera is to {order}?", wanted=f"cameras {order} NAME")
    request = ControlRequest(order, {"camera": name, "source": source})
    there = _ask_there(arguments, request)
    reply = there or ask(supervisor_endpoint(config.stream, arguments.id), request)
    if not reply.ok:
        raise ConfigError(reply.error, where="the running pipeline")
    if arguments.json:
        print_json(reply.result)
    elif order == "list":
        _show(reply.result["cameras"])
    else:
        say(f"{name}: {DONE[order]}")
    return 0


DONE = {
    "attach": "is being attached",
    "detach": "is being detached: its tracks end",
    "pause": "pauses: its tracks end, no frame is taken",
    "resume": "is taken up again",
}


def _ask_there(arguments: argparse.Namespace, request: ControlRequest) -> ControlReply | None:
    """What the pipeline on another machine says, where one is named."""
    if not arguments.at:
        return None
    if not arguments.identity or not arguments.server:
        raise ConfigError("as whom?", wanted="--identity NAME.key_secret --server pipeline.key")
    return ask(arguments.at, request, keys=client_keys(arguments.server, arguments.identity))


def _show(cameras: list[dict[str, object]]) -> None:
    table = Table(box=None)
    for heading in ("camera", "state", "captured", "processed", "dropped", "source"):
        table.add_column(heading, justify="right" if heading.endswith("ed") else "left")
    for camera in cameras:
        drops = camera["dropped"]
        text = (
            ", ".join(f"{count} {cause}" for cause, count in drops.items()) if isinstance(drops, dict) else ""
        )
        row = [str(camera[key]) for key in ("camera", "state", "captured", "processed")]
        table.add_row(*row, text or "0", str(camera["source"]))
    out.print(table)
