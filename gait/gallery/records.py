"""What goes into a gallery and what comes out: frozen values, checked where they enter."""

from __future__ import annotations

import unicodedata
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import GalleryError, MessageError
from stream.messages import Array

MAX_NAME: Final = 100
MAX_NOTE: Final = 1_000
MAX_DIMENSION: Final = 8_192
MAX_TEMPLATES: Final = 64
"""Templates one person may have of one model: views and clothes of a lifetime, and a bound on a mistake."""
UNIT_TOLERANCE: Final = 1e-3

Vector = NDArray[np.float32]


class NewTemplate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A template to be kept: a unit-length float32 vector, what made it, and what it rests on.

    ``source`` says where it came from (a file's name, ``track:<tracklet>``); ``view_degrees`` is the walking
    direction against the camera's axis where known.
    """

    vector: Array
    model: str
    samples: int
    quality: float
    source: str = ""
    view_degrees: float | None = None

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
    if not np.isfinite(vector).all():
        return "its vector holds NaN or infinity"
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if abs(length - 1.0) > UNIT_TOLERANCE:
        return f"its vector has length {length:.4g}"
    if template.samples < 1 or not 0 <= template.quality <= 1:
        return f"it has {template.samples} samples and quality {template.quality}"
    if not template.model or len(template.source) > MAX_NOTE:
        return "its model is not named or its source is too long"
    return ""


class TemplateRecord(msgspec.Struct, frozen=True):
    """A kept template, without its vector."""

    id: int
    model: str
    dimension: int
    samples: int
    quality: float
    source: str
    view_degrees: float | None
    created_ns: int


class PersonRecord(msgspec.Struct, frozen=True):
    """Somebody the gallery knows. ``id`` is never given to another person of this gallery."""

    id: str
    name: str
    consent: str
    created_ns: int
    templates: tuple[TemplateRecord, ...]


class TrackRecord(msgspec.Struct, frozen=True):
    """A finished track that may still be enrolled until ``expires_ns`` (wall-clock)."""

    tracklet: str
    camera: str
    first_ns: int
    last_ns: int
    answer: str
    person: str | None
    expires_ns: int
    templates: int = 0


class AuditRow(msgspec.Struct, frozen=True):
    """What changed and when, chained by hash; names and vectors stay out, so it can outlive a removal."""

    epoch: int
    at_ns: int
    action: str
    person: str
    detail: str
    chain: str


def checked_name(name: str) -> str:
    """The name as it is kept: one printable line in composed form; raises GalleryError otherwise."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(clean) <= MAX_NAME or not clean.isprintable():
        raise GalleryError(f"name {clean[:40]!r} is refused", wanted=f"1 to {MAX_NAME} printable characters")
    return clean


def checked_note(note: str) -> str:
    """A consent note as it is kept; raises GalleryError where it is too long."""
    if len(note) > MAX_NOTE:
        raise GalleryError("the consent note is refused", wanted=f"at most {MAX_NOTE} characters")
    return note
