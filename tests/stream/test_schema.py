"""The published schema says what our events are, whole, and refuses what they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

import stream
from stream.events import encode_event, sealed
from stream.messages import Continuation, Event, Evidence, Identity
from tests.strategies_stream import events

SCHEMA: dict[str, Any] = json.loads((Path(stream.__file__).parent / "schema" / "event-1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
EVENT = sealed(
    Event("", "new", "door", "r", 0, 5, identity=Identity("unknown"), evidence=Evidence(1, 2, 3, 0.5)), 1
)


def line(event: Event) -> Any:
    return json.loads(encode_event(event))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@given(events)
def test_every_event_we_can_make_is_valid(event: Event) -> None:
    VALIDATOR.validate(line(sealed(event, event.sequence)))


@pytest.mark.parametrize(
    ("name", "schema", "fields"),
    [
        ("event", SCHEMA, {"type", *Event.__struct_fields__}),
        ("identity", SCHEMA["$defs"]["identity"], set(Identity.__struct_fields__)),
        ("evidence", SCHEMA["$defs"]["evidence"], set(Evidence.__struct_fields__)),
        ("link", SCHEMA["$defs"]["link"], set(Continuation.__struct_fields__)),
    ],
)
def test_it_names_every_field_and_says_what_it_is(
    name: str, schema: dict[str, Any], fields: set[str]
) -> None:
    assert set(schema["properties"]) == set(schema["required"]) == fields
    assert all(field.get("description") for field in schema["properties"].values()), name


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"type": "people"},
        {"kind": "seen"},
        {"kind": "link"},
        {"kind": "retract"},
        {"link": {"earlier": "door/r/0", "gap_s": 1, "distance": 0.1, "confidence": 0.9, "reason": None}},
        {"sequence": 0},
        {"captured_ns": "now"},
        {"extra": 1},
        {"identity": {"answer": "person"}},
        {"details": {"list": []}},
    ],
)
def test_it_refuses_other_versions_and_other_shapes(change: dict[str, Any]) -> None:
    VALIDATOR.validate(line(EVENT))
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(line(EVENT) | change)
