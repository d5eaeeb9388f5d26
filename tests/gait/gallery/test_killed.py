"""Kill -9 at any moment of any change: what was acknowledged is there, nobody is half there, all is sound."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gait.gallery.lock import holder_of
from gait.gallery.reader import GalleryReader
from tests.strategies_gallery import MODEL

ROOT = Path(__file__).parents[3]
KEYS = {"plain": None, "sealed": bytes(range(32))}
WRITER = """
import random, sys
from pathlib import Path
from gait.gallery.store import Gallery
from tests.strategies_gallery import template
path, seed, key = Path(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3]) or None
draw = random.Random(seed)
with Gallery(path, key=key) as gallery:
    print("open", gallery.epoch, len(gallery.people()), flush=True)
    for number in range(10_000):
        people, step = gallery.people(), draw.random()
        if step < 0.45 or len(people) < 3:
            name = f"Person {seed} {number}"
            gallery.enrol(name, [template(number), template(number + 1)], "signed", walks=[b"walk" * 50])
        elif step < 0.6:
            gallery.remove(draw.choice(people).id)
        elif step < 0.75:
            one, other = draw.sample(people, 2)
            if len(one.templates) + len(other.templates) <= 60:
                gallery.merge(one.id, other.id)
        elif step < 0.85:
            gallery.rename(draw.choice(people).id, f"Renamed {seed} {number}")
        elif step < 0.95:
            try:
                gallery.undo()
            except Exception as error:
                if "undo" not in str(error) and "called" not in str(error):
                    raise
        else:
            gallery.rekey(key)
        print(gallery.epoch, len(gallery.people()), flush=True)
"""


def killed(path: Path, seed: int, key: bytes | None) -> tuple[int, int]:
    """Let a writer change the gallery until a random moment; what it acknowledged last: epoch and people."""
    draw = random.Random(seed)
    arguments = [sys.executable, "-c", WRITER, str(path), str(seed), (key or b"").hex()]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(1 + draw.randrange(12))]
        assert lines[-1], "the writer ended by itself"
        for _ in range(draw.randrange(20_000)):  # so that the kill falls anywhere in the next change
            pass
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    whole = [line for line in lines if line.endswith("\n")] or lines
    epoch, people = whole[-1].split()[-2:]
    return int(epoch), int(people)


def check(path: Path, acknowledged: tuple[int, int], key: bytes | None) -> None:
    assert holder_of(path) is None
    with GalleryReader(path, key=key) as gallery:
        epoch, people = acknowledged
        assert gallery.epoch in (epoch, epoch + 1)
        if gallery.epoch == epoch:
            assert len(gallery.people()) == people
        assert gallery.verify() == ()
        for person in gallery.people():
            assert len(person.templates) % 2 == 0
            assert person.sequences == len(person.templates) // 2
        assert len(list(gallery.vectors(MODEL))) == sum(len(p.templates) for p in gallery.people())


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_killed_writer_leaves_a_sound_gallery(tmp_path: Path, key: bytes | None) -> None:
    for seed in range(3):
        check(tmp_path / "g.db", killed(tmp_path / "g.db", seed, key), key)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_two_hundred_kills_lose_nothing(tmp_path: Path, key: bytes | None) -> None:
    for seed in range(100):
        check(tmp_path / "g.db", killed(tmp_path / "g.db", 1000 + seed, key), key)
