"""What travels between stages: frozen, typed, versioned values.

Every message that answers for a frame carries that frame's ``FrameRef`` and travels down the whole pipeline,
one per frame and stage, so that the ledger can count frames at any hop:

    FrameToken -> People -> Tracked -> Embedded -> Identified
    (source)      (perceive) (track)   (embed)     (identify)      -> publish

``EndOfStream`` follows the last message of a camera through every stage. Arrays travel as ``Array`` (dtype,
shape, bytes): nothing is ever unpickled. Bytes on the wire are ``encode(message)``: one version byte, then
msgpack. Units: ``*_ns`` nanoseconds since the epoch, pixels for image positions, metres for world joints.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import FOREIGN, MessageError

WIRE_VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
MAX_ARRAY_ITEMS: Final = 16 * 1024 * 1024

DType = Literal["uint8", "uint16", "int32", "int64", "float16", "float32", "float64", "bool"]
Positive = Annotated[int, msgspec.Meta(gt=0)]
NonNegative = Annotated[int, msgspec.Meta(ge=0)]
Affine = tuple[float, float, float, float, float, float]
"""A 2x3 matrix, row by row: (a, b, c, d, e, f) maps (x, y) to (a x + b y + c, d x + e y + f)."""
Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in image pixels."""

EventKind = Literal["start", "new", "update", "link", "retract", "end", "load", "stop"]

IDENTITY: Final[Affine] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class Array(msgspec.Struct, frozen=True, array_like=True):
    """A numpy array on the wire; ``numpy()`` is a read-only view of the received bytes."""

    dtype: DType
    shape: tuple[NonNegative, ...]
    data: bytes

    @classmethod
    def of(cls, array: NDArray[Any]) -> Array:
        """Copy ``array`` (C order) into a value that can travel."""
        return cls(array.dtype.name, array.shape, np.ascontiguousarray(array).tobytes())  # type: ignore[arg-type]

    def numpy(self) -> NDArray[Any]:
        """The array, read-only; raises MessageError where shape and bytes disagree."""
        items = 1
        for side in self.shape:
            items *= side
        dtype = np.dtype(self.dtype)
        if items > MAX_ARRAY_ITEMS or items * dtype.itemsize != len(self.data):
            raise MessageError(
                f"array of shape {self.shape} and type {self.dtype} has {len(self.data)} bytes",
                wanted=f"{items * dtype.itemsize} bytes, at most {MAX_ARRAY_ITEMS} items",
            )
        return np.frombuffer(self.data, dtype=dtype).reshape(self.shape)


class FrameRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which frame: the camera, its run, a number counted from 0, and when it was taken.

    ``load``: how far perception eases its work on this camera when it looks at the frame
    (``stream/punctual.py``): 0 not at all, 1 it searches less, 2 it also looks at fewer frames.
    ``trace``: a W3C ``traceparent``, where the frame is traced (``stream/tracing.py``).
    """

    camera: str
    run: str
    number: NonNegative
    captured_ns: int
    source_ns: int
    width: Positive
    height: Positive
    load: NonNegative = 0
    trace: str = ""


class FrameToken(msgspec.Struct, frozen=True, tag="frame"):
    """A frame's pixels lie in slot ``slot`` of ring ``ring`` while its generation is ``generation``.

    Pixels are BGR, 8 bit, (height, width, 3).
    """

    frame: FrameRef
    ring: str
    slot: NonNegative
    generation: NonNegative


class EndOfStream(msgspec.Struct, frozen=True, tag="end"):
    """No more frames of this camera and run will come; ``frames`` were captured in all.

    ``last``: nor of any other run of this camera. False where a camera was lost and is waited for.
    """

    camera: str
    run: str
    frames: NonNegative
    captured_ns: int
    reason: str = "finished"
    last: bool = True


class Mask(msgspec.Struct, frozen=True):
    """A person's silhouette: ``np.packbits`` rows of a height x width crop, and where the crop lies.

    ``to_image`` maps crop pixel (x, y) to image pixels.
    """

    height: Positive
    width: Positive
    bits: bytes
    to_image: Affine

    @classmethod
    def of(cls, mask: NDArray[np.bool_], to_image: Affine) -> Mask:
        """Pack a boolean crop."""
        height, width = mask.shape
        return cls(height, width, np.packbits(mask, axis=1).tobytes(), to_image)

    def numpy(self) -> NDArray[np.bool_]:
        """The boolean crop (height, width); raises MessageError where the size is wrong."""
        stride = (self.width + 7) // 8
        if stride * self.height != len(self.bits) or self.height * self.width > MAX_ARRAY_ITEMS:
            raise MessageError(
                f"mask of {self.height}x{self.width} has {len(self.bits)} bytes",
                wanted=f"{stride * self.height}",
            )
        rows = np.frombuffer(self.bits, dtype=np.uint8).reshape(self.height, stride)
        return np.unpackbits(rows, axis=1, count=self.width).astype(np.bool_)


class Quality(msgspec.Struct, frozen=True):
    """What perception measured about one person in one frame, for the track stage's gate.

    Shares lie in [0, 1]. ``truncation``: share of the body region outside the image. ``overlap``: share of
    the box covered by a nearer person's. ``agreement``: share of confident joints that lie on the mask.
    ``blur``: variance of the Laplacian inside the box, higher is sharper.
    """

    height_px: float
    truncation: float = 0.0
    confidence: float = 0.0
    overlap: float = 0.0
    agreement: float = 1.0
    blur: float = 0.0


class Person(msgspec.Struct, frozen=True):
    """One person as perception saw them in one frame.

    ``keypoints`` float32 (K, 3): x, y in image pixels and confidence, in the layout named by ``layout``;
    ``world`` float32 (K, 3) metres, hip-centred, camera frame, y down, or None. ``hint`` names perception's
    own follower: equal hints in neighbouring frames are probably the same person. ``ground``: where they
    stand, metres right of and ahead of the point below the camera, where the camera was calibrated.
    """

    box: Box
    score: float
    layout: str
    keypoints: Array
    quality: Quality
    world: Array | None = None
    mask: Mask | None = None
    hint: int | None = None
    ground: tuple[float, float] | None = None


class People(msgspec.Struct, frozen=True, tag="people"):
    """Everyone in one frame. ``motion`` maps the previous frame's pixels to this frame's."""

    frame: FrameRef
    people: tuple[Person, ...]
    motion: Affine = IDENTITY
    blur: float = 0.0


class Body(msgspec.Struct, frozen=True):
    """A person in the form the science works on; the shapes and units are those of ``Sample``."""

    silhouette: Array
    joints_2d: Array
    joints_3d: Array | None


class TrackletId(msgspec.Struct, frozen=True, order=True):
    """One unbroken observation of one person by one camera; never rewritten, never reused."""

    camera: str
    run: str
    n: NonNegative

    def __str__(self) -> str:
        return f"{self.camera}/{self.run}/{self.n}"


class Sample(msgspec.Struct, frozen=True):
    """One person at one instant of the 25 Hz grid, ready for an embedder.

    ``silhouette`` uint8 (64, 44). ``joints_2d`` float32 (16, 3): x, y in silhouette pixels and confidence.
    ``joints_3d`` float32 (16, 3) metres, pelvis-centred, camera frame, or None. ``valid`` is False for an
    instant that the gate refused (it never enters a maximum); ``interpolated`` marks a bridged gap.
    """

    tracklet: TrackletId
    captured_ns: int
    silhouette: Array
    joints_2d: Array
    joints_3d: Array | None
    valid: bool
    weight: float
    interpolated: bool = False


class Cut(msgspec.Struct, frozen=True):
    """The tracklet's segment ends at ``at_ns``: later samples must not be joined to earlier ones."""

    tracklet: TrackletId
    at_ns: int
    reason: str


class Track(msgspec.Struct, frozen=True):
    """A live tracklet in one frame; ``person`` indexes the frame's ``People.people``, None while coasting.

    ``cycles`` and ``quality`` describe its open window: gait cycles walked, and the mean weight in [0, 1] of
    its valid samples; both are 0 while no window is open.
    """

    tracklet: TrackletId
    box: Box
    person: int | None
    confirmed: bool = True
    cycles: float = 0.0
    quality: float = 0.0


class TrackEnd(msgspec.Struct, frozen=True):
    """A tracklet is over; it was seen from ``first_ns`` to ``last_ns``."""

    tracklet: TrackletId
    first_ns: int
    last_ns: int
    reason: str


class Tracked(msgspec.Struct, frozen=True, tag="tracked"):
    """Who is followed in one frame, the samples that became ready, and what ended."""

    frame: FrameRef
    tracks: tuple[Track, ...]
    samples: tuple[Sample, ...] = ()
    cuts: tuple[Cut, ...] = ()
    ended: tuple[TrackEnd, ...] = ()


