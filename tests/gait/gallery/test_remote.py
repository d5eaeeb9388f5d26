"""The same answers from Qdrant, by its client's in-memory mode, and one clear line where there is none."""

import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gait.gallery.config import GalleryConfig
from gait.gallery.remote import RemoteIndex, index_of
from gait.gallery.search import TemplateIndex
from gait.gallery.store import Gallery
from gait.identify_stage import IdentifyStage
from stream.errors import MessageError, ResourceError
from tests.gait.test_identify_stage import CONFIG, INFO, MAP, events, gallery_at, walk
from tests.strategies_gallery import DIMENSION, MODEL, template, unit

pytest.importorskip("qdrant_client", reason="the extra qdrant is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:Local mode", "ignore:Failed to obtain server version")
MEMORY = "qdrant::memory:"
QUERIES = np.stack([unit(900 + n) for n in range(5)])


@pytest.fixture(params=["plain", "rotated"])
def gallery(request, tmp_path: Path):
    key = bytes(32) if request.param == "rotated" else None
    with Gallery(tmp_path / "g.db", key=key, cancelable=key is not None, index=MEMORY) as opened:
        for n in range(12):
            opened.enrol(f"Person {n}", [template(2 * n), template(2 * n + 1)])
        yield opened


def test_it_answers_as_the_index_in_memory_does_after_every_change(gallery: Gallery) -> None:
    remote = index_of(gallery, MODEL, DIMENSION)
    ours = TemplateIndex(gallery, MODEL, DIMENSION)
    for step in (
        lambda: None,
        lambda: gallery.remove("Person 3"),
        lambda: gallery.merge("Person 4", "Person 5"),
        lambda: gallery.rename("Person 6", "Somebody"),
        lambda: gallery.rekey(bytes(range(32))),
    ):
        step()
        for one, other in zip(ours.search(QUERIES, 6), remote.search(QUERIES, 6), strict=True):
            assert one.people == other.people
            np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert remote.size == ours.size
    view, whole = remote.view(QUERIES), ours.view(QUERIES)
    assert (view.people, view.names, view.size) == (whole.people, whole.names, whole.size)
    assert view.of_anyone(np.eye(len(view.people))).shape == (len(view.people), len(view.people))
    assert gallery.spread(MODEL, 5) < set(view.people)
    np.testing.assert_allclose(view.scores(QUERIES), whole.scores(QUERIES), atol=1e-5)


def test_the_pipeline_takes_it_by_one_line_of_configuration(tmp_path: Path) -> None:
    def told(index: str, folder: Path) -> list:
        gallery_at(folder).close()
        gallery = GalleryConfig(str(folder / "g.db"), index=index).open()
        stage = IdentifyStage(gallery, INFO, MAP, CONFIG)
        found = events(stage, *walk(0, 1))
        stage.close()
        return found

    assert told(MEMORY, tmp_path / "a") == told("", tmp_path / "b")


def test_vectors_that_cannot_be_compared_are_refused(gallery: Gallery) -> None:
    with pytest.raises(MessageError):
        index_of(gallery, MODEL, DIMENSION).search(np.full((1, DIMENSION), np.nan, np.float32), 1)


def test_a_server_that_does_not_answer_gets_one_line(gallery: Gallery) -> None:
    with pytest.raises(ResourceError, match=r"Qdrant at http://127.0.0.1:1") as caught:
        RemoteIndex(gallery, MODEL, DIMENSION, "http://127.0.0.1:1")
    assert "\n" not in str(caught.value)


def test_a_client_that_is_not_installed_gets_one_line(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(ResourceError, match=r"\[qdrant\]"):
        index_of(gallery, MODEL, DIMENSION)


@pytest.mark.parametrize("index", ["faiss", "qdrant:", "http://host:6333"])
def test_an_index_that_is_none_is_refused(index: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="qdrant:ADDRESS"):
        msgspec.convert({"index": index}, GalleryConfig)
