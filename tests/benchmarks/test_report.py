"""A bench's verdict is computed from its goals, and a malformed goal is named."""

from pathlib import Path

import pytest

from benchmarks.report import Bar, BenchResult, Goal, goals, this_machine
from stream.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "goal", "better", "ok"),
    [
        (0.97, 0.97, "higher", True),
        (0.9699, 0.97, "higher", False),
        (1.0, 1.0, "lower", True),
        (1.1, 1.0, "lower", False),
        (float("nan"), 0.5, "higher", False),
        (float("nan"), 0.5, "lower", False),
    ],
)
def test_ok_follows_from_value_goal_and_side(value: float, goal: float, better: str, ok: bool) -> None:
    assert Bar("x", value, goal, better).ok is ok  # type: ignore[arg-type]


def test_every_goal_becomes_a_bar_and_none_may_be_left_out() -> None:
    wanted = goals("perception")
    values = {name: goal.value for name, goal in wanted.items()}
    result = BenchResult.of("perception", {"frames": 3}, values)
    assert {bar.name for bar in result.bars} == wanted.keys()
    assert result.ok
    assert result.as_dict()["bars"][0]["ok"] is True
    with pytest.raises(ConfigError, match="recall"):
        BenchResult.of("perception", {}, {name: 1.0 for name in values if name != "recall"})


def test_a_bench_run_in_part_has_the_bars_of_that_part_alone() -> None:
    result = BenchResult.of("perception", {}, {"recall": 0.0}, in_part=True)
    assert [bar.name for bar in result.bars] == ["recall"]
    assert not result.ok


@pytest.mark.parametrize("entry", ["0.97", '{ goal = 0.97, better = "more" }'])
def test_a_malformed_goal_is_named(entry: str, tmp_path: Path) -> None:
    path = tmp_path / "goals.toml"
    path.write_text(f"[walk]\nrecall = {entry}\n")
    with pytest.raises(ConfigError, match=r"walk\.recall"):
        goals("walk", path)


def test_an_unknown_bench_is_named_with_those_known(tmp_path: Path) -> None:
    path = tmp_path / "goals.toml"
    path.write_text('[walk]\nrecall = { goal = 0.9, better = "higher" }\n')
    assert goals("walk", path) == {"recall": Goal(0.9, "higher")}
    with pytest.raises(ConfigError, match="walk"):
        goals("run", path)


def test_the_machine_is_described() -> None:
    found = this_machine()
    assert int(found["cores"]) >= 1
    assert found["numpy"]
