"""ZeroMQ sockets from endpoint strings, with every limit set and every refusal in one clear line.

``inproc://NAME`` between threads, ``ipc://PATH`` between processes, ``tcp://HOST:PORT`` between machines;
beyond this host only with CURVE keys. Sockets belong to one thread; the ZeroMQ context is one per process.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zmq

from stream.errors import ConfigError, ResourceError
from stream.messages import MAX_MESSAGE_BYTES

Socket = zmq.Socket[bytes]

MAX_IPC_PATH: Final = 107  # sockaddr_un on Linux, less the closing zero
_TRANSPORTS: Final = ("inproc", "ipc", "tcp")
# Plain numbers: pyzmq's own are enumerations, slow to combine, and these stand on the way of every message.
_POLLIN: Final = int(zmq.POLLIN)
_DONTWAIT: Final = int(zmq.DONTWAIT)
_RCVMORE: Final = int(zmq.RCVMORE)
_closers: list[Callable[[], None]] = []


@dataclass(frozen=True)
class Limits:
    """What bounds a socket: messages on their way, bytes per message, seconds to hand over at close."""

    hwm: int = 16
    max_message_bytes: int = MAX_MESSAGE_BYTES
    linger_s: float = 30.0


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True)
class CurveKeys:
    """CURVE keys in Z85. A binding socket is the server and needs no ``server``; a connecting one does.

    ``domain``: the rule by which callers are admitted (``stream/security.py``); without, whoever knows the
    server's public key is.
    """

    public: bytes
    secret: bytes = field(repr=False)
    server: bytes | None = None
    domain: bytes = b""


def open_socket(
    kind: int,
    endpoint: str,
    *,
    bind: bool,
    limits: Limits = DEFAULT_LIMITS,
    keys: CurveKeys | None = None,
    identity: bytes = b"",
) -> Socket:
    """A bound or connected socket with every limit set; raises ConfigError or ResourceError."""
    check_endpoint(endpoint, bind=bind, secured=keys is not None)
    made: Socket = zmq.Context.instance().socket(kind)
    try:
        _set_options(made, limits, keys, bind=bind)
        made.ipv6 = "[" in endpoint  # else 127.0.0.1 would be known by its IPv6 form
        if identity:
            made.identity = identity
        if kind == zmq.ROUTER:
            made.router_handover = True  # a peer that reconnects goes on under its name
        if bind:
            _clear_stale_ipc(endpoint)
            made.bind(endpoint)
        else:
            made.connect(endpoint)
    except zmq.ZMQError as error:
        made.close(linger=0)
        raise _refused(endpoint, error, bind=bind) from error
    except (ResourceError, ConfigError):
        made.close(linger=0)
        raise
    return made


def bound_endpoint(bound: Socket) -> str:
    """The endpoint a socket is bound to, its port known where port 0 was asked for."""
    value = bound.getsockopt_string(zmq.LAST_ENDPOINT)
    return value.rstrip("\0")


def listening(endpoint: str) -> bool:
    """True where somebody listens at an ``ipc://`` or ``tcp://`` endpoint; an inproc one can't be asked."""
    transport, _, address = endpoint.partition("://")
    try:
        if transport == "ipc":
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.connect(address)
        elif transport == "tcp":
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
        else:
            return False
    except OSError:
        return False
    return True


def readable(socket: Socket, timeout_ms: int = 0) -> bool:
    """Whether there is something to read, now or within ``timeout_ms``; ``Socket.poll`` in half its time."""
    return bool(zmq.zmq_poll([(socket, _POLLIN)], timeout_ms))


def wait_for(sockets: Sequence[Socket], timeout_s: float) -> None:
    """Sleep until one of the sockets has something to read, at most ``timeout_s``."""
    zmq.zmq_poll([(socket, _POLLIN) for socket in sockets], int(timeout_s * 1000) + 1)


def receive_two(socket: Socket) -> list[bytes]:
    """The next message of a ROUTER: its sender, and what should be one part; raises zmq.Again at once.

    As ``recv_multipart``, in half its time.
    """
    parts = [socket.recv(_DONTWAIT), socket.recv(_DONTWAIT)]
    while socket.get(_RCVMORE):
        parts.append(socket.recv(_DONTWAIT))
    return parts


def receive_from(socket: Socket) -> tuple[bytes, list[bytes]]:
    """The message that is there to be read from a ROUTER, and who sent it; raises zmq.Again at once.

    Over CURVE that is the caller's key, which stays the same over connections; else the connection's name.
    """
    frames = socket.recv_multipart(_DONTWAIT, copy=False)
    parts = [bytes(frame.buffer) for frame in frames]
    try:
        return str(frames[-1].get("User-Id")).encode(), parts
    except zmq.ZMQError:
        return parts[0], parts


def remove_ipc(endpoint: str) -> None:
    """Remove the file of an ``ipc://`` endpoint that nobody listens at any more; ZeroMQ leaves it behind."""
    if endpoint.startswith("ipc://"):
        path = Path(endpoint.removeprefix("ipc://"))
        if path.is_socket():
            path.unlink(missing_ok=True)


def check_bindable(endpoint: str) -> None:
    """Raise ConfigError or ResourceError where a socket could not be bound to the endpoint now."""
    open_socket(zmq.PULL, endpoint, bind=True).close(linger=0)
    remove_ipc(endpoint)


