"""``run_pipeline.py keys``: who may connect to this pipeline from other machines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from rich.table import Table

from commands.cli import add_action, add_config_arguments, add_json_argument, out, print_json, say
from commands.config import load_config
from stream.errors import ConfigError
from stream.security import ROLES, KeyFolder

DEFAULT_FOLDER: Final = "keys"
ACTIONS: Final = {
    "init": ("make the pipeline's own keys", "keys init --folder keys"),
    "make": ("make a pair for somebody, and allow it", "keys make display --role subscriber"),
    "allow": (
        "allow somebody who made their own pair and sent the public file",
        "keys allow display.key --role subscriber",
    ),
    "revoke": ("take somebody off the list", "keys revoke display"),
    "list": ("who is allowed what", "keys list --json"),
}
"""Action -> what it does, and an example."""


def configure(parser: argparse.ArgumentParser) -> None:
    """One sub-command an action."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, (text, example) in ACTIONS.items():
        child = add_action(actions, action, text, example)
        add_config_arguments(child)
        add_json_argument(child)
        child.add_argument("--folder", type=Path, help="default: security.keys of the configuration, or keys")
        if action in ("make", "revoke"):
            child.add_argument("name", help="letters, digits, '-' and '_'")
        if action == "allow":
            child.add_argument("public", type=Path, help="their NAME.key file")
        if action in ("make", "allow"):
            child.add_argument("--role", choices=ROLES, default="subscriber")


def run(arguments: argparse.Namespace) -> int:
    """Do it, and say what to do next."""
    configured = load_config(arguments.config, arguments.overrides).security.keys
    folder = KeyFolder(arguments.folder or Path(configured or DEFAULT_FOLDER))
    said = _act(folder, arguments)
    if arguments.json:
        allowed = [{"name": one.name, "role": one.role, "public": one.public} for one in folder.allowed()]
        print_json({"folder": str(folder.path), "allowed": allowed})
    elif arguments.action == "list":
        _show(folder)
    else:
        say(said)
    return 0


def _act(folder: KeyFolder, arguments: argparse.Namespace) -> str:
    match arguments.action:
        case "init":
            made = folder.make_pipeline()
            state = "made" if made else "there already"
            return f"{folder.path}: {state}. Name it in pipeline.yaml: security: {{keys: {folder.path}}}"
        case "make":
            secret = folder.issue(arguments.name, arguments.role)
            return (
                f"{arguments.name} is allowed as {arguments.role}. Hand over {secret} and "
                f"{folder.path / 'pipeline.key'} by a safe way, then delete the first here"
            )
        case "allow":
            folder.allow(arguments.public, arguments.role)
            return f"{arguments.public.stem} is allowed as {arguments.role}; send pipeline.key in return"
        case "revoke":
            roles = folder.revoke(arguments.name)
            if not roles:
                raise ConfigError(f"nobody called {arguments.name!r} is allowed", where=str(folder.path))
            return (
                f"{arguments.name} cannot connect any more ({', '.join(roles)}); a connection that is open "
                "ends when either side restarts"
            )
    return ""


def _show(folder: KeyFolder) -> None:
    table = Table("name", "role", "public key")
    for one in folder.allowed():
        table.add_row(one.name, one.role, one.public)
    out.print(table)
