"""A preparation killed outright, at many moments, ends with the same bytes when it is started again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gait.data.kinds import preparation_of
from gait.data.prepare import prepare
from gait.data.source import make_walk
from gait.data.store import DataSet, DataSetWriter, Entry
from tests.gait.data.foreign import put_pictures
from tests.gait.data.walks import same

ROOT = Path(__file__).parents[3]

# Kills itself at the named line of the writer, the n-th time it comes there.
KILLER = """
import os, signal, sys
from pathlib import Path
from gait.data import writer
from gait.data.kinds import preparation_of
from gait.data.prepare import prepare

source, folder, where, left = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
real = getattr(writer.DataSetWriter, where, None) or getattr(writer, where)

def kills(*arguments, **named):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)

owner = writer.DataSetWriter if hasattr(writer.DataSetWriter, where) else writer
setattr(owner, where, kills)
prepare("casia-b", preparation_of("casia-b", Path(source)), Path(folder), workers=1)
"""


@pytest.mark.parametrize(
    ("where", "times"), [("_write", 1), ("_write", 3), ("_opened", 4), ("write_atomically", 1)]
)
def test_killed_and_started_again(tmp_path: Path, where: str, times: int) -> None:
    for person in range(1, 6):
        put_pictures(tmp_path / f"in/{person:03}/nm-01/090", person)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    preparation = preparation_of("casia-b", tmp_path / "in")
    prepare("casia-b", preparation, whole)
    command = [sys.executable, "-c", KILLER, str(tmp_path / "in"), str(killed), where, str(times)]
    ended = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    prepare("casia-b", preparation, killed)
    assert {p.name: p.read_bytes() for p in killed.iterdir() if not p.name.endswith(".part")} == {
        p.name: p.read_bytes() for p in whole.iterdir()
    }


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))),
    st.booleans(),
    st.data(),
)
def test_any_silhouettes_come_back_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, images: np.ndarray, binary: bool, data: st.DataObject
) -> None:
    if binary:
        images = (images > 127).astype(np.uint8) * 255
    folder = tmp_path_factory.mktemp("any")
    with DataSetWriter(folder) as writer:
        writer.add(Entry("a", "b", "c", len(images)), make_walk(images))
        writer.finish()
    stored = DataSet.open(folder)
    assert same(stored.read(stored.entries[0]), make_walk(images))
    chosen = data.draw(st.lists(st.integers(0, len(images) - 1), max_size=6))
    taken = stored.read(stored.entries[0], np.array(chosen, np.int64))
    assert np.array_equal(taken.silhouettes, images[chosen])
