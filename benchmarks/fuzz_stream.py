"""What the stream room reads from outside, for bench ``fuzz``: sockets, shared memory, files of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from benchmarks.fuzz_mutate import Form
from stream import snapshot, strays
from stream.bus import Inlet, Outlet
from stream.checkpoint import Checkpoint, read_checkpoint
from stream.client import ClientError, _decode, _state
from stream.control import _answer_parts
from stream.errors import GaitwayError
from stream.events import EventLog, encode_event, read_events, sealed
from stream.frames import FrameReader, FrameWriter
from stream.ledger import Ledger
from stream.messages import (
    Array,
    ControlReply,
    ControlRequest,
    Embedded,
    Embedding,
    EndOfStream,
    Event,
    Evidence,
    FrameRef,
    FrameToken,
    Identified,
    Identity,
    Mask,
    Message,
    People,
    Person,
    Quality,
    Track,
    Tracked,
    TrackletId,
    decode,
    encode,
)
from stream.publish import Envelope, Heartbeat, topic_of
from stream.recorder import ORDER, RecordedEnd, RecordedFrame, read_order
from stream.redact import redact_text
from stream.repair import Answers, History
from stream.security import load_public
from stream.sources import SourceOptions, redact
from stream.sources.replayed import RecordedSource
from stream.trace import TraceWriter, read_trace


@dataclass(frozen=True)
class Target:
    """A parser: input of its ``form``, the first good, and how to feed it; it refuses by GaitwayError."""

    form: Form
    seeds: tuple[bytes, ...]
    feed: Callable[[bytes], object]
    close: Callable[[], object] = tuple


FRAME: Final = FrameRef("door", "r1", 7, 1_700_000_000_000_000_000, 280_000_000, 64, 48)
_TRACKLET: Final = TrackletId("door", "r1", 3)
_EVENT: Final = sealed(
    Event(
        *("", "update", "door", "r1", 0, 5, "door/r1/3", Identity("person", "p1", "Ada", 0.9, 0.2)),
        evidence=Evidence(1, 5, 30, 0.8, (1.0, 2.0, 3.0, 4.0)),
        details={"frames": 3},
    ),
    1,
)


def messages() -> list[Message]:
    """One of each kind that travels between stages."""
    mask = Mask.of(np.eye(16, 12, dtype=np.bool_), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    keypoints = Array.of(np.ones((33, 3), np.float32))
    person = Person((1.0, 2.0, 30.0, 40.0), 0.9, "blazepose33", keypoints, Quality(38.0), keypoints, mask, 4)
    track = Track(_TRACKLET, (1.0, 2.0, 30.0, 40.0), 0)
    vector = Array.of(np.ones(16, np.float32))
    embedding = Embedding(_TRACKLET, 1, 5, vector, 30, 0.8, "m" * 8, (1.0, 2.0, 30.0, 40.0))
    return [
        FrameToken(FRAME, "gaitway-x-door-00.frames", 1, 9),
        People(FRAME, (person,)),
        Tracked(FRAME, (track,)),
        Embedded(FRAME, (embedding,), (track,)),
        Identified(FRAME, (_EVENT,)),
        EndOfStream("door", "r1", 8, 5),
        ControlRequest("gallery.list", {"who": "Ada"}),
        ControlReply(ok=True, result={"people": []}),
    ]


def wire(_: Path) -> Target:
    """Messages between stages, and the arrays and masks within."""

    def feed(data: bytes) -> None:
        message = decode(data)
        if isinstance(message, People):
            for person in message.people:
                person.keypoints.numpy()
                if person.mask is not None:
                    person.mask.numpy()
        if isinstance(message, Embedded):
            for embedding in message.embeddings:
                embedding.vector.numpy()

    return Target("msgpack", tuple(encode(message) for message in messages()), feed)


def hop(folder: Path) -> Target:
    """Both ends of a hop, whatever the other says."""
    inlet = Inlet(f"ipc://{folder}/hop.sock")
    seeds = [
        word + (n).to_bytes(8, "little") for word in (b"O", b"D", b"P", b"A", b"L", b"C") for n in (1, 5, 0)
    ]
    outlet = Outlet(inlet.endpoint)

    def close() -> None:
        outlet.close()
        inlet.close()

    def feed(data: bytes) -> None:
        inlet._take([b"s" + data[-1:], data])
        with contextlib.suppress(GaitwayError):
            outlet._hear(data)

    return Target(
        "bytes",
        (b"O" + (1).to_bytes(8, "little"), *seeds, *(seeds[3] + encode(one) for one in messages())),
        feed,
        close,
    )


def control(_: Path) -> Target:
    """Questions to a running stage."""

    def feed(data: bytes) -> None:
        reply = _answer_parts([b"", data], lambda request: ControlReply(ok=True, result=request.arguments))
        encode(reply)

    return Target("msgpack", (encode(ControlRequest("list", {"camera": "door", "n": 3})),), feed)


def repair(folder: Path) -> Target:
    """Requests for missed events."""
    log, history = folder / "repair.jsonl", History()
    line = encode_event(_EVENT)
    log.write_bytes(line + b"\n")
    history.add(_EVENT, 0, len(line))
    answers = Answers(history, log, "s", fresh=True)
    asked = (
        b'{"want":"state"}',
        b'{"want":"range","camera":"door","first":1,"last":9}',
        b'{"want":"snapshot"}',
    )
    return Target("json", asked, answers.answer, answers.close)


def subscriber(_: Path) -> Target:
    """What our client hears, from whoever publishes there."""
    envelope = msgspec.json.encode(Envelope("door", 1, "s", 5, fresh=True))
    state = msgspec.json.encode(Heartbeat("s", True, 5, {"door": 3}))

    def feed(data: bytes) -> None:
        with contextlib.suppress(ClientError):
            _state([b"gaitway-heartbeat/1", data], "tcp://x")
        with contextlib.suppress(ClientError):
            _decode([topic_of("door"), data, encode_event(_EVENT)], "tcp://x")
        with contextlib.suppress(ClientError):
            _decode([topic_of("door"), envelope, data], "tcp://x")
        with contextlib.suppress(ClientError):
            _decode([data, envelope, encode_event(_EVENT)], "tcp://x")

    return Target("json", (envelope, state, encode_event(_EVENT)), feed)


def token(folder: Path) -> Target:
    """Tokens that speak of frames in shared memory."""
    writer, reader = FrameWriter("door", slots=2, pipeline="fuzz", folder=folder), FrameReader(folder=folder)
    image = np.zeros((48, 64, 3), np.uint8)

    def feed(data: bytes) -> None:
        message = decode(data)
        if isinstance(message, FrameToken):
            with reader.lease(message) as pixels:
                pixels.sum()

    good = writer.write(FRAME, image)
    assert good is not None

    def close() -> None:
        reader.close()
        writer.close()

    return Target("msgpack", (encode(good),), feed, close)


def ring(folder: Path) -> Target:
    """The file behind a frame ring, damaged."""
    writer = FrameWriter("door", slots=2, pipeline="fuzz", folder=folder)
    good = writer.write(FRAME, np.zeros((48, 64, 3), np.uint8))
    assert good is not None
    head = (folder / good.ring).read_bytes()[:8192]
    name = "gaitway-fuzz-door-0123456789ab.frames"

    def feed(data: bytes) -> None:
        (folder / name).write_bytes(data[:8192] + bytes(max(0, 40960 - len(data))))
        reader = FrameReader(folder=folder)
        try:
            with reader.lease(msgspec.structs.replace(good, ring=name)) as pixels:
                pixels.sum()
        finally:
            reader.close()

    return Target("bytes", (head,), feed, writer.close)


def events(folder: Path) -> Target:
    """An event log that is gone on with, and read."""
    path = folder / "events.jsonl"

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(GaitwayError):
            list(read_events(path))
        EventLog(path, fresh=False).close()

    lines = b"".join(encode_event(sealed(_EVENT, n)) + b"\n" for n in (1, 2, 3))
    return Target("text", (lines, encode_event(_EVENT) + b"\n"), feed)


def checkpoint(folder: Path) -> Target:
    """A stage's checkpoint, and the memory in it."""
    memory = snapshot.save(
        {"a": [1, (2.5, None)], "b": np.ones((3, 2)), "c": _TRACKLET, "d": {1: b"x"}, "e": FRAME}
    )
    good = Checkpoint(memory, ("door",), {"door": ("r1", 7)}, {"6f": 3}, "6f", 2, (b"x",), {"door": (1, 2)})
    path = folder / "track.checkpoint"

    def feed(data: bytes) -> None:
        with contextlib.suppress(GaitwayError):
            snapshot.load(data)
        path.write_bytes(data)
        found = read_checkpoint(folder, "track")
        if found is not None:
            found.positions_by_name()
            found.sent()
            snapshot.load(found.memory)

    return Target("msgpack", (msgspec.msgpack.encode(good), memory), feed)


