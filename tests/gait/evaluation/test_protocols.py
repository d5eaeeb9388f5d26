"""Each protocol takes the probes and galleries that its authors lay down, and refuses what does not fit."""

import itertools

import pytest

from gait.data.store import Partition
from gait.evaluation.protocols import PROTOCOLS, plan
from stream.errors import ConfigError
from tests.strategies_evaluation import entries_of


def names(entries, chosen) -> list[str]:
    return [str(entries[i]) for i in chosen]


def test_casia_b_tries_every_view_against_every_other_one() -> None:
    views = [f"{angle:03d}" for angle in range(0, 181, 18)]
    conditions = [f"nm-0{i}" for i in range(1, 7)] + ["bg-01", "bg-02", "cl-01", "cl-02"]
    entries = entries_of(*(f"075/{c}/{v}" for c, v in itertools.product(conditions, views)))
    trials = plan("casia-b", entries, Partition())
    assert [sum(t.group == g for t in trials) for g in ("NM", "BG", "CL")] == [110, 110, 110]
    cell = next(t for t in trials if (t.group, t.row, t.column) == ("BG", "018", "090"))
    assert names(entries, cell.probes) == ["075/bg-01/018", "075/bg-02/018"]
    assert names(entries, cell.gallery) == [f"075/nm-0{i}/090" for i in (1, 2, 3, 4)]


def test_ou_mvlp_searches_00_in_01() -> None:
    entries = entries_of("1/00/000", "1/00/015", "1/01/000", "1/01/015")
    trials = plan("ou-mvlp", entries, Partition())
    assert [(names(entries, t.probes), names(entries, t.gallery)) for t in trials] == [
        (["1/00/000"], ["1/01/015"]),
        (["1/00/015"], ["1/01/000"]),
    ]


def test_sustech1k_counts_a_walk_under_each_of_its_conditions() -> None:
    entries = entries_of("1/00-nm/a", "1/01-nm/b", "1/02-bg-cl/b", "1/03-nt/b")
    found = {t.group: names(entries, t.probes) for t in plan("sustech1k", entries, Partition())}
    assert found == {
        "normal": ["1/01-nm/b"],
        "bag": ["1/02-bg-cl/b"],
        "clothing": ["1/02-bg-cl/b"],
        "night": ["1/03-nt/b"],
        "overall": ["1/01-nm/b", "1/02-bg-cl/b", "1/03-nt/b"],
    }


def test_ccpg_keeps_its_two_protocols_apart() -> None:
    entries = entries_of("1/U0_D0/a", "1/U0_D0_BG/a", "1/U1_D1/a", "1/U1_D1/b", "1/U3_D3/b", "1/U0_D3/a")
    gait = plan("ccpg-gait", entries, Partition())
    assert {(t.group, t.row, t.column) for t in gait} == {("CL", "a", "b"), ("UP", "b", "a")}
    reid = {t.group: t for t in plan("ccpg-reid", entries, Partition())}
    assert names(entries, reid["CL"].probes) == ["1/U0_D0/a", "1/U0_D0_BG/a"]
    assert names(entries, reid["CL"].gallery) == ["1/U1_D1/a", "1/U1_D1/b", "1/U3_D3/b"]
    assert (reid["CL"].exclude, reid["BG"].group) == ("own view", "BG")


def test_gait3d_takes_its_probe_list_and_the_rest_as_gallery() -> None:
    entries = entries_of("1/camA/1:probe", "1/camB/2", "2/camA/3", "9/camA/1")
    (trial,) = plan("gait3d", entries, Partition(train=("9",), test=("1", "2")))
    assert names(entries, trial.probes) == ["1/camA/1"]
    assert names(entries, trial.gallery) == ["1/camB/2", "2/camA/3"]


def test_grew_knows_its_probes_by_role_or_by_condition() -> None:
    for entries in (
        entries_of("1/01/a", "1/02/b", "probe/03/x"),
        entries_of("1/01/a:gallery", "1/02/b:gallery", "probe/03/x:probe"),
    ):
        (trial,) = plan("grew", entries, Partition())
        assert (trial.probes.tolist(), trial.gallery.tolist()) == ([2], [0, 1])


def test_ccvid_counts_with_and_without_the_same_clothes() -> None:
    entries = entries_of("1/shirt/s1:probe", "1/coat/s2:gallery")
    found = {t.group: t.exclude for t in plan("ccvid", entries, Partition())}
    assert found == {"general": "own view", "clothes changed": "own view and clothes"}


def test_leave_run_out_never_has_the_probe_in_its_gallery() -> None:
    entries = entries_of("1/N/01", "1/N/02", "1/AR/03", "2/N/01", "2/N/02", "2/AR/03")
    trials = plan("leave-run-out", entries, Partition(test=("1", "2")))
    found = [(t.group, names(entries, t.probes), names(entries, t.gallery)) for t in trials]
    assert found == [
        ("normal to normal", ["1/N/01", "2/N/01"], ["1/N/02", "2/N/02"]),
        ("normal to normal", ["1/N/02", "2/N/02"], ["1/N/01", "2/N/01"]),
        ("normal to AR", ["1/AR/03", "2/AR/03"], ["1/N/01", "1/N/02", "2/N/01", "2/N/02"]),
    ]


def test_leave_walk_out_takes_folders_that_know_no_conditions() -> None:
    entries = entries_of("1/walk//00", "1/walk//01", "2/walk//00", "2/walk//01", "3/walk//00")
    first, second = plan("leave-walk-out", entries, Partition(train=("3",), test=("1", "2")))
    assert (first.probes.tolist(), first.gallery.tolist()) == ([0, 2], [1, 3])
    assert (second.probes.tolist(), second.gallery.tolist()) == ([1, 3], [0, 2])


def test_usf_joins_pieces_to_walks_but_not_those_of_nobody_known() -> None:
    entries = entries_of(
        "001/gallery//0:gallery", "001/gallery//1:gallery", "001/A//0:probe", "unknown/A//1:probe"
    )
    entries += entries_of("001/G//0:probe")
    walks, other, pieces, _ = plan("usf", entries, Partition())
    assert [trial.group for trial in (walks, other, pieces)] == ["A, walks", "G, walks", "A, pieces"]
    assert (walks.joined, walks.probes.tolist()) == (True, [2])
    assert (pieces.joined, pieces.probes.tolist()) == (False, [2, 3])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_training_people_are_never_tested(name) -> None:
    conditions = ("nm-01", "nm-05", "00", "01", "00-nm", "01-nm", "U0_D0", "U1_D1", "N", "walk")
    keys = [f"{p}/{c}/{v}" for p in ("in", "out") for c in conditions for v in ("1", "2")]
    keys += [f"{p}/x/{v}:{role}" for p in ("in", "out") for v, role in (("1", "probe"), ("2", "gallery"))]
    entries = entries_of(*keys)
    for trial in plan(name, entries, Partition(train=("in",), test=("out",))):
        assert {entries[i].person for i in (*trial.probes, *trial.gallery)} == {"out"}


def test_a_wrong_name_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="Did you mean casia-b"):
        plan("casiab", (), Partition())


def test_data_that_does_not_fit_is_named_by_its_conditions() -> None:
    with pytest.raises(ConfigError, match="The data has walking"):
        plan("casia-b", entries_of("1/walking/a"), Partition())
