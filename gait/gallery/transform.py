"""A keyed rotation of vectors: what is stored tells nothing without the key, and can be cancelled by another.

An orthogonal matrix keeps every inner product, so the rotated gallery answers as the plain one does, and a
template that leaked matches nothing once the gallery has been turned by another key.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
ZERO_COUNTER: Final = bytes(16)


@lru_cache(maxsize=4)
def rotation(key: bytes, dimension: int) -> Vectors:
    """The orthogonal matrix (D, D) that 32 bytes of ``key`` stand for, uniform among all of them.

    The Q factor of a matrix of independent normal numbers, with the signs of R's diagonal put right, is so
    distributed (Mezzadri 2007, "How to generate random matrices from the classical compact groups").
    """
    factor, upper = np.linalg.qr(_normals(key, dimension * dimension).reshape(dimension, dimension))
    turned: Vectors = (factor * np.where(np.diag(upper) < 0, -1.0, 1.0)).astype(np.float32)
    return turned


def _normals(key: bytes, count: int) -> NDArray[np.float64]:
    """Normal numbers from AES's key stream by Box and Muller: the same on every machine and numpy release."""
    pairs = (count + 1) // 2
    stream = Cipher(algorithms.AES(key), modes.CTR(ZERO_COUNTER)).encryptor().update(bytes(16 * pairs))
    uniform = (np.frombuffer(stream, "<u8").reshape(2, pairs) >> np.uint64(11)) * 2.0**-53
    length = np.sqrt(-2.0 * np.log1p(-uniform[0]))
    angle = 2.0 * np.pi * uniform[1]
    both: NDArray[np.float64] = np.concatenate([length * np.cos(angle), length * np.sin(angle)])[:count]
    return both
