"""Does it speak Gaitway's subscriber protocol (docs/PROTOCOL.md)? One file: copy it; it needs pyzmq only.

    python conformance.py publisher tcp://127.0.0.1:5577 --repair tcp://127.0.0.1:5578
    python conformance.py client -- python client.py {events} --repair {repair} --history

``publisher`` listens to one, asks its repair socket, and checks what it hears. ``client`` is a publisher of
its own that drops, repeats and begins anew: the command is to print each event it has, once and in order, as
a line of JSON with at least ``camera``, ``id`` and ``sequence``, and the history first. One line per rule;
the status is 0 where all hold.
"""

from __future__ import annotations

import argparse
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq
import zmq.auth

FIELDS = {
    *("type", "id", "kind", "camera", "run", "sequence", "captured_ns", "tracklet", "identity", "evidence"),
    *("model", "gallery_epoch", "config", "expires_ns", "details", "version", "link"),
}
KINDS = {"start", "new", "update", "link", "retract", "end", "load", "stop"}
Event = dict[str, Any]


class Rules:
    """Says of each rule whether it holds."""

    def __init__(self) -> None:
        self.broken = 0

    def check(self, rule: str, holds: bool, found: object = "") -> bool:
        """Print the verdict; what was ``found`` where it does not hold."""
        self.broken += not holds
        print(
            f"{'ok  ' if holds else 'FAIL'} {rule}" + ("" if holds else f": {str(found)[:200]}"), flush=True
        )
        return holds


class Publisher:
    """The publisher under test, heard and asked."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._context = zmq.Context()
        self._keys = keys_of(asked)
        self.events = self._open(zmq.SUB, asked.events)
        self.events.subscribe("gaitway")
        self._repair = asked.repair

    def _open(self, kind: int, endpoint: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        socket.linger, socket.rcvtimeo = 0, 5000
        if self._keys:
            socket.curve_serverkey, socket.curve_publickey, socket.curve_secretkey = self._keys
        socket.connect(endpoint)
        return socket

    def ask(self, request: object) -> tuple[dict[str, Any], list[bytes]]:
        """The repair socket's answer."""
        socket = self._open(zmq.REQ, self._repair)
        try:
            socket.send(request if isinstance(request, bytes) else json.dumps(request).encode())
            head, *lines = socket.recv_multipart()
            return json.loads(head), lines
        finally:
            socket.close()

    def listen(self, seconds: float) -> list[list[bytes]]:
        """What comes in that time."""
        heard, until = [], time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.events.poll(int(left * 1000) + 1):
                heard.append(self.events.recv_multipart())
        return heard

    def close(self) -> None:
        """Close all."""
        self.events.close()
        self._context.term()


def check_publisher(asked: argparse.Namespace, rules: Rules) -> None:
    """All rules of a publisher."""
    publisher = Publisher(asked)
    try:
        heard = publisher.listen(asked.seconds)
        events = [parts for parts in heard if parts[0].startswith(b"gaitway/")]
        check_messages(events, rules)
        check_heartbeats([parts for parts in heard if parts[0] == b"gaitway-heartbeat/1"], asked, rules)
        if asked.repair:
            check_repair(
                publisher, {parts[0] + parts[2]: parts[2] for parts in events if len(parts) == 3}, rules
            )
    finally:
        publisher.close()