class Embedding(msgspec.Struct, frozen=True):
    """What an embedder says of a tracklet between ``start_ns`` and ``end_ns``.

    ``vector`` float32 (D,). ``samples`` is how many valid samples it rests on; ``quality`` in [0, 1].
    """

    tracklet: TrackletId
    start_ns: int
    end_ns: int
    vector: Array
    samples: NonNegative
    quality: float
    model: str
    box: Box
    final: bool = False


class Embedded(msgspec.Struct, frozen=True, tag="embedded"):
    """The embeddings that became due at one frame; tracks and ends are passed on for identify."""

    frame: FrameRef
    embeddings: tuple[Embedding, ...]
    tracks: tuple[Track, ...] = ()
    ended: tuple[TrackEnd, ...] = ()


class Identity(msgspec.Struct, frozen=True, omit_defaults=False):
    """The answer: a person, ``unknown``, or ``insufficient_evidence`` with what is ``missing``.

    ``unknown`` names the ``cluster`` of those that look like one and the same stranger.
    """

    answer: Literal["person", "unknown", "insufficient_evidence"]
    person: str | None = None
    name: str | None = None
    probability: float | None = None
    margin: float | None = None
    missing: str | None = None
    cluster: str | None = None


class Evidence(msgspec.Struct, frozen=True):
    """What an answer rests on."""

    start_ns: int
    end_ns: int
    samples: NonNegative
    quality: float
    box: Box | None = None


class Link(msgspec.Struct, frozen=True):
    """``later`` continues ``earlier``, with ``confidence`` in [0, 1] that both are the same person.

    ``gap_s``: seconds for which nobody was seen in between. ``distance``: between the two embeddings, None
    where one showed too little of its gait and only place and time tell.
    """

    earlier: TrackletId
    later: TrackletId
    at_ns: int
    gap_s: float
    distance: float | None
    confidence: float


class Retraction(msgspec.Struct, frozen=True):
    """A link no longer holds."""

    link: Link
    at_ns: int
    reason: str


class Continuation(msgspec.Struct, frozen=True):
    """What a ``link`` or ``retract`` event says of its tracklet: which ``earlier`` one it continues.

    ``reason``: why that is taken back.
    """

    earlier: str
    gap_s: float
    distance: float | None
    confidence: float
    reason: str | None = None


class Event(msgspec.Struct, frozen=True, tag="event"):
    """One line of the event log and one message to subscribers; ``schema/event-1.json`` describes it.

    Holds nothing that differs between two runs over the same recorded input: no wall-clock timings, no
    process ids. ``sequence`` counts per camera from 1. ``id`` is a hash of content.
    """

    id: str
    kind: EventKind
    camera: str
    run: str
    sequence: NonNegative
    captured_ns: int
    tracklet: str | None = None
    identity: Identity | None = None
    evidence: Evidence | None = None
    model: str | None = None
    gallery_epoch: NonNegative | None = None
    config: str | None = None
    expires_ns: int | None = None
    details: dict[str, str | int | float] = {}
    version: int = 1
    link: Continuation | None = None


class Identified(msgspec.Struct, frozen=True, tag="identified"):
    """The events that one frame gave rise to, most often none."""

    frame: FrameRef
    events: tuple[Event, ...]


class ControlRequest(msgspec.Struct, frozen=True, tag="request"):
    """A question or order to a running stage, over its control socket."""

    verb: str
    arguments: dict[str, Any] = {}


class ControlReply(msgspec.Struct, frozen=True, tag="reply"):
    """The answer to a ControlRequest; ``error`` holds one clear line when ``ok`` is False."""

    ok: bool
    result: dict[str, Any] = {}
    error: str = ""


FrameMessage = FrameToken | People | Tracked | Embedded | Identified
"""The messages that stand for one frame at one hop."""
Message = FrameMessage | EndOfStream | Event | ControlRequest | ControlReply

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """The bytes that travel: the wire version, then msgpack."""
    return bytes([WIRE_VERSION]) + _encoder.encode(message)


def decode(data: bytes | memoryview) -> Message:
    """The message in ``data``; raises MessageError for anything that is not one of ours."""
    view = memoryview(data)
    if not 1 < len(view) <= MAX_MESSAGE_BYTES:
        raise MessageError(f"message of {len(view)} bytes", wanted=f"2 to {MAX_MESSAGE_BYTES} bytes")
    if view[0] != WIRE_VERSION:
        raise MessageError(
            f"message of wire version {view[0]}",
            wanted=f"version {WIRE_VERSION}",
            fix="Run the same Gaitway release on every machine of one pipeline",
        )
    try:
        return _decoder.decode(view[1:])
    except FOREIGN as error:
        raise MessageError(f"not a message of ours ({error})") from error