def terminate() -> None:
    """At the end of a process, all sockets closed: wait until each handed over what it held."""
    while _closers:
        _closers.pop()()
    zmq.Context.instance().term()


def before_terminate(close: Callable[[], None]) -> None:
    """Have ``close`` called before the process's context ends: it holds sockets of its own."""
    _closers.append(close)


def check_endpoint(endpoint: str, *, bind: bool, secured: bool = False) -> None:
    """Raise ConfigError for an endpoint that is wrong, or that would open this host without keys."""
    transport, found, address = endpoint.partition("://")
    if not found or transport not in _TRANSPORTS or not address:
        raise ConfigError(
            f"endpoint {endpoint!r}", wanted="inproc://NAME, ipc://PATH or tcp://HOST:PORT", where="stream"
        )
    if transport == "ipc" and len(os.fsencode(address)) > MAX_IPC_PATH:
        raise ConfigError(
            f"the path of {endpoint} has {len(os.fsencode(address))} bytes",
            wanted=f"at most {MAX_IPC_PATH}",
            fix="Set stream.runtime_folder to a shorter path",
        )
    if transport == "tcp":
        _check_tcp(endpoint, address, bind=bind, secured=secured)
    elif secured:
        raise ConfigError(f"keys given for {endpoint}", wanted="tcp:// with CURVE keys")


def _check_tcp(endpoint: str, address: str, *, bind: bool, secured: bool) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not (0 if bind else 1) <= int(port) <= 65535:
        raise ConfigError(f"endpoint {endpoint!r}", wanted="tcp://HOST:PORT, a port of at most 65535")
    if bind and not secured and not is_loopback(host):  # connecting: see ``require_keys``
        raise ConfigError(
            f"{endpoint} would listen beyond this host without keys",
            wanted="127.0.0.1, or CURVE keys",
            fix="Bind to tcp://127.0.0.1, or make keys (run_pipeline.py keys init) and name security.keys",
        )


def require_keys(endpoint: str, keys: CurveKeys | None) -> None:
    """Raise ConfigError where what is sent would leave this host unencrypted, to whoever answers there."""
    check_endpoint(endpoint, bind=False, secured=keys is not None)
    transport, _, address = endpoint.partition("://")
    if transport == "tcp" and keys is None and not is_loopback(address.rpartition(":")[0]):
        raise ConfigError(
            f"{endpoint} lies beyond this host, and there are no keys",
            wanted="127.0.0.1, or CURVE keys",
            fix="Make keys (run_pipeline.py keys init) and name security.keys",
        )


def is_loopback(host: str) -> bool:
    """True for a host that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _set_options(made: Socket, limits: Limits, keys: CurveKeys | None, *, bind: bool) -> None:
    made.sndhwm = made.rcvhwm = limits.hwm
    made.linger = int(limits.linger_s * 1000)
    made.maxmsgsize = limits.max_message_bytes
    made.reconnect_ivl, made.reconnect_ivl_max = 10, 100  # ms: a stage that was restarted is found at once
    _notice_dead_hosts(made)
    made.handshake_ivl = 5000  # ms: a caller who never says who it is holds no place for long
    if keys is None:
        return
    try:
        made.curve_publickey, made.curve_secretkey = keys.public, keys.secret
        if bind:
            made.curve_server = True
            if keys.domain:
                made.zap_domain = keys.domain
        elif keys.server is not None:
            made.curve_serverkey = keys.server
        else:
            raise ConfigError("CURVE keys without the server's public key", wanted="CurveKeys.server")
    except zmq.ZMQError as error:
        raise ConfigError(
            f"CURVE keys refused ({error.strerror})", wanted="40 characters of Z85 each"
        ) from error


def _notice_dead_hosts(made: Socket) -> None:
    """Notice within about 11 s that a peer's machine is gone. By TCP, not by ZeroMQ's own heartbeats.

    Those abort the whole process (``Assertion failed: !_io_error``, libzmq issues 4364 and 3937) where they
    come due after a peer hung up whose messages had not all been read: behind a slow reader, say.
    """
    made.tcp_keepalive = 1
    made.tcp_keepalive_idle, made.tcp_keepalive_intvl, made.tcp_keepalive_cnt = 5, 2, 3  # s, s, probes


def _clear_stale_ipc(endpoint: str) -> None:
    """ZeroMQ would take an ipc path over from a living owner without a word; ask first."""
    if not endpoint.startswith("ipc://"):
        return
    path = Path(endpoint.removeprefix("ipc://"))
    if not path.parent.is_dir():
        raise ResourceError(f"{endpoint}: there is no folder {path.parent}", fix="Create it")
    if path.exists() and not path.is_socket():  # ZeroMQ would remove it
        raise ResourceError(f"{endpoint}: a file is in the way", fix="Remove it, or take another path")
    if listening(endpoint):
        raise _in_use(endpoint)
    remove_ipc(endpoint)


def _in_use(endpoint: str) -> ResourceError:
    return ResourceError(
        f"{endpoint} is in use",
        fix="Another pipeline is running: stop it, or give this one other endpoints (--id, stream.tcp_port)",
    )


def _refused(endpoint: str, error: zmq.ZMQError, *, bind: bool) -> ResourceError:
    if error.errno == zmq.EADDRINUSE:
        return _in_use(endpoint)
    verb = "listen at" if bind else "connect to"
    return ResourceError(
        f"cannot {verb} {endpoint} ({error.strerror})", fix="Check the endpoint in pipeline.yaml"
    )
