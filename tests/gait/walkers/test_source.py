"""``walkers:`` is a source like any other, and a wrong specification says what is right."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gait.walkers.source import WalkersSource, WalkersSpec, open_walkers
from stream.errors import ConfigError
from stream.sources.base import Source, SourceOptions

SMALL = "walkers:seed=3,people=2,seconds=0.4,size=160x120,fps=20"


def test_a_specification_is_read_in_any_order_with_defaults() -> None:
    assert WalkersSpec.parse("walkers:") == WalkersSpec()
    assert WalkersSpec.parse("fps=12.5, seed=3") == WalkersSpec(seed=3, fps=12.5)
    assert WalkersSpec.parse("walkers:size=640x480,people=6") == WalkersSpec(people=6, size=(640, 480))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("walkers:sed=3", "unknown key 'sed'; wanted one of seed, people, seconds, size, fps"),
        ("walkers:seed", "'seed' is given no value"),
        ("walkers:seed=1,seed=2", "'seed' is given twice"),
        ("walkers:seed=x", "seed='x' is no number"),
        ("walkers:seed=-1", "seed=-1 is out of range"),
        ("walkers:people=2.5", "people='2.5' is no number; wanted a whole number from 1 to 24"),
        ("walkers:people=0", "people=0 is out of range"),
        ("walkers:seconds=nan", "seconds=nan is out of range"),
        ("walkers:fps=inf", "fps=inf is out of range"),
        ("walkers:seconds=", "seconds='' is no number"),
        ("walkers:size=1280", "size='1280' is no size"),
        ("walkers:size=1281x720", "size=1281x720 is out of range or odd"),
        ("walkers:size=99999x720", "size=99999x720 is out of range or odd"),
        ("walkers:size=²x³", "is no size"),
        ("walkers:live=2", "live=2 is out of range"),
        ("walkers:conditions=coat+cape", "conditions=coat+cape has no 'cape'; wanted one of normal, layers"),
        ("walkers:viewpoint=low", "viewpoint=low has no 'low'; wanted one of level, high, any"),
        ("walkers:population=martian", "wanted one of plain, street"),
        ("walkers:camera=", "camera= has no ''; wanted one of clean, street, dim, old, moving, any"),
    ],
)
def test_a_wrong_specification_names_the_key_and_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        WalkersSpec.parse(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_conditions_population_and_camera_are_words() -> None:
    spec = WalkersSpec.parse("walkers:conditions=coat+bag,population=street,camera=old")
    assert (spec.conditions, spec.population, spec.camera) == ("coat+bag", "street", "old")
    scene = spec.scene()
    assert all(walker.person.conditions.coat > 0 for walker in scene.walkers)
    assert {walker.visit for walker in scene.walkers} > {0}
    plain = WalkersSpec.parse("walkers:").scene()
    assert all(walker.visit is None and not walker.person.conditions.changed() for walker in plain.walkers)


def test_any_camera_differs_with_the_seed() -> None:
    qualities = {WalkersSpec.parse(f"walkers:camera=any,seed={seed}").scene().quality for seed in range(5)}
    assert len(qualities) == 5


@given(st.text(max_size=40))
def test_no_text_gets_past_the_one_error(text: str) -> None:
    try:
        spec = WalkersSpec.parse(text)
    except ConfigError:
        return
    assert spec.people >= 1


def test_a_recorded_source_has_the_files_clock_and_the_same_pixels_twice() -> None:
    source: Source = open_walkers(SMALL, "hall", SourceOptions(epoch_ns=1_000))
    pictures = list(source.frames())
    assert (source.camera, source.live, source.width, source.height) == ("hall", False, 160, 120)
    assert source.expected_frames == len(pictures) == 8
    assert [picture.captured_ns for picture in pictures] == [1_000 + n * 50_000_000 for n in range(8)]
    assert [picture.number for picture in pictures] == list(range(8))
    again = WalkersSource(SMALL)
    assert again.run == source.run
    assert WalkersSource(SMALL.replace("seed=3", "seed=4")).run != source.run
    assert all(np.array_equal(a.image, b.image) for a, b in zip(pictures, again.frames(), strict=True))
    assert source.problem is None


def test_a_live_source_has_the_wall_clock_and_ends_when_closed() -> None:
    source = WalkersSource("walkers:people=1,seconds=3600,size=160x120,fps=50,live=1")
    assert source.live
    times = []
    closer = threading.Event()

    def close() -> None:
        closer.wait(10)
        source.close()

    thread = threading.Thread(target=close)
    thread.start()
    for picture in source.frames():
        times.append(picture.captured_ns)
        if len(times) == 3:
            closer.set()
    thread.join()
    source.close()
    assert times == sorted(set(times))
    assert times[0] > 1_600_000_000 * 10**9
    assert len(times) < 3600 * 50
