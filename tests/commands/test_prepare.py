"""The verb: options that belong together, what it says of what it dropped, and the layouts it writes."""

import argparse
import json
from pathlib import Path

import pytest

from commands import prepare
from gait.data.errors import DataError
from gait.data.store import DataSet
from stream.errors import GaitwayError
from tests.gait.data.foreign import put, put_pictures


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    prepare.configure(parser)
    return prepare.run(parser.parse_args([*arguments]))


def casia(root: Path) -> Path:
    for person in ("001", "075"):
        for condition in ("nm-01", "nm-05"):
            put_pictures(root / person / condition / "090", int(person))
    return root


def test_pictures_become_a_data_set_and_sheets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = casia(tmp_path / "in")
    (root / "001/nm-01/090/001.png").write_bytes(b"damaged")
    assert run("casia-b", str(root), str(tmp_path / "out"), "--sheets") == 0
    assert len(DataSet.open(tmp_path / "out")) == 3
    assert (tmp_path / "out/sheets/075.png").exists()
    told = capsys.readouterr().err
    assert "3 sequences of 2 people, 9 frames" in told
    assert f"dropped {root / '001/nm-01/090/001.png'}: is not a picture, or damaged" in told


def test_the_report_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("casia-b", str(casia(tmp_path / "in")), str(tmp_path / "out"), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sequences"], told["people"], told["dropped"]) == (4, 2, [])


@pytest.mark.parametrize(
    ("layout", "file"),
    [("opengait", "075/nm-05/090/0_sil.pkl"), ("grew", "probe.txt"), ("ours", "index.json")],
)
def test_every_layout(tmp_path: Path, layout: str, file: str) -> None:
    for _ in range(2):
        assert run("casia-b", str(casia(tmp_path / "in")), str(tmp_path / "out"), "--layout", layout) == 0
        assert (tmp_path / "out" / file).exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--maps"], "--maps belongs to --layout opengait"),
        (["--workers", "0"], "--workers 0; wanted 1 or more"),
        (["--data-in-use", "true,maybe"], "wanted true and false"),
        (["--joints", "kinect99"], "no skeleton layout kinect99"),
        (["--partition", "nowhere.json"], "nowhere.json: cannot be read"),
        (["--conditions", "nm-09"], "wanted conditions of nm-01, nm-05; views of 090"),
        (["--layout", "opengait", "--maps"], "heat maps need 2D joints"),
    ],
)
def test_wrong_options_are_one_clear_line(tmp_path: Path, flags: list[str], told: str) -> None:
    with pytest.raises(GaitwayError, match=told) as caught:
        run("casia-b", str(casia(tmp_path / "in")), str(tmp_path / "out"), *flags)
    assert "\n" not in str(caught.value)


def test_a_folder_is_not_prepared_into_itself(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the same folder"):
        run("casia-b", str(tmp_path), str(tmp_path))


def test_a_begun_folder_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    run("casia-b", str(casia(tmp_path / "in")), str(tmp_path / "out"))
    put(
        tmp_path / "tree/1/a/b/x.pkl",
        DataSet.open(tmp_path / "out").read(DataSet.open(tmp_path / "out").entries[0]).silhouettes,
    )
    with pytest.raises(DataError, match="prepared otherwise"):
        run("opengait", str(tmp_path / "tree"), str(tmp_path / "out"))


def test_a_part_is_chosen_and_everyone_put_on_one_side(tmp_path: Path) -> None:
    source = str(casia(tmp_path / "in"))
    flags = ("--conditions", "nm-05", "--views", "090,108", "--everyone", "train")
    assert run("casia-b", source, str(tmp_path / "out"), *flags) == 0
    data = DataSet.open(tmp_path / "out")
    assert [str(entry) for entry in data.entries] == ["001/nm-05/090", "075/nm-05/090"]
    assert data.partition.train == ("001", "075")
    assert data.partition.test == ()
