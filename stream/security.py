"""Who may connect: CURVE keys in a folder, and a list of the allowed ones for each role.

    FOLDER/pipeline.key, pipeline.key_secret   the pipeline's pair; subscribers need the first
    FOLDER/allowed/ROLE/NAME.key               the public keys of who may connect, one file each
    FOLDER/issued/NAME.key, NAME.key_secret    pairs made here for others, to be handed over and deleted

The files are ZeroMQ's own certificate format (``zmq.auth``). A key is looked up when its owner connects, so
allowing and revoking need no restart; a revoked subscriber keeps a connection that it already has.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec
import zmq
import zmq.auth
from zmq.auth.thread import ThreadAuthenticator

from stream.errors import ConfigError, ResourceError
from stream.sockets import CurveKeys, before_terminate

Role = Literal["subscriber", "camera", "operator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

PIPELINE: Final = "pipeline"
OPERATOR: Final = "operator"
_PUBLIC: Final = ".key"
_PRIVATE: Final = ".key_secret"
_Z85_LENGTH: Final = 40
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class SecurityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What guards the sockets that leave this host.

    ``keys``: the folder that ``run_pipeline.py keys init`` made; empty: no encryption, and nothing may listen
    beyond this host. ``identity``: the pair by which this machine's stages call those of another, where it
    holds not the pipeline's own secret: a NAME.key_secret of role camera. ``control``: where operators give
    orders about cameras from other machines, such as tcp://0.0.0.0:5580; empty: on this host alone.
    """

    keys: str = ""
    identity: str = ""
    control: str = ""

    def guarding(self, endpoint: str, *roles: Role) -> CurveKeys | None:
        """The keys of a socket that binds there: None without a folder, or where no network leads."""
        if not self.keys or not endpoint.startswith("tcp://"):
            return None
        return KeyFolder(Path(self.keys)).server(*roles)

    def receiving(self, endpoint: str) -> CurveKeys | None:
        """The keys of a hop's receiver: open to the pipeline's own stages, and to cameras' machines."""
        return self.guarding(endpoint, "camera")

    def sending(self, endpoint: str) -> CurveKeys | None:
        """The keys of a hop's sender."""
        if not self.keys or not endpoint.startswith("tcp://"):
            return None
        folder = KeyFolder(Path(self.keys))
        return folder.client_of(Path(self.identity)) if self.identity else folder.own()


@dataclass(frozen=True)
class Allowed:
    """One line of the allow list."""

    name: str
    role: Role
    public: str


@dataclass(frozen=True)
class KeyFolder:
    """The keys of one pipeline; every method reads the disk afresh."""

    path: Path

    def make_pipeline(self) -> bool:
        """The pipeline's pair, and an operator's for this machine's own verbs; False where they are there."""
        if self._file(PIPELINE, _PRIVATE).exists():
            return False
        _make_pair(self.path, PIPELINE)
        self.issue(OPERATOR, "operator")
        return True

    def issue(self, name: str, role: Role) -> Path:
        """A new pair for ``name``, allowed as ``role``; the secret file, to be handed over."""
        _check_name(name)
        self._require_pipeline()
        secret = _make_pair(self.path / "issued", name)
        self.allow(secret.with_suffix(_PUBLIC), role)
        return secret

    def allow(self, public: Path, role: Role) -> None:
        """Let the owner of a public key connect as ``role``."""
        _check_name(public.stem)
        self._require_pipeline()
        load_public(public)
        folder = self.path / "allowed" / role
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(public, folder / (public.stem + _PUBLIC))
        except OSError as error:
            raise _unwritable(folder, error) from error

    def revoke(self, name: str) -> list[Role]:
        """Take ``name`` off every list; the roles it had."""
        _check_name(name)
        had = [role for role in ROLES if self._allowed_file(name, role).exists()]
        for role in had:
            self._allowed_file(name, role).unlink()
        return had

    def allowed(self) -> list[Allowed]:
        """Everybody on the lists, by role and name."""
        return [
            Allowed(file.stem, role, load_public(file).decode())
            for role in ROLES
            for file in sorted((self.path / "allowed" / role).glob(f"*{_PUBLIC}"))
        ]

    def admits(self, public: bytes, roles: tuple[Role, ...]) -> bool:
        """Whether the owner of the key (Z85) is allowed one of the roles now; a camera's role is ours too."""
        if "camera" in roles and _is_key_of(self._file(PIPELINE, _PUBLIC), public):
            return True
        files = (file for role in roles for file in (self.path / "allowed" / role).glob(f"*{_PUBLIC}"))
        return any(_is_key_of(file, public) for file in files)

    def server(self, *roles: Role) -> CurveKeys:
        """Keys for a socket that binds, open to those roles; this process checks callers from now on."""
        public, secret = load_pair(self._file(PIPELINE, _PRIVATE))
        return CurveKeys(public, secret, domain=_guard.watch(self, roles))

    def client(self, name: str = OPERATOR) -> CurveKeys:
        """Keys for a socket that connects from this machine, as somebody whose pair was made here."""
        return self.client_of(self.path / "issued" / (name + _PRIVATE))

    def client_of(self, identity: Path) -> CurveKeys:
        """Keys for a socket that connects by the pair in a secret file."""
        return client_keys(self._file(PIPELINE, _PUBLIC), identity)

    def own(self) -> CurveKeys:
        """Keys for a socket that connects as the pipeline itself."""
        public, secret = load_pair(self._file(PIPELINE, _PRIVATE))
        return CurveKeys(public, secret, public)

    def _require_pipeline(self) -> None:
        if not self._file(PIPELINE, _PUBLIC).exists():
            raise ConfigError(
                "no pipeline's keys here", where=str(self.path), fix="Run `run_pipeline.py keys init` first"
            )

    def _file(self, name: str, suffix: str) -> Path:
        return self.path / (name + suffix)

    def _allowed_file(self, name: str, role: Role) -> Path:
        return self.path / "allowed" / role / (name + _PUBLIC)


