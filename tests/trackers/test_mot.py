"""MOTChallenge files: what is written is read again; what is broken is named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import GaitwayError
from trackers.mot import MotRow, read_mot, write_mot

hundredths = st.integers(-100_000, 400_000).map(lambda n: n / 100)
sizes = st.integers(1, 100_000).map(lambda n: n / 100)


@given(st.lists(st.tuples(st.integers(1, 9999), st.integers(-1, 500), hundredths, hundredths, sizes, sizes)))
def test_rows_survive_a_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, float, float, float, float]]
) -> None:
    path = tmp_path_factory.mktemp("mot") / "gt.txt"
    written = [MotRow(frame, who, (x, y, x + w, y + h)) for frame, who, x, y, w, h in rows]
    write_mot(path, written)
    read = read_mot(path)
    assert [(row.frame, row.person, row.kind) for row in read] == [
        (row.frame, row.person, 1) for row in written
    ]
    for ours, theirs in zip(read, written, strict=True):
        assert ours.box == pytest.approx(theirs.box, abs=0.011)


def test_a_truth_row_is_class_one_in_the_eighth_column(tmp_path: Path) -> None:
    write_mot(tmp_path / "gt.txt", [MotRow(1, 3, (10.0, 20.0, 30.0, 60.0))])
    assert (tmp_path / "gt.txt").read_text() == "1,3,10.00,20.00,20.00,40.00,1.0000,1,1.000\n"


def test_the_form_of_2015_has_no_class(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("1,1,88,99,61.08,218.56,1,4.4852,5.5016,0\n\n1,2,88,99,61,218\n")
    assert [(row.kind, row.visibility, row.score) for row in read_mot(path)] == [(1, 1.0, 1.0)] * 2


def test_other_classes_and_visibility_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("7,2,1,1,5,5,0,12,0.25\n")
    assert [(row.kind, row.visibility, row.score) for row in read_mot(path)] == [(12, 0.25, 0.0)]


@pytest.mark.parametrize("line", ["1,1,2,3", "a,b,c,d,e,f", "1,1,nan,3,4,5", "0,1,2,3,4,5", "1,1,2,3,4,inf"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "gt.txt"
    path.write_text(f"1,1,2,3,4,5\n{line}\n")
    with pytest.raises(GaitwayError, match=r"gt\.txt:2: not a row"):
        read_mot(path)


def test_a_missing_or_binary_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").write_bytes(bytes(range(256)))
    for name in ("absent.txt", "video.mp4"):
        with pytest.raises(GaitwayError, match="cannot be read"):
            read_mot(tmp_path / name)
