"""What is stored tells nothing without the key, opens nowhere else, and rotated vectors answer alike."""

import os
import sqlite3
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from gait.gallery.keys import make_key, read_key
from gait.gallery.reader import GalleryReader
from gait.gallery.store import Gallery
from gait.gallery.transform import rotation
from gait.gallery.vault import Vault, vault_for
from stream.errors import ConfigError, GalleryError, ResourceError
from tests.strategies_gallery import MODEL, template, unit

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def test_what_was_sealed_opens_only_in_its_place() -> None:
    vault = Vault.fresh(KEY, cancelable=False)
    blob = vault.seal(b"secret", "card:p1")
    assert vault.open(blob, "card:p1") == b"secret"
    assert blob != vault.seal(b"secret", "card:p1")
    altered = bytes([blob[0] ^ 1]) + blob[1:]
    for wrong, about in ((blob, "card:p2"), (altered, "card:p1"), (b"", "card:p1"), (blob[:20], "card:p1")):
        with pytest.raises(GalleryError, match="sealed card cannot be opened"):
            vault.open(wrong, about)


def test_an_encrypted_gallery_holds_nothing_readable(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db", key=KEY) as gallery:
        gallery.enrol(
            "Ada Lovelace", [template(1, dimension=512)], consent="signed in May", walks=[b"her walk" * 9]
        )
        gallery.annotate("Ada Lovelace", "the countess")
        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        secrets = (
            b"Lovelace",
            b"signed in May",
            b"countess",
            b"clip-1",
            b"her walk",
            unit(1, 512).tobytes()[:32],
        )
        assert not [secret for secret in secrets if secret in written]
    with GalleryReader(tmp_path / "g.db", key=KEY) as gallery:
        ((_, vector),) = gallery.vectors(MODEL)
        np.testing.assert_array_equal(vector, unit(1, 512))
        assert gallery.person("Ada Lovelace").consent == "signed in May"
        assert gallery.verify() == ()


@pytest.mark.parametrize(
    ("made", "opened", "line"),
    [
        (KEY, None, "is encrypted; wanted its key"),
        (KEY, OTHER, "another key sealed it"),
        (None, KEY, "is not encrypted, but a key is named"),
    ],
)
def test_a_wrong_key_gets_one_line_and_changes_nothing(tmp_path: Path, made, opened, line: str) -> None:
    path = tmp_path / "g.db"
    with Gallery(path, key=made) as gallery:
        gallery.enrol("Ada", [template(1)])
    before = path.read_bytes()
    for door in (Gallery, GalleryReader):
        with pytest.raises(GalleryError, match=line) as caught:
            door(path, key=opened)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    Gallery(path, key=made).close()


def test_a_row_passed_off_as_somebody_elses_is_found(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db", key=KEY) as gallery:
        ada = gallery.enrol("Ada", [template(1)])
        ben = gallery.enrol("Ben", [template(2)])
        gallery._db.execute("UPDATE templates SET person = ? WHERE person = ?", (ben.id, ada.id))
        assert "template 1: a sealed template cannot be opened" in gallery.verify()


@pytest.mark.parametrize("dimension", [1, 16, 33, 512])
def test_a_rotation_is_orthogonal_and_its_own_for_every_key(dimension: int) -> None:
    one = rotation(KEY, dimension)
    np.testing.assert_allclose(one @ one.T, np.eye(dimension), atol=1e-5)
    np.testing.assert_array_equal(one, rotation(KEY, dimension))
    if dimension > 1:
        assert np.abs(one - rotation(OTHER, dimension)).max() > 0.05


def test_rotated_templates_score_the_same_and_look_like_nothing(tmp_path: Path) -> None:
    people = np.stack([unit(seed, 512) for seed in range(50)])
    vault = Vault.fresh(KEY, cancelable=True)
    turned = vault.turned(people)
    np.testing.assert_allclose(turned @ turned.T, people @ people.T, atol=2e-6)
    np.testing.assert_allclose(vault.straight(turned), people, atol=2e-6)
    other = Vault.fresh(KEY, cancelable=True).turned(people)
    leaked = (turned * other).sum(axis=1)  # the same person under two salts: a stranger's score
    assert np.abs(leaked).max() < 0.25
    with Gallery(tmp_path / "g.db", key=KEY, cancelable=True) as gallery:
        gallery.enrol("Ada", [template(1, dimension=512)])
    with GalleryReader(tmp_path / "g.db", key=KEY) as reader:
        assert reader.vault.rotates
        ((_, vector),) = reader.vectors(MODEL)
        np.testing.assert_allclose(vector, unit(1, 512), atol=1e-6)
        ((_, stored),) = reader.stored_vectors(MODEL)
        assert abs(float(np.frombuffer(stored, "<f4") @ unit(1, 512))) < 0.3


def test_cancelable_templates_need_a_key(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="need a key"):
        Gallery(tmp_path / "g.db", cancelable=True)
    assert not (tmp_path / "g.db").exists()


def test_a_key_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_key("") is None
    source = f"file:{tmp_path / 'sub' / 'key'}"
    make_key(source)
    key = read_key(source)
    assert key is not None
    assert len(key) == 32
    assert os.stat(tmp_path / "sub" / "key").st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="never overwritten"):
        make_key(source)
    monkeypatch.setenv("GAITWAY_KEY", key.hex())
    assert read_key("env:GAITWAY_KEY") == key


def test_a_key_comes_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[tuple[str, str], str] = {}
    fake = types.SimpleNamespace(
        get_password=lambda service, user: held.get((service, user)),
        set_password=lambda service, user, text: held.update({(service, user): text}),
    )
    monkeypatch.setitem(sys.modules, "keyring", fake)
    with pytest.raises(ConfigError, match="holds none"):
        read_key("keyring:hall")
    make_key("keyring:hall")
    assert read_key("keyring:hall") == bytes.fromhex(held["gaitway", "hall"])
    with pytest.raises(ConfigError, match="already"):
        make_key("keyring:hall")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ResourceError, match="keyring"):
        read_key("keyring:hall")


def test_what_is_no_key_gets_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readable = tmp_path / "readable"
    readable.write_text(KEY.hex())
    readable.chmod(0o644)
    short = tmp_path / "short"
    short.write_text("abcd")
    short.chmod(0o600)
    monkeypatch.delenv("GAITWAY_NONE", raising=False)
    for source, line in [
        ("secret", "names no key"),
        ("file:", "names no key"),
        (f"file:{tmp_path / 'nowhere'}", "cannot be read"),
        (f"file:{readable}", "others may read it"),
        (f"file:{short}", "is no key"),
        ("env:GAITWAY_NONE", "not set"),
    ]:
        with pytest.raises(ConfigError, match=line) as caught:
            read_key(source)
        assert "abcd" not in str(caught.value)
    with pytest.raises(ConfigError, match="openssl rand"):
        make_key("env:GAITWAY_NONE")


def test_names_are_looked_up_by_digests_of_their_gallery() -> None:
    one, other = Vault.fresh(KEY, cancelable=False), Vault.fresh(KEY, cancelable=False)
    assert one.digest("Ada") != other.digest("Ada")
    assert vault_for(one.locks(), KEY, "g").digest("Ada") == one.digest("Ada")


def test_another_programs_rows_do_not_pass_for_cards(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1)])
    with sqlite3.connect(tmp_path / "g.db") as db:
        db.execute("UPDATE people SET card = X'00'")
    db.close()
    with GalleryReader(tmp_path / "g.db") as reader, pytest.raises(GalleryError, match="card is damaged"):
        reader.people()
