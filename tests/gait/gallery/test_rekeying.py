"""A new key seals everything anew, leaves nothing of the old, and an index over it starts over."""

from pathlib import Path

import numpy as np
import pytest

from gait.gallery.search import TemplateIndex
from gait.gallery.store import Gallery
from stream.errors import GalleryError
from tests.gait.gallery.test_store import track_record
from tests.strategies_gallery import MODEL, template, unit

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def blobs(gallery: Gallery) -> set[bytes]:
    """Everything stored that a key seals."""
    tables = {"people": "card", "templates": "vector", "sequences": "walk", "track_templates": "vector"}
    return {
        row[0]
        for table, column in tables.items()
        for row in gallery._db.execute(f"SELECT {column} FROM {table}")
    }


@pytest.mark.parametrize(
    ("before", "after", "cancelable"),
    [(None, KEY, False), (KEY, OTHER, False), (KEY, None, False), (KEY, KEY, True), (None, KEY, True)],
    ids=["sealing", "another key", "opening", "rotating", "sealing and rotating"],
)
def test_a_new_key_seals_everything_anew(
    tmp_path: Path, before: bytes | None, after: bytes | None, cancelable: bool
) -> None:
    path = tmp_path / "g.db"
    with Gallery(path, key=before) as gallery:
        gallery.enrol(
            "Ada Lovelace", [template(1), template(2, "o" * 32, 32)], "signed", walks=[b"a walk" * 20]
        )
        gallery.alias("Ada Lovelace", "Countess")
        gallery.keep_track(track_record("door/run/1", 2**62), [template(5)])
        index = TemplateIndex(gallery, MODEL, 16)
        people, old = gallery.people(), blobs(gallery)
        gallery.rekey(after, cancelable=cancelable)
        assert gallery.people() == people
        assert gallery.person("Countess").id == people[0].id
        assert index.refresh()
        np.testing.assert_allclose(index.scores(unit(1)[None]), [[1.0]], atol=1e-5)
        assert gallery.verify() == ()
        with pytest.raises(GalleryError, match="nothing to undo"):
            gallery.undo()
        written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        if after is None:
            assert b"Lovelace" in written
        else:
            assert not [blob for blob in old if blob in written]
            assert b"Lovelace" not in written
    with Gallery(path, key=after) as gallery:
        assert gallery.people() == people
        assert gallery.vault.rotates == cancelable
        (track,) = gallery.track_templates("door/run/1")
        np.testing.assert_allclose(track.checked(), unit(5), atol=1e-6)


def test_the_old_key_opens_nothing_any_more(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    with Gallery(path, key=KEY) as gallery:
        gallery.enrol("Ada", [template(1)])
        gallery.rekey(OTHER)
    with pytest.raises(GalleryError, match="another key"):
        Gallery(path, key=KEY)


def test_rotating_without_a_key_changes_nothing(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db", key=KEY) as gallery:
        gallery.enrol("Ada", [template(1)])
        with pytest.raises(GalleryError, match="need a key"):
            gallery.rekey(None, cancelable=True)
        assert (gallery.epoch, gallery.verify()) == (1, ())
