"""Kept walks become another model's templates, and only what is a walk is taken for one."""

import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gait.baseline import BaselineConfig, BaselineEmbedder
from gait.gallery.sequences import MAX_WALK_BYTES, pack_walk, re_embed, unpack_walk, walk_templates
from gait.gallery.store import Gallery
from gait.sample import sample_walk
from stream.errors import GalleryError
from stream.messages import Array, Sample
from tests.strategies_gallery import START_NS, template, tracklet

STEP_NS = 40_000_000


def walk(seed: int, frames: int = 150) -> tuple[Sample, ...]:
    drawn = sample_walk(seed, frames)
    return tuple(
        Sample(
            tracklet(seed),
            START_NS + at * STEP_NS,
            Array.of(drawn.silhouettes[at]),
            Array.of(drawn.joints_2d[at]),
            Array.of(drawn.joints_3d[at]),
            True,
            1.0,
        )
        for at in range(frames)
    )


def test_a_walk_is_kept_whole_and_small() -> None:
    samples = walk(1)
    packed = pack_walk(samples)
    assert unpack_walk(packed) == samples
    assert len(packed) < len(msgspec.msgpack.encode(samples)) / 3


def test_another_model_makes_its_own_templates_of_kept_walks(tmp_path: Path) -> None:
    new, old = BaselineEmbedder(BaselineConfig(memory_samples=200)), BaselineEmbedder()
    with Gallery(tmp_path / "g.db", key=bytes(32)) as gallery:
        for seed, name in ((1, "Ada"), (2, "Ben")):
            templates = walk_templates(walk(seed), old, f"{name}.mp4", 4)
            gallery.enrol(name, templates, "signed", walks=[pack_walk(walk(seed))])
        gallery.enrol("Carl", [template(3)])
        done = re_embed(gallery, new)
        assert (done.people, done.without) == (("Ada", "Ben"), ("Carl",))
        assert gallery.models()[new.model.digest] == done.templates > 2
        vectors = {row.person: vector for row, vector in gallery.vectors(new.model.digest)}
        (fresh,) = walk_templates(walk(1), new, "again", 1)
        scores = {person: float(vector @ fresh.checked()) for person, vector in vectors.items()}
        assert max(scores, key=scores.__getitem__) == gallery.person("Ada").id
        assert gallery.person("Ada").templates[-1].source == "Ada.mp4"
        assert re_embed(gallery, new).people == ()
        assert gallery.undo() == "re-embed"
        assert new.model.digest not in gallery.models()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not compressed",
        pack_walk(walk(1, 3))[:-4],
        zlib.compress(b"\x90"),
        zlib.compress(bytes(MAX_WALK_BYTES + 1)),
        zlib.compress(msgspec.msgpack.encode([{"x": 1}])),
    ],
    ids=["nothing", "other", "cut", "empty", "bomb", "no samples"],
)
def test_what_is_no_walk_gets_one_line(data: bytes) -> None:
    with pytest.raises(GalleryError, match="stored walk"):
        unpack_walk(data)


def test_a_walk_that_shows_nothing_gives_no_template() -> None:
    blank = [msgspec.structs.replace(sample, valid=False) for sample in walk(1, 30)]
    assert walk_templates(blank, BaselineEmbedder(), "blank", 4) == ()
    assert np.isfinite(unpack_walk(pack_walk(blank))[0].joints_2d.numpy()).all()
