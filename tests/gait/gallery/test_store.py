"""The gallery keeps what it acknowledged, in one transaction and one epoch a change."""

from pathlib import Path

import numpy as np
import pytest

from gait.gallery.reader import GalleryReader
from gait.gallery.records import MAX_TEMPLATES, NewTemplate, TrackRecord
from gait.gallery.store import Gallery
from stream.errors import GalleryError
from stream.messages import Array
from tests.strategies_gallery import MODEL, template, unit

OTHER = "o" * 32


def test_enrolled_people_come_back_after_reopening(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        made = gallery.enrol("Ada", [template(1), template(2)], consent="signed 12 May")
    with GalleryReader(tmp_path / "g.db") as gallery:
        assert gallery.people() == (made,)
        assert made.consent == "signed 12 May"
        vectors = [vector for _, vector in gallery.vectors(MODEL)]
    np.testing.assert_array_equal(vectors, [unit(1), unit(2)])


def test_every_change_is_one_epoch_and_one_audit_row(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1)])
        gallery.enrol("Ben", [template(2)])
        gallery.rename("Ben", "Benjamin")
        gallery.remove("Ada")
        rows = gallery.audit()
        assert [row.action for row in rows] == ["enrol", "enrol", "rename", "remove"]
        assert gallery.epoch == len(rows) == 4
        assert gallery.verify() == ()
        assert not any("Ada" in str(row) or "Ben" in str(row) for row in rows)


def test_more_templates_join_the_same_person(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        first = gallery.enrol("Ada", [template(1)])
        second = gallery.enrol("  Ada ", [template(2)])
        assert first.id == second.id
        assert len(second.templates) == 2


def test_ids_are_never_given_again(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gone = gallery.enrol("Ada", [template(1)])
        gallery.remove("Ada")
        assert gallery.enrol("Ada", [template(1)]).id != gone.id


def test_a_refused_enrolment_changes_nothing(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1)])
        with pytest.raises(GalleryError, match="numbers"):
            gallery.enrol("Ben", [template(2), template(3, dimension=8)])
        assert [person.name for person in gallery.people()] == ["Ada"]
        assert gallery.epoch == 1


@pytest.mark.parametrize(
    "vector",
    [
        np.full(16, np.nan, np.float32),
        np.zeros(16, np.float32),
        np.ones(16, np.float32),
        unit(1).astype(np.float64),
        unit(1).reshape(4, 4),
        np.zeros(0, np.float32),
    ],
    ids=["nan", "zero", "long", "double", "matrix", "empty"],
)
def test_vectors_that_match_nobody_or_everybody_are_refused(tmp_path: Path, vector: np.ndarray) -> None:
    with Gallery(tmp_path / "g.db") as gallery, pytest.raises(GalleryError, match="a template is refused"):
        gallery.enrol("Ada", [NewTemplate(Array.of(vector), MODEL, 50, 0.9)])


def test_a_template_whose_bytes_are_cut_short_is_refused(tmp_path: Path) -> None:
    cut = NewTemplate(Array("float32", (16,), b"1234"), MODEL, 50, 0.9)
    with Gallery(tmp_path / "g.db") as gallery, pytest.raises(GalleryError, match="damaged"):
        gallery.enrol("Ada", [cut])


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 101, "Ada\u202eneB"])
def test_names_that_cannot_be_shown_are_refused(tmp_path: Path, name: str) -> None:
    with Gallery(tmp_path / "g.db") as gallery, pytest.raises(GalleryError, match="name"):
        gallery.enrol(name, [template(1)])


def test_one_person_cannot_fill_the_gallery(tmp_path: Path) -> None:
    many = [template(seed) for seed in range(MAX_TEMPLATES + 1)]
    with Gallery(tmp_path / "g.db") as gallery:
        with pytest.raises(GalleryError, match="more than"):
            gallery.enrol("Ada", many)
        assert gallery.people() == ()


def test_a_name_is_somebody_elses_once(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1)])
        ben = gallery.enrol("Ben", [template(2)])
        with pytest.raises(GalleryError, match="called Ada already"):
            gallery.rename(ben.id, "Ada")
        with pytest.raises(GalleryError, match="nobody is called"):
            gallery.rename("Carl", "Dan")


def test_templates_of_another_model_are_kept_apart(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1)])
        gallery.enrol("Ada", [template(2, OTHER, dimension=32)])
        assert gallery.models() == {MODEL: 1, OTHER: 1}
        assert len(list(gallery.vectors(MODEL))) == 1


def track_record(tracklet: str, expires_ns: int, person: str | None = None) -> TrackRecord:
    return TrackRecord(tracklet, "door", 1, 2, "unknown", person, expires_ns)


def test_a_finished_track_can_be_enrolled_until_it_expires(tmp_path: Path) -> None:
    now = 1_000
    with Gallery(tmp_path / "g.db", clock=lambda: now) as gallery:
        gallery.keep_track(track_record("door/run/1", 2_000), [template(1), template(2)])
        gallery.keep_track(track_record("door/run/2", 3_000), [template(3)])
        assert gallery.epoch == 0
        made = gallery.enrol_track("door/run/1", "Ada")
        assert [t.source for t in made.templates] == ["track:door/run/1"] * 2
        now = 2_500
        assert [t.tracklet for t in gallery.recent_tracks()] == ["door/run/2"]
        with pytest.raises(GalleryError, match="no recent track"):
            gallery.enrol_track("door/run/1", "Ben")
        assert gallery.expire_tracks() == 1


def test_a_track_seen_again_replaces_its_older_self(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        for seed in (1, 2):
            gallery.keep_track(track_record("door/run/1", 2**62), [template(seed)])
        assert gallery.recent_tracks()[0].templates == 1


def test_removal_leaves_no_byte_of_the_template_or_the_name(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        for seed in range(20):
            gallery.enrol(f"Somebody{seed}", [template(seed, dimension=512)])
        ada = gallery.enrol("Ada Lovelace", [template(100, dimension=512)])
        gallery.keep_track(track_record("door/run/1", 2**62, ada.id), [template(101, dimension=512)])
        gallery.keep_track(track_record("door/run/2", 2**62), [template(102, dimension=512)])
        gallery.enrol_track("door/run/2", "Ada Lovelace")
        secrets = [unit(seed, 512).tobytes() for seed in (100, 101, 102)]
        present = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert all(secret[:64] in present for secret in secrets)
        gallery.remove("Ada Lovelace")
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert not any(secret[at : at + 32] in left for secret in secrets for at in range(0, 2048, 32))
        assert b"Lovelace" not in left
        assert len(gallery.people()) == 20


def test_an_expired_track_leaves_no_bytes(tmp_path: Path) -> None:
    now = 1_000
    with Gallery(tmp_path / "g.db", clock=lambda: now) as gallery:
        gallery.keep_track(track_record("door/run/1", 2_000), [template(7, dimension=512)])
        now = 2_000
        gallery.expire_tracks()
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert unit(7, 512).tobytes()[:64] not in left


def test_a_tampered_audit_is_found(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1)])
        gallery.enrol("Ben", [template(2)])
        gallery._db.execute("UPDATE audit SET action = 'rename' WHERE epoch = 1")
        assert gallery.verify() == ("the audit is broken at epoch 1",)
