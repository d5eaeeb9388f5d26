"""No credential in an address is ever shown, wherever cameras put it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import SourceError
from stream.redact import redact, redact_text
from stream.sources import open_source


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:hunter2@10.0.0.5:554/stream1", "rtsp://***@10.0.0.5:554/stream1"),
        ("rtsp://10.0.0.5/stream1", "rtsp://10.0.0.5/stream1"),
        ("http://cam/video?user=a&pwd=hunter2", "http://cam/video?***"),
        ("http://cam/video#token", "http://cam/video#***"),
        ("rtsp://admin:hun/ter2@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin:hun@ter2@cam/live", "rtsp://***@cam/live"),
        ("rtsp://admin:hun?ter2@cam/live", "rtsp://***"),
        ("rtsp://cam/user=admin_password=hunter2_channel=1.sdp", "rtsp://cam/***"),
        ("/videos/a@b.mp4", "/videos/a@b.mp4"),
    ],
)
def test_addresses(address: str, shown: str) -> None:
    assert redact(address) == shown


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=4).map(lambda s: f"Q{s}Q"),
    st.sampled_from(
        [
            "rtsp://admin:{}@cam/live",
            "http://{}@cam",
            "http://cam/?pwd={}&x=1",
            "rtsp://cam/user=a&password={}&c=1",
        ]
    ),
)
def test_a_secret_never_survives(secret: str, form: str) -> None:
    assert secret not in redact(form.format(secret))


def test_addresses_inside_a_message() -> None:
    text = "Connection refused: 'rtsp://admin:hunter2@cam/live' after http://u:p@host"
    assert redact_text(text) == "Connection refused: 'rtsp://***@cam/live' after http://***@host"


def test_an_address_of_unknown_form_is_refused_without_its_password() -> None:
    with pytest.raises(SourceError) as caught:
        open_source("ftp://admin:hunter2@cam/live", "door")
    assert "hunter2" not in str(caught.value)
    assert "rtsp://" in str(caught.value)
