"""Bad files get one line and stay as they are; a killed writer leaves a sound gallery; one writer at a time."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gait.gallery.lock import holder_of
from gait.gallery.reader import GalleryReader
from gait.gallery.schema import SCHEMA_VERSION
from gait.gallery.store import Gallery
from stream.errors import GalleryError
from tests.strategies_gallery import template

ROOT = Path(__file__).parents[3]


def made(path: Path, people: int = 30) -> Path:
    with Gallery(path) as gallery:
        for seed in range(people):
            gallery.enrol(f"Person {seed}", [template(seed, dimension=512)])
    return path


def refused(path: Path, match: str) -> None:
    """Both doors refuse with one line, and the file keeps its bytes."""
    before = path.read_bytes()
    for door in (Gallery, GalleryReader):
        with pytest.raises(GalleryError, match=match) as caught:
            door(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert holder_of(path) is None


def test_a_text_file_is_no_gallery(tmp_path: Path) -> None:
    (tmp_path / "g.db").write_text("name,vector\n" * 500)
    refused(tmp_path / "g.db", "damaged")


def test_another_programs_database_is_no_gallery(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "g.db") as db:
        db.execute("CREATE TABLE people (id)")
    db.close()
    refused(tmp_path / "g.db", "not a Gaitway gallery")


def test_another_releases_gallery_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "g.db", 1)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    refused(path, f"schema version {SCHEMA_VERSION + 1}; wanted version {SCHEMA_VERSION}")


def test_a_truncated_gallery_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "g.db")
    os.truncate(path, path.stat().st_size // 2)
    refused(path, "damaged")


def test_a_gallery_with_scribbled_pages_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "g.db")
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 4096):
        data[at : at + 64] = random.Random(at).randbytes(64)
    path.write_bytes(data)
    refused(path, "damaged")


def test_a_truncated_log_loses_no_more_than_its_last_change(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    with Gallery(path) as gallery:
        for seed in range(5):
            gallery.enrol(f"Person {seed}", [template(seed)])
        log = tmp_path / "g.db-wal"
        copies = {name: (tmp_path / name).read_bytes() for name in ("g.db", "g.db-wal")}
        assert log.stat().st_size > 0
    other = tmp_path / "copy"
    other.mkdir()
    (other / "g.db").write_bytes(copies["g.db"])
    (other / "g.db-wal").write_bytes(copies["g.db-wal"][:-100])
    with Gallery(other / "g.db") as gallery:
        assert gallery.verify() == ()
        assert len(gallery.people()) == 4


def test_a_missing_gallery_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no such gallery"):
        GalleryReader(tmp_path / "g.db")


def test_a_folder_is_no_gallery(tmp_path: Path) -> None:
    (tmp_path / "g.db").mkdir()
    with pytest.raises(GalleryError, match="cannot be opened"):
        Gallery(tmp_path / "g.db")


def test_a_gallery_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GalleryError, match="cannot be used"):
        Gallery(tmp_path / "file" / "g.db")


def test_a_second_writer_learns_where_to_ask(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    with Gallery(path, endpoint="ipc:///run/gaitway/identify"):
        holder = holder_of(path)
        assert holder is not None
        assert (holder.pid, holder.endpoint) == (os.getpid(), "ipc:///run/gaitway/identify")
        with pytest.raises(GalleryError, match="control socket ipc:///run/gaitway/identify"):
            Gallery(path)
        with GalleryReader(path) as reader:
            assert reader.epoch == 0
    assert holder_of(path) is None
    Gallery(path).close()


def test_asking_who_writes_keeps_no_writer_out(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    Gallery(path).close()
    over = threading.Event()
    asker = threading.Thread(target=lambda: [holder_of(path) for _ in iter(over.is_set, True)])
    asker.start()
    try:
        for _ in range(30):
            Gallery(path).close()
    finally:
        over.set()
        asker.join()


def test_readers_see_a_change_as_soon_as_it_is_made(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery, GalleryReader(tmp_path / "g.db") as reader:
        gallery.enrol("Ada", [template(1)])
        assert (reader.epoch, len(reader.people())) == (1, 1)
        gallery.remove("Ada")
        assert (reader.epoch, reader.people()) == (2, ())


WRITER = """
import sys
import threading
from pathlib import Path
from gait.gallery.store import Gallery
from tests.strategies_gallery import template
with Gallery(Path(sys.argv[1])) as gallery:
    first = gallery.epoch
    print("open", first, flush=True)
    for n in range(first, first + 10_000):
        if n % 5 == 4:
            gallery.remove(gallery.people()[0].id)
        else:
            gallery.enrol(f"Person {n}", [template(n, dimension=512), template(n + 1, dimension=512)])
        print(gallery.epoch, flush=True)
"""


def test_kill_9_while_changing_loses_no_acknowledged_change(tmp_path: Path) -> None:
    path, draw = tmp_path / "g.db", random.Random(7)
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            wanted = draw.randrange(1, 25)
            lines = [writer.stdout.readline() for _ in range(wanted + 1)]
            writer.send_signal(signal.SIGKILL)
            acknowledged = int([*lines, *writer.stdout.readlines()][-1].split()[-1])
        assert holder_of(path) is None
        with GalleryReader(path) as gallery:
            assert gallery.epoch in (acknowledged, acknowledged + 1)
            assert gallery.verify() == ()
            assert all(len(person.templates) == 2 for person in gallery.people())
            enrolled = sum(row.action == "enrol" for row in gallery.audit())
            assert len(gallery.people()) == enrolled - sum(row.action == "remove" for row in gallery.audit())


def test_a_full_disk_refuses_the_change_and_keeps_what_was_there(tmp_path: Path) -> None:
    with Gallery(made(tmp_path / "g.db", 5)) as gallery:
        pages = gallery._db.execute("PRAGMA page_count").fetchone()[0]
        gallery._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(GalleryError, match="the disk is full") as caught:
            gallery.enrol("Too much", [template(seed, dimension=512) for seed in range(60)])
        assert "\n" not in str(caught.value)
        assert [person.name for person in gallery.people()] == [f"Person {n}" for n in range(5)]
        assert (gallery.epoch, gallery.verify()) == (5, ())
        gallery._db.execute("PRAGMA max_page_count = 4294967294")
        gallery.enrol("Fits now", [template(9, dimension=512)])


def test_a_gallery_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    path = made(tmp_path / "g.db", 2)
    with GalleryReader(path) as gallery:
        assert len(gallery.people()) == 2
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            gallery._db.execute("DELETE FROM people")
