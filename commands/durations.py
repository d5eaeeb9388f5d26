"""Times as people write them."""

from __future__ import annotations

import argparse
import datetime
import re
import time
from typing import Final

UNITS_S: Final = {"h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
NANOSECONDS: Final = 1_000_000_000


def expiry_ns(text: str) -> int | None:
    """``30d``, ``12h``, ``2w`` from now, a date (its end, local time) or ``never``, in nanoseconds."""
    if text == "never":
        return None
    if match := re.fullmatch(r"(\d{1,5})([hdw])", text):
        return time.time_ns() + int(match[1]) * UNITS_S[match[2]] * NANOSECONDS
    try:
        day = datetime.datetime.strptime(text, "%Y-%m-%d").astimezone()
    except ValueError:
        wanted = "12h, 30d, 2w, a date such as 2027-01-31, or never"
        raise argparse.ArgumentTypeError(f"{text!r} is no time; wanted {wanted}") from None
    return int((day + datetime.timedelta(days=1)).timestamp()) * NANOSECONDS
