"""What a gallery's bytes look like on the disk: plain, or sealed by a key and tied to where they belong.

With a key everything personal is AES-256-GCM: a fresh random nonce, the bytes, a tag; and the place it
belongs to (``template:p000003:MODEL``) is authenticated with it, so that no row can be passed off as
another's. Names are looked up by a keyed digest, with a key or without.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from gait.gallery.transform import rotation
from stream.errors import GalleryError

NONCE: Final = 12
TAG: Final = 16
SALT: Final = 16
CHECK: Final = b"gaitway gallery"
STORED: Final = np.dtype("<f4")
"""How vectors lie in the database, on any machine."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Locks:
    """What the database keeps about its key: salts, and a sealed text by which a wrong key shows itself.

    ``turn`` is the salt of the rotation; empty where vectors are not rotated.
    """

    salt: bytes
    check: bytes = b""
    turn: bytes = b""

    @property
    def encrypted(self) -> bool:
        """Whether a key is needed."""
        return bool(self.check)


class Vault:
    """Seals and opens what one gallery stores."""

    def __init__(self, key: bytes | None, salt: bytes, turn: bytes = b"") -> None:
        """Of a gallery with this ``salt``; ``turn`` asks for rotated vectors, which needs a key."""
        if turn and key is None:
            fix = "Name one: gallery.key: file:PATH"
            raise GalleryError("cancelable templates need a key", fix=fix)
        self._cipher = AESGCM(_derived(key, salt, b"seal")) if key else None
        self._names = _derived(key, salt, b"names") if key else salt
        self._turn = _derived(key, turn, b"turn") if key and turn else b""
        self._salt, self._turn_salt = salt, turn

    @classmethod
    def fresh(cls, key: bytes | None, *, cancelable: bool) -> Vault:
        """A vault with salts of its own, for a new gallery or a new key."""
        return cls(key, os.urandom(SALT), os.urandom(SALT) if cancelable else b"")

    @property
    def encrypted(self) -> bool:
        """Whether a key seals what is stored."""
        return self._cipher is not None

    @property
    def rotates(self) -> bool:
        """Whether vectors are stored rotated."""
        return bool(self._turn)

    @property
    def overhead(self) -> int:
        """How many bytes sealing adds."""
        return NONCE + TAG if self._cipher else 0

    def locks(self) -> Locks:
        """What the database has to keep, so that it can be opened again."""
        return Locks(self._salt, self.seal(CHECK, "check") if self._cipher else b"", self._turn_salt)

    def knows(self, locks: Locks) -> bool:
        """Whether this is the key that ``locks`` were made with."""
        try:
            return self._cipher is None or self.open(locks.check, "check") == CHECK
        except GalleryError:
            return False

    def seal(self, data: bytes, about: str) -> bytes:
        """The bytes to store for ``data``, which belongs to ``about``."""
        if self._cipher is None:
            return data
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, data, about.encode())

    def open(self, blob: bytes, about: str) -> bytes:
        """What was sealed; raises GalleryError where it was altered, moved, or sealed by another key."""
        if self._cipher is None:
            return blob
        try:
            return self._cipher.decrypt(blob[:NONCE], blob[NONCE:], about.encode())
        except (InvalidTag, ValueError) as error:
            kind = about.partition(":")[0]
            raise GalleryError(
                f"a sealed {kind} cannot be opened", wanted="what this key sealed, in its place"
            ) from error

    def digest(self, text: str) -> bytes:
        """A keyed digest: equal for equal texts of this gallery, and of no use elsewhere."""
        return hmac.digest(self._names, text.encode(), hashlib.sha256)

    def seal_vector(self, vector: Vectors, about: str) -> bytes:
        """A vector (D,) as it is stored."""
        return self.seal(self.turned(vector[None])[0].astype(STORED).tobytes(), about)

    def open_vector(self, blob: bytes, about: str) -> Vectors:
        """The vector (D,) as it was given to ``seal_vector``."""
        stored = np.frombuffer(self.open(blob, about), dtype=STORED).astype(np.float32)
        return self.straight(stored[None])[0] if self._turn else stored

    def turned(self, vectors: Vectors) -> Vectors:
        """Vectors (n, D) as the index holds them; inner products stay."""
        if not self._turn or not vectors.size:
            return vectors
        product: Vectors = vectors @ rotation(self._turn, vectors.shape[1]).T
        return product

    def straight(self, vectors: Vectors) -> Vectors:
        """``turned`` undone."""
        if not self._turn or not vectors.size:
            return vectors
        product: Vectors = vectors @ rotation(self._turn, vectors.shape[1])
        return product


def vault_for(locks: Locks, key: bytes | None, where: str) -> Vault:
    """The vault that opens a gallery; raises GalleryError without its key, or with one it does not need."""
    if locks.encrypted and key is None:
        fix = "Name its key: gallery.key: file:PATH (or --set gallery.key=file:PATH)"
        raise GalleryError("is encrypted", where=where, wanted="its key", fix=fix)
    if key is not None and not locks.encrypted:
        fix = "Encrypt it with `gallery rekey KEY` without gallery.key, or leave gallery.key empty"
        raise GalleryError("is not encrypted, but a key is named", where=where, fix=fix)
    vault = Vault(key, locks.salt, locks.turn)
    if not vault.knows(locks):
        fix = "Name the key it was encrypted with; nothing was changed"
        raise GalleryError("another key sealed it", where=where, wanted="its own key", fix=fix)
    return vault


def _derived(key: bytes | None, salt: bytes, purpose: bytes) -> bytes:
    """A key for one purpose (RFC 5869), so that no two purposes share one."""
    assert key is not None
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"gaitway " + purpose).derive(key)