def check_messages(messages: list[list[bytes]], rules: Rules) -> None:
    """Topics, envelopes, events, and the count."""
    print(f"     {len(messages)} events heard")
    last: dict[tuple[str, str], int] = {}
    wrong: dict[str, object] = {}
    for parts in messages:
        if len(parts) != 3:
            wrong.setdefault("an event has three parts", len(parts))
            continue
        envelope, event = load(parts[1]), load(parts[2])
        camera, sequence = envelope.get("camera"), int(envelope.get("sequence") or 0)
        if parts[0] != f"gaitway/1/{camera}/".encode():
            wrong.setdefault("the topic is gaitway/1/CAMERA/", parts[0])
        kinds = {"camera": str, "sequence": int, "session": str, "sent_ns": int, "fresh": bool}
        if not all(isinstance(envelope.get(name), kind) for name, kind in kinds.items()):
            wrong.setdefault("the envelope has its fields", envelope)
            continue
        if complaint := fault_of(event):
            wrong.setdefault("the event is one of the schema", complaint)
        if (event.get("camera"), event.get("sequence")) != (camera, sequence):
            wrong.setdefault("envelope and event name one camera and number", event.get("sequence"))
        key = (str(camera), envelope["session"])
        if sequence > last.get(key, sequence - 1) + 1 and not envelope.get("replayed"):
            wrong.setdefault("numbers leave no gaps", f"{camera}: {last[key]}, then {sequence}")
        last[key] = max(sequence, last.get(key, 0))
    for rule in (
        "an event has three parts",
        "the topic is gaitway/1/CAMERA/",
        "the envelope has its fields",
        "the event is one of the schema",
        "envelope and event name one camera and number",
        "numbers leave no gaps",
    ):
        rules.check(rule, rule not in wrong, wrong.get(rule))


def check_heartbeats(messages: list[list[bytes]], asked: argparse.Namespace, rules: Rules) -> None:
    """That they come, and what they hold."""
    wanted = max(1, int(asked.seconds / 5))
    rules.check(
        "heartbeats come at least every five seconds", len(messages) >= wanted, f"{len(messages)} came"
    )
    for parts in messages[:1]:
        state = load(parts[1]) if len(parts) == 2 else {}
        good = isinstance(state.get("sequences"), dict) and isinstance(state.get("session"), str)
        rules.check("a heartbeat says session and sequences", good, parts)


def check_repair(publisher: Publisher, heard: dict[bytes, bytes], rules: Rules) -> None:
    """State, ranges, snapshot, refusals."""
    state, rest = publisher.ask({"want": "state"})
    sequences = state.get("sequences", {})
    rules.check("state is answered with every camera's count", state.get("ok") is True and not rest, state)
    for camera, newest in list(sequences.items())[:4]:
        first = max(1, newest - 20)
        head, lines = publisher.ask({"want": "range", "camera": camera, "first": first, "last": newest})
        events = [load(line) for line in lines]
        numbers = [event.get("sequence") for event in events]
        expected = list(range(first, newest + 1))
        whole = numbers == (expected[: len(numbers)] if head.get("more") else expected)
        rules.check(f"the range {first} to {newest} of {camera} comes whole and in order", whole, numbers)
        faults = [fault for event in events if (fault := fault_of(event))]
        rules.check(f"the events of {camera} are those of the schema", not faults, faults[:1])
        topic = f"gaitway/1/{camera}/".encode()
        same = all(line == heard.get(topic + line, line) for line in lines)
        rules.check(f"repair gives {camera} the bytes that were published", same)
        ids = {event.get("id"): event.get("sequence") for event in events}
        rules.check(f"no two events of {camera} have one id", len(ids) == len(events), len(ids))
        _, beyond = publisher.ask({"want": "range", "camera": camera, "first": newest + 10**9})
        rules.check("what is not there yet is answered with nothing", not beyond, len(beyond))
    head, lines = publisher.ask({"want": "snapshot"})
    newest = [load(line) for line in lines]
    people = [(one.get("camera"), one.get("tracklet")) for one in newest if one.get("tracklet")]
    rules.check(
        "a snapshot has each person once", head.get("ok") is True and len(people) == len(set(people)), people
    )
    for what, request in {
        "bytes that are no JSON": b"\xff\x00{",
        "another want": {"want": "everything"},
        "a range without a camera": {"want": "range"},
        "a field that is not known": {"want": "state", "x": 1},
        "a number from 0": {"want": "range", "camera": "c", "first": 0},
    }.items():
        head, lines = publisher.ask(request)
        refused = head.get("ok") is False and bool(head.get("error")) and not lines
        rules.check(f"{what} is refused in one line", refused and "\n" not in str(head.get("error")), head)


