"""What is wrong with a data set, in one line that names the file."""

from __future__ import annotations

from stream.errors import GaitwayError


class DataError(GaitwayError):
    """A data set, a sequence of it or its partition cannot be used."""

    exit_status = 9
