"""People move between galleries whole, and a file that is not good changes nothing."""

import os
import resource
import signal
from pathlib import Path

import msgspec
import pytest

from gait.gallery.exchange import OPEN, SEALED, Exported, import_people, read_export, write_export
from gait.gallery.records import Enrolment
from gait.gallery.store import Gallery
from stream.errors import GalleryError
from stream.messages import Array
from tests.strategies_gallery import MODEL, template, unit

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def filled(path: Path, key: bytes | None = None, cancelable: bool = False) -> Gallery:
    gallery = Gallery(path, key=key, cancelable=cancelable)
    gallery.enrol("Ada", [template(1), template(2, "o" * 32, dimension=8)], consent="signed", walks=[b"walk"])
    gallery.alias("Ada", "Countess")
    gallery.annotate("Ada", "a note")
    gallery.set_expiry("Ada", 2**62)
    gallery.enrol("Ben", [template(3)])
    return gallery


def shown(gallery: Gallery) -> list:
    """People without what belongs to one gallery alone."""
    return [
        (
            *(p.name, p.aliases, p.consent, p.note, p.expires_ns, p.sequences),
            [(t.model, t.source, t.samples, t.quality) for t in p.templates],
        )
        for p in gallery.people()
    ]


@pytest.mark.parametrize("file_key", [None, KEY])
@pytest.mark.parametrize("cancelable", [False, True])
def test_people_arrive_as_they_left(tmp_path: Path, file_key: bytes | None, cancelable: bool) -> None:
    with filled(tmp_path / "a.db", KEY, cancelable) as one, Gallery(tmp_path / "b.db", key=OTHER) as other:
        assert write_export(one, tmp_path / "x", file_key) == 2
        assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
        import_people(other, read_export(tmp_path / "x", file_key), "refuse")
        assert shown(other) == shown(one)
        vectors = {row.person: vector for row, vector in other.vectors(MODEL)}
        assert vectors[other.person("Countess").id] == pytest.approx(unit(1), abs=1e-6)
        assert other.verify() == ()
        assert other.undo() == "import"
        assert other.people() == ()


def test_a_sealed_export_is_unreadable(tmp_path: Path) -> None:
    with filled(tmp_path / "a.db") as one:
        write_export(one, tmp_path / "x", KEY)
    data = (tmp_path / "x").read_bytes()
    assert b"Ada" not in data
    assert unit(1).tobytes()[:16] not in data


def test_who_is_known_joins_is_skipped_or_stops_the_import(tmp_path: Path) -> None:
    with filled(tmp_path / "a.db") as one, Gallery(tmp_path / "b.db") as other:
        write_export(one, tmp_path / "x", None)
        people = read_export(tmp_path / "x", None)
        other.enrol("Ada", [template(50)])
        with pytest.raises(GalleryError, match="1 of 2 people are known already"):
            import_people(other, people, "refuse")
        assert len(other.people()) == 1
        import_people(other, people, "skip")
        assert len(other.person("Ada").templates) == 1
        import_people(other, people, "join")
        assert len(other.person("Ada").templates) == 3
        epoch = other.epoch
        assert import_people(other, people, "join") == ()
        assert other.epoch == epoch


def test_one_person_can_be_exported_alone(tmp_path: Path) -> None:
    with filled(tmp_path / "a.db") as one:
        assert write_export(one, tmp_path / "x", None, ["Ben"]) == 1
        assert [p.name for p in read_export(tmp_path / "x", None)] == ["Ben"]
        with pytest.raises(GalleryError, match="cannot be made"):
            write_export(one, tmp_path / "x", None)
        with pytest.raises(GalleryError, match="nobody is called"):
            write_export(one, tmp_path / "y", None, ["Zoe"])


def packed(*people: Enrolment) -> bytes:
    return OPEN + msgspec.msgpack.encode(Exported(tuple(people)))


HUGE = b"\xdd\xff\xff\xff\xff"  # a list of four billion, and nothing after it
HOSTILE = {
    "empty": b"",
    "another program's": b"PK\x03\x04" + bytes(100),
    "only a first line": OPEN,
    "cut short": packed(Enrolment("Ada", (template(1),)))[:-5],
    "more behind": packed(Enrolment("Ada", (template(1),))) + b"x",
    "a huge list": OPEN + b"\x81\xa6people" + HUGE,
    "deep nesting": OPEN + b"\x81\xa6people" + b"\x91" * 100_000,
    "another field": OPEN + msgspec.msgpack.encode({"people": [], "run": "me"}),
    "many people": OPEN + b"\x81\xa6people\xdd" + (2_000_000).to_bytes(4, "big") + b"\x80" * 2_000_000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_gets_one_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(GalleryError) as caught:
        read_export(tmp_path / "x", None)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "bad",
    [
        msgspec.structs.replace(template(1), vector=Array.of(unit(1) * 2)),
        msgspec.structs.replace(template(1), vector=Array("float32", (16,), b"123")),
        msgspec.structs.replace(template(1), quality=float("nan")),
        msgspec.structs.replace(template(1), view_degrees=float("inf")),
        msgspec.structs.replace(template(1), model=""),
        template(1, dimension=9),
    ],
    ids=["long", "cut", "nan quality", "view", "model", "dimension"],
)
def test_one_bad_template_keeps_the_whole_file_out(tmp_path: Path, bad) -> None:
    (tmp_path / "x").write_bytes(packed(Enrolment("Zoe", (template(9),)), Enrolment("Ada", (bad,))))
    with Gallery(tmp_path / "b.db") as gallery:
        gallery.enrol("Ben", [template(3)])
        with pytest.raises(GalleryError):
            import_people(gallery, read_export(tmp_path / "x", None), "join")
        assert [p.name for p in gallery.people()] == ["Ben"]
        assert (gallery.epoch, gallery.verify()) == (1, ())


@pytest.mark.parametrize("names", [("Ada\x00", ()), ("", ()), ("Ada", ("x" * 500,)), ("Ada", ("Ben",))])
def test_bad_names_keep_the_whole_file_out(tmp_path: Path, names) -> None:
    (tmp_path / "x").write_bytes(packed(Enrolment(names[0], (template(9),), aliases=names[1])))
    with Gallery(tmp_path / "b.db") as gallery:
        gallery.enrol("Ben", [template(3)])
        with pytest.raises(GalleryError, match=r"name|called"):
            import_people(gallery, read_export(tmp_path / "x", None), "join")
        assert (gallery.epoch, gallery.verify()) == (1, ())


def test_a_sealed_file_needs_its_key(tmp_path: Path) -> None:
    with filled(tmp_path / "a.db") as one:
        write_export(one, tmp_path / "x", KEY)
    data = (tmp_path / "x").read_bytes()
    for key, content, line in [
        (None, data, "wanted the key"),
        (OTHER, data, "another key"),
        (KEY, data[:-1], "another key, or altered"),
        (KEY, SEALED, "another key, or altered"),
    ]:
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(GalleryError, match=line):
            read_export(tmp_path / "x", key)


def test_a_file_that_is_not_there_or_no_file_gets_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(GalleryError, match="cannot be read"):
            read_export(path, None)


def test_a_full_disk_leaves_no_half_an_export(tmp_path: Path) -> None:
    with filled(tmp_path / "a.db") as one:
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            with pytest.raises(GalleryError, match="cannot be written"):
                write_export(one, tmp_path / "x", None)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
    assert not os.path.exists(tmp_path / "x")