def recording(folder: Path) -> Target:
    """The order of a recording, from wherever it comes."""
    path = folder / ORDER
    lines = [RecordedFrame(FRAME, "door-0.mkv", 0), RecordedEnd(EndOfStream("door", "r1", 1, 5))]

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        read_order(folder)
        source = RecordedSource(f"recording:{folder}", "door", SourceOptions())
        list(source.frames())

    return Target("text", (b"".join(msgspec.json.encode(line) + b"\n" for line in lines),), feed)


def trace(folder: Path) -> Target:
    """What a stage sent, kept in a file."""
    path = folder / "good.trace"
    writer = TraceWriter(path)
    for message in messages()[:6]:
        writer.append(message)
    writer.close()
    good = path.read_bytes()

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        list(read_trace(path))

    return Target("bytes", (good,), feed)


def ledger(folder: Path) -> Target:
    """The books of a run."""
    path = folder / "ledger"
    made = Ledger.create(path, ("source", "perceive"), ("door", "gate"))
    made.close()
    good = path.read_bytes()[:4096]

    def feed(data: bytes) -> None:
        path.write_bytes(data + bytes(max(0, 65536 - len(data))))
        opened = Ledger.open(path)
        opened.balance()
        opened.close()

    return Target("bytes", (good,), feed)


