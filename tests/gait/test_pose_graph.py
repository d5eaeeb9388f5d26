"""Skeleton graphs: shipped files, hop partitions computed by hand, and files that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gait.pose_graph import GraphFile, build_graph, load_graph, shipped_graphs
from stream.errors import ConfigError

CHAIN_LAYOUT = """
name: chain
joints: [a, b, c, d]
edges: [[a, b], [b, c], [c, d]]
"""
CHAIN = """
layout: chain-layout.yaml
centre: b
root: [b]
torso: [c]
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """Four joints in a row, as another sensor's files."""
    (tmp_path / "chain-layout.yaml").write_text(CHAIN_LAYOUT)
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN)
    return path


def test_another_sensors_skeleton_is_a_file(chain: Path) -> None:
    graph = load_graph(str(chain))
    assert graph.size == 4
    assert graph.parents == (1, 1, 1, 2)
    assert graph.swap == [0, 1, 2, 3]


def test_hop_partitions_of_a_chain_by_hand(chain: Path) -> None:
    """Columns: a sees itself and b; b sees a, itself and c; and so on, each column summing to 1."""
    adjacency = load_graph(str(chain)).adjacency(1)
    half, third = 1 / 2, 1 / 3
    assert adjacency[0] == pytest.approx(np.diag([half, third, third, half]))
    expected = np.array([[0, third, 0, 0], [half, 0, third, 0], [0, third, 0, half], [0, 0, third, 0]])
    assert adjacency[1] == pytest.approx(expected)


@pytest.mark.parametrize("name", shipped_graphs())
def test_columns_sum_to_one_and_partitions_do_not_overlap(name: str) -> None:
    adjacency = load_graph(name).adjacency(3)
    assert adjacency.sum((0, 1)) == pytest.approx(1.0)
    assert ((adjacency > 0).sum(0) <= 1).all()


@pytest.mark.parametrize("name", shipped_graphs())
def test_left_and_right_are_alike(name: str) -> None:
    """Exchanging the sides changes neither hops nor where bones start."""
    graph = load_graph(name)
    swap = np.array(graph.swap)
    assert (graph.hops()[swap][:, swap] == graph.hops()).all()
    assert [swap[graph.parents[joint]] for joint in range(graph.size)] == [
        graph.parents[swap[joint]] for joint in range(graph.size)
    ]


def test_coco17_bones_start_where_the_released_nets_had_them() -> None:
    assert load_graph("coco17").parents == (0, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14)


def test_an_unknown_graph_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="coco17, coco18, gaitway16"):
        load_graph("coco19")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layout: [", "not a skeleton graph"),
        ("layout: coco17", "missing required field"),
        (CHAIN + "colour: red\n", "colour"),
        ("\x00\xff", "not a skeleton graph"),
        ("", "not a skeleton graph"),
        ("layout: coco17\ncentre: tail\nroot: [nose]\ntorso: [nose]\n", "no joint tail"),
        ("layout: coco17\ncentre: nose\nroot: []\ntorso: [nose]\n", "at least one joint"),
        ("layout: nowhere.yaml\ncentre: nose\nroot: [nose]\ntorso: [nose]\n", "cannot read the layout"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=said) as caught:
        load_graph(str(path))
    assert "\n" not in str(caught.value)


def test_a_parent_may_be_overruled() -> None:
    described = GraphFile("coco17", "nose", ("left_hip",), ("nose",), {"left_wrist": "nose"})
    assert build_graph(described, Path()).parents[9] == 0
