"""The index finds exactly whom the gallery holds, after any change, and keeps nobody who was removed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gait.gallery import search
from gait.gallery.matrix import TemplateMatrix
from gait.gallery.reader import GalleryReader
from gait.gallery.records import Enrolment
from gait.gallery.search import TemplateIndex, check_model
from gait.gallery.store import Gallery
from stream.errors import GalleryError, MessageError
from tests.strategies_gallery import DIMENSION, MODEL, template, unit

KEY = bytes(range(32))
OTHER = "o" * 32


@pytest.fixture(params=["plain", "sealed", "rotated"])
def gallery(request, tmp_path: Path):
    key = None if request.param == "plain" else KEY
    with Gallery(tmp_path / "g.db", key=key, cancelable=request.param == "rotated") as opened:
        yield opened


def index_of(gallery: GalleryReader) -> TemplateIndex:
    return TemplateIndex(gallery, MODEL, DIMENSION)


def crowd(gallery: Gallery, people: int) -> None:
    gallery.enrol_many(
        [Enrolment(f"Person {n}", (template(3 * n), template(3 * n + 1))) for n in range(people)]
    )


def same(one: TemplateIndex, other: TemplateIndex) -> None:
    queries = np.stack([unit(seed) for seed in range(500, 520)])
    assert one.people == other.people
    assert one.epoch == other.epoch
    np.testing.assert_allclose(one.scores(queries), other.scores(queries), atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 20])
@pytest.mark.parametrize("people", [1, 5, 300])
def test_a_search_finds_what_comparing_with_everybody_finds(
    gallery: Gallery, people: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BLOCK", 64)
    crowd(gallery, people)
    index = index_of(gallery)
    queries = np.stack([unit(900 + n) for n in range(batch)])
    vectors = np.stack([vector for _, vector in gallery.vectors(MODEL)])
    owners = [row.person for row, _ in gallery.vectors(MODEL)]
    for query, found in zip(queries, index.search(queries, 7), strict=True):
        order = np.argsort(-(vectors @ query))[:7]
        assert found.people == tuple(dict.fromkeys(owners[row] for row in order))
        assert found.scores[0] == pytest.approx(float((vectors @ query).max()), abs=1e-5)


def test_a_view_of_a_small_gallery_is_everybody(gallery: Gallery) -> None:
    crowd(gallery, 5)
    index = index_of(gallery)
    queries = np.stack([unit(900 + n) for n in range(3)])
    view = index.view(queries)
    assert (view.people, view.size, view.epoch) == (index.people, 5, 1)
    assert view.names == tuple(f"Person {n}" for n in range(5))
    np.testing.assert_allclose(view.scores(queries), index.scores(queries), atol=1e-5)
    assert index.view(queries) is view


def test_a_view_of_a_large_gallery_is_who_comes_into_question(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "WHOLE", 100)
    monkeypatch.setattr(search, "NEAREST", 20)
    monkeypatch.setattr(search, "SPREAD", 10)
    crowd(gallery, 200)
    index = index_of(gallery)
    queries = np.stack([unit(900 + n) for n in range(3)])
    everybody = index.scores(queries)
    worst = index.people[int(everybody.max(axis=0).argmin())]
    view = index.view(queries, keep=[worst, "p999999"])
    assert (view.size, len(view.people) <= 71) == (200, True)
    assert view.anyone is not None
    assert len(view.anyone) == 10
    again = index.view(-queries)  # whoever is looked up, the same are there to compare with
    assert {view.people[n] for n in view.anyone} == {again.people[n] for n in again.anyone}
    assert worst in view.people
    assert {index.people[best] for best in everybody.argmax(axis=1)} <= set(view.people)
    where = [index.people.index(person) for person in view.people]
    np.testing.assert_allclose(view.scores(queries), everybody[:, where], atol=1e-5)


def test_an_index_follows_every_change_as_if_read_anew(gallery: Gallery) -> None:
    crowd(gallery, 6)
    index = index_of(gallery)
    assert not index.refresh()
    steps = [
        lambda: gallery.enrol("Zoe", [template(70)]),
        lambda: gallery.enrol("Person 1", [template(71)]),
        lambda: gallery.remove("Person 0"),
        lambda: gallery.merge("Person 2", "Person 3"),
        gallery.undo,
        lambda: gallery.rename("Person 4", "Somebody"),
        lambda: gallery.split("Person 5", [gallery.person("Person 5").templates[0].id], "Half"),
        lambda: gallery.drop("Person 1", [gallery.person("Person 1").templates[0].id]),
    ]
    for step in steps:
        step()
        assert index.refresh()
        same(index, index_of(gallery))
    assert index.name(gallery.person("Somebody").id) == "Somebody"


def test_a_reader_in_another_process_follows_too(gallery: Gallery) -> None:
    crowd(gallery, 3)
    key = KEY if gallery.vault.encrypted else None
    with GalleryReader(gallery.path, key=key) as reader:
        index = index_of(reader)
        (found,) = index.search(unit(0)[None], 1)
        assert index.name(found.people[0]) == "Person 0"
        gallery.remove("Person 0")
        (found,) = index.search(unit(0)[None], 1)
        assert index.name(found.people[0]) != "Person 0"


def test_a_removed_vector_is_gone_from_memory(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        crowd(gallery, 40)
        index = index_of(gallery)
        gallery.remove("Person 7")
        index.refresh()
        assert unit(21)[:4].tobytes() not in index._matrix._data.tobytes()
        assert unit(24)[:4].tobytes() in index._matrix._data.tobytes()


def test_an_empty_gallery_finds_nobody(gallery: Gallery) -> None:
    index = index_of(gallery)
    assert index.search(np.stack([unit(1), unit(2)]), 3)[1].people == ()
    assert index.scores(unit(1)[None]).shape == (1, 0)
    assert index.view(unit(1)[None]).people == ()


@pytest.mark.parametrize(
    "wrong", [np.zeros((1, 3), np.float32), unit(1), np.full((1, DIMENSION), np.nan, np.float32)]
)
def test_vectors_that_cannot_be_compared_are_refused(gallery: Gallery, wrong: np.ndarray) -> None:
    with pytest.raises(MessageError, match=r"looked up|NaN"):
        index_of(gallery).search(wrong, 1)


def test_templates_of_another_model_are_never_compared(gallery: Gallery) -> None:
    gallery.enrol("Ada", [template(1), template(1, OTHER)])
    gallery.enrol("Ben", [template(2, OTHER)])
    assert len(index_of(gallery)) == 1
    assert len(index_of(gallery).people) == 1
    check_model(gallery, MODEL)
    gallery.remove("Ada")
    with pytest.raises(GalleryError, match="re-embed"):
        check_model(gallery, MODEL)


def test_a_template_of_another_length_than_its_model_is_refused(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enrol("Ada", [template(1, dimension=8)])
        with pytest.raises(GalleryError, match="8 numbers; wanted 16"):
            index_of(gallery)


OWNED = st.lists(st.sampled_from("abcdef"), max_size=30)


@settings(max_examples=60, deadline=None)
@given(owners=OWNED, gone=st.sets(st.sampled_from("abcdef")), back=OWNED)
def test_a_matrix_keeps_every_row_with_its_owner(owners: list[str], gone: set[str], back: list[str]) -> None:
    matrix = TemplateMatrix(2)
    rows = np.arange(2 * len(owners), dtype="<f4").reshape(-1, 2) + 1
    more = np.arange(2 * len(back), dtype="<f4").reshape(-1, 2) + 1000
    matrix.append(owners, rows.tobytes())
    matrix.remove(gone)
    matrix.append(back, more.tobytes())
    wanted = [(o, *row) for o, row in zip(owners, rows.tolist(), strict=True) if o not in gone]
    wanted += [(o, *row) for o, row in zip(back, more.tolist(), strict=True)]
    held = [(o, *row) for o, row in zip(matrix.owners, matrix.vectors.tolist(), strict=True)]
    assert sorted(held) == sorted(wanted)
    assert not matrix._data[len(matrix) :].any()
    assert matrix.people == tuple(sorted({o for o, *_ in wanted}))


def test_many_changes_at_once_are_read_anew(tmp_path: Path) -> None:
    with Gallery(tmp_path / "g.db") as gallery:
        index = index_of(gallery)
        crowd(gallery, 2_100)
        assert index.refresh()
        same(index, index_of(gallery))
        assert index.search(unit(0)[None], 1)[0].people == ("p000001",)