def stages(folder: Path) -> Target:
    """Which processes a supervisor left behind."""

    def feed(data: bytes) -> None:
        (folder / "stages").write_bytes(data)
        strays.noted(folder)

    return Target("json", (b'[{"pid":4000000,"started":"1","stage":"track"},{"pid":1,"started":""}]',), feed)


def keys(folder: Path) -> Target:
    """Key files, in ZeroMQ's certificate format."""
    path = folder / "x.key"

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        load_public(path)

    text = b'metadata\n    name = "x"\ncurve\n    public-key = "%s"\n' % (b"a" * 40)
    return Target("text", (text,), feed)


def address(_: Path) -> Target:
    """Camera addresses: whatever they look like, the password is not shown."""

    def feed(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        redact(text)
        redact_text(f"cannot open {text}")
        secret = "".join(sign for sign in text if sign.isalnum()) + "zq7"
        assert secret not in redact(f"rtsp://ada:{secret}@host/{text}"), "a password was shown"

    return Target(
        "text", (b"rtsp://ada:secret@192.0.2.1:554/stream?x=1#y", b"http://h/cgi?user=a&pwd=b"), feed
    )


TARGETS: Final[dict[str, Callable[[Path], Target]]] = {
    function.__name__: function
    for function in (
        *(wire, hop, control, repair, subscriber, token, ring, events, checkpoint, recording),
        *(trace, ledger, stages, keys, address),
    )
}
