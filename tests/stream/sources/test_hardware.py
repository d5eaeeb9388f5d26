"""Hardware decodes where there is some that works; where not, the processor does, and says so where it matters."""

from __future__ import annotations

import pytest

from stream.errors import SourceError
from stream.sources import SourceOptions, open_source
from stream.sources.hardware import DEVICES, decoder, working
from tests.stream.clips import number_of
from tests.stream.rtsp import rtsp_camera


def none() -> tuple[str, ...]:
    return ()


def test_auto_takes_the_first_that_works_and_else_the_processor() -> None:
    assert decoder("auto", "x", none) is None
    assert decoder("software", "x", lambda: ("cuda",)) is None
    assert decoder("auto", "x", lambda: ("cuda", "qsv")) is not None


def test_a_device_that_is_not_there_is_refused_with_what_there_is() -> None:
    with pytest.raises(SourceError, match=r"no cuda decodes here; wanted auto, software, qsv"):
        decoder("cuda", "rtsp://***@h", lambda: ("qsv",))


def test_what_is_said_to_work_was_tried() -> None:
    assert set(working()) <= set(DEVICES)


@pytest.mark.parametrize("wanted", ["auto", "software"])
def test_a_camera_is_decoded_either_way(wanted: str) -> None:
    with rtsp_camera(25) as host:
        options = SourceOptions(open_timeout_s=10.0, stall_timeout_s=10.0, decoder=wanted)
        source = open_source(f"rtsp://admin:hunter2@{host}/live", "door", options)
        shown = [number_of(picture.image) for picture in source.frames()]
        source.close()
    assert shown == list(range(shown[0], 25))
    assert ("decoded by hardware" in source.notes) == (wanted == "auto" and bool(working()))
