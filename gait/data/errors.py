"""What is wrong with a data set, in one line that names the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stream.errors import GaitwayError, MessageError


class DataError(GaitwayError):
    """A data set, a sequence of it or its partition cannot be used."""

    exit_status = 9


@contextmanager
def naming(sequence: object) -> Iterator[None]:
    """Whatever is wrong with a walk, said of the sequence it is, where nobody named it yet."""
    try:
        yield
    except MessageError as error:
        if error.where:
            raise
        raise MessageError(error.what, where=str(sequence), wanted=error.wanted, fix=error.fix) from error