def client_keys(server: Path, identity: Path) -> CurveKeys:
    """Keys for a socket that connects: the pipeline's public key and one's own pair, from their files."""
    public, secret = load_pair(identity)
    return CurveKeys(public, secret, load_public(server))


def load_public(path: Path) -> bytes:
    """The public key in a certificate file (Z85)."""
    return _load(path)[0]


def load_pair(path: Path) -> tuple[bytes, bytes]:
    """Public and secret key in a secret certificate file; refuses one that other users can read."""
    public, secret = _load(path)
    if secret is None:
        raise ConfigError("holds no secret key", where=str(path), wanted=f"a *{_PRIVATE} file")
    if path.stat().st_mode & 0o077:
        raise ConfigError("other users can read this secret key", where=str(path), fix=f"chmod 600 {path}")
    return public, secret


def _load(path: Path) -> tuple[bytes, bytes | None]:
    try:
        public, secret = zmq.auth.load_certificate(path)
        if len(public) != _Z85_LENGTH or len(secret or public) != _Z85_LENGTH:
            raise ValueError("a key of another length")
    except (OSError, ValueError, IndexError) as error:  # IndexError: a name without its value
        raise ConfigError(
            "is no key file" if path.is_file() else "there is no such key file",
            where=str(path),
            fix="Make keys with `run_pipeline.py keys`",
        ) from error
    return public, secret


def _is_key_of(file: Path, public: bytes) -> bool:
    """Whether the file holds this key; a broken one, or one revoked meanwhile, holds none."""
    try:
        return load_public(file) == public
    except ConfigError:
        return False


def _make_pair(folder: Path, name: str) -> Path:
    """A new pair in ``folder``, its secret closed to others from its first byte; never over an old one."""
    secret = folder / (name + _PRIVATE)
    if secret.exists():
        raise ConfigError("is there already", where=str(secret), fix="Take another name, or delete it first")
    before = os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        zmq.auth.create_certificates(folder, name)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        os.umask(before)
    return secret


def _unwritable(folder: Path, error: OSError) -> ResourceError:
    return ResourceError(f"keys cannot be written ({error.strerror})", where=str(folder))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"key name {name!r}", wanted="letters, digits, '-' and '_'")


class _Provider:
    """What the authenticator asks about one kind of socket."""

    def __init__(self, folder: KeyFolder, roles: tuple[Role, ...]) -> None:
        self._folder, self._roles = folder, roles

    def callback(self, _domain: str, key: bytes) -> bool:
        """Whether the owner of this key may connect."""
        return self._folder.admits(key, self._roles)


class _Anyone:
    """Admits whoever knows the server's public key."""

    def callback(self, _domain: str, _key: bytes) -> bool:
        """Always."""
        return True


class _Guard:
    """This process's authenticator: ZeroMQ asks one thread about every caller of every CURVE socket."""

    def __init__(self) -> None:
        self._thread: ThreadAuthenticator | None = None

    def watch(self, folder: KeyFolder, roles: tuple[Role, ...]) -> bytes:
        """Check callers for these roles; the name of that rule, for the sockets it holds for."""
        domain = f"{folder.path.resolve()}:{'+'.join(roles)}"
        if self._thread is None:
            self._thread = ThreadAuthenticator(zmq.Context.instance())
            self._thread.start()
            # ZeroMQ asks about sockets without a rule too; knowing the server's key is enough there.
            self._thread.configure_curve_callback("*", _Anyone())
            before_terminate(self.stop)
        self._thread.configure_curve_callback(domain, _Provider(folder, roles))
        return domain.encode()

    def stop(self) -> None:
        """End the thread, so that the process's context can end."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None


_guard: Final = _Guard()
