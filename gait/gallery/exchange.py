"""People on the move between galleries: one file, sealed by a key where one is given.

The file is a fixed first line, a nonce, and msgpack; with a key AES-256-GCM over all of it. Whatever comes in
is checked as an enrolment is, in one change: a file that is not good changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gait.gallery.reader import GalleryReader
from gait.gallery.records import Enrolment, IfKnown, NewTemplate, PersonRecord
from gait.gallery.store import Gallery
from stream.errors import FOREIGN, GalleryError
from stream.messages import Array

OPEN: Final = b"gaitway-people-1 open\n"
SEALED: Final = b"gaitway-people-1 sealed\n"
NONCE: Final = 12
MAX_FILE_BYTES: Final = 4 * 1024**3
MAX_PEOPLE: Final = 1_000_000


class Exported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the file."""

    people: Annotated[tuple[Enrolment, ...], msgspec.Meta(max_length=MAX_PEOPLE)]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Exported)


def write_export(gallery: GalleryReader, path: Path, key: bytes | None, who: Sequence[str] = ()) -> int:
    """Write these people (default: everybody) to a new file; how many there were.

    Raises GalleryError where there are none, or the file exists or cannot be written.
    """
    chosen = [gallery.person(one) for one in who] if who else list(gallery.people())
    if not chosen:
        raise GalleryError("nobody is enrolled", where=f"gallery {gallery.path}", wanted="somebody to export")
    data = _encoder.encode(Exported(tuple(_enrolment(gallery, person) for person in chosen)))
    if key is None:
        content = OPEN + data
    else:
        nonce = os.urandom(NONCE)
        content = SEALED + nonce + AESGCM(key).encrypt(nonce, data, SEALED)
    _write(path, content)
    return len(chosen)


def read_export(path: Path, key: bytes | None) -> tuple[Enrolment, ...]:
    """The people in a file; raises GalleryError for anything else, another key's file included."""
    where = f"file {path}"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise GalleryError("is too large", where=where, wanted=f"at most {MAX_FILE_BYTES >> 30} GiB")
        content = path.read_bytes()
    except OSError as error:
        raise GalleryError(f"cannot be read ({error.strerror})", where=where) from error
    try:
        return _decoder.decode(_opened(content, key, where)).people
    except FOREIGN as error:
        fix = "Export it again; nothing was imported"
        raise GalleryError(f"is damaged or no export ({error})", where=where, fix=fix) from error


def import_people(gallery: Gallery, people: Sequence[Enrolment], if_known: IfKnown) -> tuple[str, ...]:
    """Take people in, in one change; the ids of those who came. Templates that are there are left out."""
    fresh = [_without_known(gallery, one) for one in people] if if_known == "join" else list(people)
    fresh = [one for one in fresh if one.templates]
    if not fresh:
        return ()
    return gallery.enrol_many(fresh, "import", if_known)


def _enrolment(gallery: GalleryReader, person: PersonRecord) -> Enrolment:
    models = dict.fromkeys(template.model for template in person.templates)
    vectors = {row.template: vector for model in models for row, vector in gallery.vectors(model, person.id)}
    templates = tuple(
        NewTemplate(
            *(Array.of(vectors[kept.id]), kept.model, kept.samples, kept.quality, kept.source),
            *(kept.view_degrees, kept.expires_ns),
        )
        for kept in person.templates
    )
    walks = tuple(walk for _, walk in gallery.walks(person.id))
    return Enrolment(
        *(person.name, templates, person.consent, person.expires_ns, walks, person.note, person.aliases)
    )


def _without_known(gallery: Gallery, asked: Enrolment) -> Enrolment:
    """An enrolment less the templates that its person has already, and then less its walks too."""
    known = gallery.known_vectors(asked.name)
    templates = tuple(t for t in asked.templates if (t.model, t.vector.data) not in known)
    walks = asked.walks if not known else ()
    return msgspec.structs.replace(asked, templates=templates, walks=walks)


def _opened(content: bytes, key: bytes | None, where: str) -> bytes:
    if content.startswith(OPEN):
        return content[len(OPEN) :]
    if not content.startswith(SEALED):
        raise GalleryError(
            "is no export of a Gaitway gallery", where=where, wanted="a file of `gallery export`"
        )
    if key is None:
        raise GalleryError("is sealed", where=where, wanted="the key it was exported with", fix="Use --key")
    body = content[len(SEALED) :]
    try:
        return AESGCM(key).decrypt(body[:NONCE], body[NONCE:], SEALED)
    except (InvalidTag, ValueError) as error:
        what = "was sealed by another key, or altered"
        raise GalleryError(what, where=where, fix="Name its key with --key; nothing was imported") from error


def _write(path: Path, content: bytes) -> None:
    """A new file for its owner's eyes; nothing is overwritten, and nothing half-written stays."""
    where = f"file {path}"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise GalleryError(
            f"cannot be made ({error.strerror})", where=where, fix="Name another file"
        ) from error
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise GalleryError(
            f"cannot be written ({error.strerror})", where=where, fix="Free the disk"
        ) from error
