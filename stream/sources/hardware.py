"""Decoding by the graphics processor, where there is one that works; else by the processor.

Live cameras alone: a recording is decoded in software everywhere, so that it gives the same pixels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Final, Literal

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from stream.errors import SourceError

Decoder = Literal["auto", "software", "cuda", "vaapi", "qsv", "videotoolbox", "d3d11va"]
DEVICES: Final = ("cuda", "vaapi", "qsv", "videotoolbox", "d3d11va")
"""In the order in which ``auto`` tries them."""
_TRIED_WITH: Final = "h264"  # what nearly every camera sends; other codecs fall back by themselves
_log = logging.getLogger("gaitway.stream")


@cache
def working() -> tuple[str, ...]:
    """The devices that decode here; tried, for a driver that is there need not work."""
    known = hwdevices_available()
    return tuple(device for device in DEVICES if device in known and _works(device))


def decoder(wanted: Decoder, where: str, devices: Callable[[], tuple[str, ...]] = working) -> HWAccel | None:
    """What ``av.open`` is to decode with; None: the processor. SourceError for a device that is not there."""
    if wanted == "software":
        return None
    found = devices()
    if wanted == "auto":
        return HWAccel(found[0], allow_software_fallback=True) if found else None
    if wanted not in found:
        raise SourceError(
            f"no {wanted} decodes here",
            where=where,
            wanted=", ".join(("auto", "software", *found)),
            fix="See `doctor`; auto takes what there is",
        )
    return HWAccel(wanted, allow_software_fallback=True)


def _works(device: str) -> bool:
    try:
        HWAccel(device).create(av.Codec(_TRIED_WITH, "r"))
    except (av.FFmpegError, NotImplementedError, ValueError, OSError) as error:
        _log.debug("%s does not decode here: %s", device, error)
        return False
    return True
