"""What goes into a gallery and what comes out: frozen values, checked where they enter."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import GalleryError, MessageError
from stream.messages import Array

TRACK_SOURCE: Final = "track:"
"""How the source of a template begins that came from a track."""
MAX_NAME: Final = 100
MAX_NOTE: Final = 1_000
MAX_ALIASES: Final = 16
MAX_WALKS: Final = 64
MAX_DIMENSION: Final = 8_192
MAX_TEMPLATES: Final = 64
"""Templates one person may have of one model: views and clothes of a lifetime, and a bound on a mistake."""
UNIT_TOLERANCE: Final = 1e-3

REASONS: Final = ("asked", "consent-withdrawn", "expired", "mistake", "upkeep")
"""Why something was changed; a fixed choice, since free text would carry names past a removal."""

IfKnown = Literal["join", "refuse", "skip"]
"""What an enrolment does with somebody whose name is known: add to them, refuse all, or leave them be."""

Vector = NDArray[np.float32]


class NewTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template to be kept: a unit-length float32 vector, what made it, and what it rests on.

    ``source`` says where it came from (a file's name, ``track:<tracklet>``); ``view_degrees`` is the walking
    direction against the camera's axis where known. ``expires_ns`` ends it before its person.
    """

    vector: Array
    model: str
    samples: int
    quality: float
    source: str = ""
    view_degrees: float | None = None
    expires_ns: int | None = None

    def checked(self) -> Vector:
        """The vector, or GalleryError with what is wrong with this template."""
        try:
            vector = self.vector.numpy()
        except MessageError as error:
            raise GalleryError(f"a template is damaged ({error.what})", wanted=error.wanted) from error
        wrong = _fault(self, vector)
        if wrong:
            raise GalleryError(
                f"a template is refused: {wrong}", wanted="a finite unit-length float32 vector"
            )
        return vector


def _fault(template: NewTemplate, vector: NDArray[np.generic]) -> str:
    """Why a template cannot be kept; empty where it can."""
    if vector.dtype != np.float32 or vector.ndim != 1 or not 0 < vector.size <= MAX_DIMENSION:
        return f"its vector has type {vector.dtype} and shape {vector.shape}"
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not abs(length - 1.0) <= UNIT_TOLERANCE:
        return (
            f"its vector has length {length:.4g}" if length < np.inf else "its vector holds NaN or infinity"
        )
    if template.samples < 1 or not 0 <= template.quality <= 1:
        return f"it has {template.samples} samples and quality {template.quality}"
    view = template.view_degrees
    if view is not None and not abs(view) <= 360:
        return f"its view is {view} degrees"
    unnamed = not 0 < len(template.model) <= MAX_NAME or len(template.source) > MAX_NOTE
    return "its model is not named or its source is too long" if unnamed else ""


class TemplateRecord(msgspec.Struct, frozen=True):
    """A kept template, without its vector; ``expires_ns`` None lasts as long as its person."""

    id: int
    model: str
    dimension: int
    samples: int
    quality: float
    source: str
    view_degrees: float | None
    created_ns: int
    expires_ns: int | None = None
    consent: str = ""


class PersonRecord(msgspec.Struct, frozen=True):
    """Somebody the gallery knows. ``id`` is never given to another person of this gallery.

    ``tag`` is a random name that only the audit uses: once the person is removed nothing leads from it to
    them. ``sequences`` counts the walks that are kept for another model's sake.
    """

    id: str
    name: str
    consent: str
    created_ns: int
    templates: tuple[TemplateRecord, ...]
    aliases: tuple[str, ...] = ()
    note: str = ""
    expires_ns: int | None = None
    tag: str = ""
    sequences: int = 0


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written on a person's card: all that names or describes them."""

    name: str
    consent: str = ""
    note: str = ""
    aliases: tuple[str, ...] = ()


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a template or a sequence came from, and the consent it was kept under."""

    source: str = ""
    consent: str = ""


class Enrolment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to enrol with others in one change; walks are packed samples (see ``sequences``)."""

    name: str
    templates: Annotated[tuple[NewTemplate, ...], msgspec.Meta(max_length=16 * MAX_TEMPLATES)]
    consent: str = ""
    expires_ns: int | None = None
    walks: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MAX_WALKS)] = ()
    note: str = ""
    aliases: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ALIASES)] = ()


class TrackRecord(msgspec.Struct, frozen=True):
    """A finished track that may still be enrolled until ``expires_ns`` (wall-clock).

    ``cluster`` names the unknown person that it was taken for, if any.
    """

    tracklet: str
    camera: str
    first_ns: int
    last_ns: int
    answer: str
    person: str | None
    expires_ns: int
    templates: int = 0
    cluster: str | None = None


class AuditRow(msgspec.Struct, frozen=True):
    """What changed, when and why, chained by hash; names and vectors stay out, so it can outlive a removal.

    ``person`` is a tag, not an id; ``why`` is one of ``REASONS``.
    """

    epoch: int
    at_ns: int
    action: str
    person: str
    detail: str
    why: str
    chain: str


def checked_name(name: str) -> str:
    """The name as it is kept: one printable line in composed form; raises GalleryError otherwise."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(clean) <= MAX_NAME or not clean.isprintable():
        raise GalleryError(f"name {clean[:40]!r} is refused", wanted=f"1 to {MAX_NAME} printable characters")
    return clean


def checked_note(note: str, what: str = "consent note") -> str:
    """A note as it is kept; raises GalleryError where it is too long or cannot be shown."""
    if len(note) > MAX_NOTE or not all(part.isprintable() for part in note.split()):
        raise GalleryError(f"the {what} is refused", wanted=f"at most {MAX_NOTE} printable characters")
    return note


def checked_why(why: str) -> str:
    """The reason as the audit keeps it; raises GalleryError for one it does not know."""
    if why not in REASONS:
        raise GalleryError(f"reason {why[:40]!r}", wanted=", ".join(REASONS))
    return why