def load(data: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def fault_of(event: Event) -> str:
    """What is wrong with an event; the whole schema is event-1.json."""
    if set(event) != FIELDS:
        return f"fields {sorted(set(event) ^ FIELDS)}"
    if event["version"] != 1 or event["type"] != "event" or event["kind"] not in KINDS:
        return f"{event['type']} {event['kind']} of version {event['version']}"
    if not isinstance(event["sequence"], int) or event["sequence"] < 1 or not event["id"] or not event["run"]:
        return f"sequence {event['sequence']}, id {event['id']!r}"
    if (event["link"] is not None) != (event["kind"] in ("link", "retract")):
        return f"link in a {event['kind']}"
    return ""


class Stage:
    """A publisher that misbehaves as networks and pipelines do: for clients under test."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self.pub: zmq.Socket[bytes] = self._context.socket(zmq.XPUB)
        self.router: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self.pub.linger = self.router.linger = 0
        self.events = f"tcp://127.0.0.1:{self.pub.bind_to_random_port('tcp://127.0.0.1')}"
        self.repair = f"tcp://127.0.0.1:{self.router.bind_to_random_port('tcp://127.0.0.1')}"
        self.session, self.fresh = "s1", True
        self.log: dict[str, list[bytes]] = {}
        self.asked: set[str] = set()

    def publish(self, camera: str, *, lost: bool = False, again: int | None = None) -> None:
        """The camera's next event, or one ``again``; ``lost``: nobody hears it."""
        log = self.log.setdefault(camera, [])
        if again is None:
            log.append(made(camera, self.session, len(log) + 1))
        number = again or len(log)
        envelope = {"camera": camera, "sequence": number, "session": self.session, "fresh": self.fresh}
        envelope |= {"sent_ns": time.time_ns(), "replayed": again is not None, "later_field": 1}
        if not lost:
            parts = [f"gaitway/1/{camera}/".encode(), json.dumps(envelope).encode(), log[number - 1]]
            self.pub.send_multipart(parts)

    def beat(self) -> None:
        """A heartbeat."""
        state = {**self._head(), "sent_ns": time.time_ns()}
        self.pub.send_multipart([b"gaitway-heartbeat/1", json.dumps(state).encode()])

    def restart(self, *, fresh: bool) -> None:
        """Begin another session; ``fresh``: count from 1 again."""
        self.session, self.fresh = self.session + "'", fresh
        if fresh:
            self.log = {}

    def serve(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Answer requests, and beat, for so long."""
        end, beat = time.monotonic() + seconds, 0.0
        while time.monotonic() < end and not until():
            if time.monotonic() > beat:
                self.beat()
                beat = time.monotonic() + 0.5
            if self.router.poll(20):
                peer, *parts = self.router.recv_multipart()
                self.router.send_multipart([peer, *parts[:-1], *self._answer(load(parts[-1]))])

    def _head(self) -> dict[str, Any]:
        counts = {camera: len(log) for camera, log in self.log.items()}
        return {"session": self.session, "fresh": self.fresh, "sequences": counts}

    def _answer(self, request: dict[str, Any]) -> list[bytes]:
        want = str(request.get("want"))
        self.asked.add(want)
        lines: list[bytes] = []
        if want == "range":
            log, first = self.log.get(str(request.get("camera")), []), int(request.get("first", 1))
            lines = log[first - 1 : request.get("last")]
        cut, more = lines[:3], len(lines) > 3  # a small limit, so that who asks has to go on
        head = {"ok": want in ("state", "range", "snapshot"), **self._head(), "more": more, "error": ""}
        return [json.dumps(head).encode(), *cut]

    def close(self) -> None:
        """Close all."""
        self.pub.close()
        self.router.close()
        self._context.term()


def made(camera: str, session: str, number: int) -> bytes:
    """An event as a pipeline makes it."""
    event: Event = dict.fromkeys(FIELDS)
    event |= {"type": "event", "version": 1, "kind": "update", "camera": camera, "run": session}
    event |= {"id": f"{camera}-{session}-{number}", "sequence": number, "captured_ns": number, "details": {}}
    identity = {"answer": "unknown", "person": None, "name": None, "probability": 0.5, "margin": None}
    event |= {"tracklet": f"{camera}/{session}/0", "identity": {**identity, "missing": None, "cluster": None}}
    return json.dumps(event).encode()


def check_client(asked: argparse.Namespace, rules: Rules) -> None:
    """All rules of a client: start it, misbehave, and read what it prints."""
    stage = Stage()
    for _ in range(5):
        stage.publish("door")  # before anybody listens: history
    command = [word.format(events=stage.events, repair=stage.repair) for word in asked.command]
    got: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        threading.Thread(target=read_lines, args=(process, got), daemon=True).start()
        try:
            if rules.check("it subscribes", stage.pub.poll(int(asked.seconds * 1000)) > 0):
                play(stage, got, asked.seconds, rules)
        finally:
            process.kill()
    stage.close()


def read_lines(process: subprocess.Popen[bytes], got: queue.SimpleQueue[Event]) -> None:
    """What the client prints, as far as it is events."""
    assert process.stdout is not None
    for line in process.stdout:
        if event := load(line):
            got.put(event)


def play(stage: Stage, got: queue.SimpleQueue[Event], seconds: float, rules: Rules) -> None:
    """One trouble after the other; after each, what the client has had must be all, once, in order."""
    wanted: list[str] = [f"door-s1-{n}" for n in range(1, 6)]

    def expect(rule: str, *ids: str) -> None:
        wanted.extend(ids)
        stage.serve(seconds, until=lambda: got.qsize() >= len(wanted))
        stage.serve(0.3)  # and no more than these
        had = [str(got.get().get("id")) for _ in range(got.qsize())]
        rules.check(rule, had == wanted, f"had {had}, wanted {wanted}")
        wanted.clear()

    stage.serve(1.0)
    stage.publish("door")
    expect("it begins with the history", "door-s1-6")
    stage.publish("door", again=6)
    stage.publish("door", again=2)
    stage.publish("door")
    expect("what comes again is told once", "door-s1-7")
    for _ in range(9):
        stage.publish("door", lost=True)
    stage.publish("door")
    expect("what is missing is fetched, in order, also in pieces", *(f"door-s1-{n}" for n in range(8, 18)))
    stage.publish("door", lost=True)
    expect("a lost end is fetched when nothing follows", "door-s1-18")
    stage.publish("gate")
    expect("another camera counts for itself", "gate-s1-1")
    stage.restart(fresh=False)
    stage.publish("door", again=18)
    stage.publish("door")
    expect("a publisher that goes on is followed", "door-s1'-19")
    stage.restart(fresh=True)
    stage.publish("door")
    expect("a publisher that begins anew is followed from 1", "door-s1''-1")


def keys_of(asked: argparse.Namespace) -> tuple[bytes, bytes, bytes] | None:
    """The pipeline's public key and one's own pair, from ZeroMQ's certificate files."""
    if not asked.server:
        return None
    public, secret = zmq.auth.load_certificate(asked.identity)
    return zmq.auth.load_certificate(asked.server)[0], public, secret or b""


def main() -> int:
    """Check one end; 0 where all rules hold."""
    parser = argparse.ArgumentParser(description="Check a publisher or a client against docs/PROTOCOL.md.")
    ends = parser.add_subparsers(dest="end", required=True)
    publisher = ends.add_parser("publisher", help="listen to a publisher")
    publisher.add_argument("events", help="such as tcp://127.0.0.1:5577")
    publisher.add_argument("--repair", help="its repair socket")
    publisher.add_argument("--seconds", type=float, default=10.0, help="how long to listen (10)")
    publisher.add_argument("--server", metavar="FILE", help="the pipeline's pipeline.key")
    publisher.add_argument("--identity", metavar="FILE", help="your own NAME.key_secret")
    client = ends.add_parser("client", help="publish to a client")
    client.add_argument("--seconds", type=float, default=20.0, help="how long the client may take (20)")
    client.add_argument("command", nargs="+", help="-- COMMAND with {events} and {repair} in its words")
    asked = parser.parse_args()
    rules = Rules()
    check = check_publisher if asked.end == "publisher" else check_client
    check(asked, rules)
    print(f"{rules.broken} rules broken" if rules.broken else "all rules hold")
    return 1 if rules.broken else 0


if __name__ == "__main__":
    sys.exit(main())
