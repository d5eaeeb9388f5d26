"""Where a gallery's key comes from: a file, the environment or the operating system's keyring.

==================  ====================================================================
``file:PATH``       64 hexadecimal digits in a file that only its owner may read
``env:NAME``        64 hexadecimal digits in an environment variable
``keyring:NAME``    64 hexadecimal digits in the keyring, service ``gaitway``, user NAME
empty               no key: the gallery is kept as it is
==================  ====================================================================

The key itself never stands in a configuration, a log or an error.
"""

from __future__ import annotations

import importlib
import os
import secrets
import stat
from pathlib import Path
from typing import Any, Final

from stream.errors import ConfigError, ResourceError

KEY_BYTES: Final = 32
SERVICE: Final = "gaitway"
WANTED: Final = "file:PATH, env:NAME, keyring:NAME or nothing"


def read_key(source: str) -> bytes | None:
    """The key that ``source`` names; None where it is empty. Raises ConfigError for what is no key."""
    if not source:
        return None
    kind, name = _parts(source)
    return _decoded(
        {"file": _from_file, "env": _from_environment, "keyring": _from_keyring}[kind](name), source
    )


def make_key(source: str) -> None:
    """Put a fresh random key where ``source`` says; raises ConfigError where one is there already."""
    kind, name = _parts(source)
    if kind == "env":
        fix = "Use file: or keyring:, or set the variable to the output of `openssl rand -hex 32`"
        raise ConfigError("an environment variable cannot be made here", where=source, fix=fix)
    text = secrets.token_hex(KEY_BYTES)
    if kind == "file":
        _to_file(Path(name), text)
        return
    keyring = _keyring()
    if keyring.get_password(SERVICE, name):
        raise ConfigError("there is a key already", where=source, fix="Name another one")
    keyring.set_password(SERVICE, name, text)


def _parts(source: str) -> tuple[str, str]:
    kind, _, name = source.partition(":")
    if kind not in ("file", "env", "keyring") or not name:
        raise ConfigError("names no key", where=f"key {source[:60]!r}", wanted=WANTED)
    return kind, name


def _decoded(text: str, source: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        fix = "Make one with `run_pipeline.py gallery keygen`"
        wanted = f"{2 * KEY_BYTES} hexadecimal digits"
        raise ConfigError("what is there is no key", where=f"key {source}", wanted=wanted, fix=fix)
    return key


def _from_file(name: str) -> str:
    path, where = Path(name), f"key file:{name}"
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii", errors="replace")[: 4 * KEY_BYTES]
    except OSError as error:
        fix = "Make one with `run_pipeline.py gallery keygen`"
        raise ConfigError(f"cannot be read ({error.strerror})", where=where, fix=fix) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError("others may read it", where=where, fix=f"chmod 600 {name}")
    return text


def _to_file(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w") as opened:
            opened.write(text + "\n")
    except OSError as error:
        what, fix = f"cannot be made ({error.strerror})", "Name another file; a key is never overwritten"
        raise ConfigError(what, where=f"key file:{path}", fix=fix) from error


def _from_environment(name: str) -> str:
    if name not in os.environ:
        raise ConfigError(
            "the variable is not set", where=f"key env:{name}", fix="Set it, or name another key"
        )
    return os.environ[name]


def _from_keyring(name: str) -> str:
    text = _keyring().get_password(SERVICE, name)
    if text is None:
        fix = f"Make one with `run_pipeline.py gallery keygen keyring:{name}`"
        raise ConfigError("the keyring holds none of this name", where=f"key keyring:{name}", fix=fix)
    return str(text)


def _keyring() -> Any:
    """The keyring package: an optional extra, since servers rarely have a keyring."""
    try:
        return importlib.import_module("keyring")
    except ModuleNotFoundError as error:
        fix = "pip install -c constraints.txt -e '.[keyring]', or keep the key in a file"
        raise ResourceError("keys in the keyring need the package keyring", fix=fix) from error
