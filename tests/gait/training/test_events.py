"""Event files read back by protocol buffers' own parser, checksums by their published values."""

import struct

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from gait.training.events import Events, crc32c, record
from gait.training.log import StepLine, ValidationLine

FIELD = descriptor_pb2.FieldDescriptorProto


def event_class():
    """The three messages as TensorBoard declares them, as far as scalars need."""
    file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="t", syntax="proto3")
    for name, fields in {
        "Value": [("tag", 1, FIELD.TYPE_STRING, ""), ("simple_value", 2, FIELD.TYPE_FLOAT, "")],
        "Summary": [("value", 1, FIELD.TYPE_MESSAGE, ".t.Value")],
        "Event": [
            ("wall_time", 1, FIELD.TYPE_DOUBLE, ""),
            ("step", 2, FIELD.TYPE_INT64, ""),
            ("file_version", 3, FIELD.TYPE_STRING, ""),
            ("summary", 5, FIELD.TYPE_MESSAGE, ".t.Summary"),
        ],
    }.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in fields:
            label = FIELD.LABEL_REPEATED if name == "Summary" else FIELD.LABEL_OPTIONAL
            message.field.add(name=field, number=number, type=kind, label=label, type_name=of or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Event"))


def messages(content: bytes):
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        whole = content[: 16 + length]
        assert record(whole[12 : 12 + length]) == whole
        yield event_class().FromString(whole[12 : 12 + length])
        content = content[16 + length :]


def test_the_lines_come_back(tmp_path) -> None:
    events = Events(tmp_path / "tb", 0)
    events.add(StepLine(300, 0.5, {"triplet": 0.25}, 0.1, 9.0, 1.0, 2.0))
    events.add(ValidationLine(301, 0.75, True))
    first, step, validation = messages(events.path.read_bytes())
    assert first.file_version == "brain.Event:2"
    assert step.step == 300
    assert {value.tag: value.simple_value for value in step.summary.value} == pytest.approx(
        {"loss": 0.5, "rate": 0.1, "parts/triplet": 0.25, "clips_per_s": 9.0}
    )
    assert (validation.step, validation.summary.value[0].simple_value) == (301, 0.75)


def test_the_checksum_is_castagnolis() -> None:
    """RFC 3720, appendix B.4: zeros, ones and counting bytes."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
