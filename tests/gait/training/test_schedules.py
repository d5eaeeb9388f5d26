"""Schedules against torch's own, patience and the moving average."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn, optim

from gait.training.average import Average, Patience
from gait.training.config import OptimizerSection, ScheduleSection
from gait.training.schedules import make_optimizer, pace_at, set_pace


def torchs(make, steps):
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    schedule = make(optimizer)
    found = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        found.append((group["lr"], group["momentum"]))
        optimizer.step()
        schedule.step()
    return found


@given(st.integers(8, 60), st.sampled_from([0.2, 0.3, 0.5]))
@settings(max_examples=20, deadline=None)
def test_one_cycle_is_torchs(steps, rise) -> None:
    section = ScheduleSection(kind="one_cycle", rise=rise)
    theirs = torchs(
        lambda o: optim.lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=steps, pct_start=rise), steps
    )
    for step, (rate, momentum) in enumerate(theirs):
        pace = pace_at(step, section, 0.1, steps)
        assert pace.rate == pytest.approx(rate, rel=1e-6, abs=1e-12)
        assert pace.momentum == pytest.approx(momentum, rel=1e-6)


def test_multi_step_is_torchs() -> None:
    section = ScheduleSection(milestones=(3, 7))
    theirs = torchs(lambda o: optim.lr_scheduler.MultiStepLR(o, [3, 7]), 10)
    assert [pace_at(k, section, 0.1, 10).rate for k in range(10)] == pytest.approx(
        [rate for rate, _ in theirs]
    )


def test_warmup_rises_to_the_rate_and_falls_to_nothing() -> None:
    section = ScheduleSection(kind="warmup_cosine", warmup_steps=5)
    rates = [pace_at(k, section, 1.0, 25).rate for k in range(26)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[15] == pytest.approx(0.5)
    assert rates[25] == pytest.approx(0.0)
    assert rates[5:] == sorted(rates[5:], reverse=True)


@pytest.mark.parametrize("rise", [0.001, 0.05, 1 / 6])
def test_a_cycle_too_short_to_rise_still_has_a_rate(rise) -> None:
    section = ScheduleSection(kind="one_cycle", rise=rise)
    assert all(0 < pace_at(k, section, 0.1, 6).rate <= 0.1 for k in range(6))


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_the_pace_reaches_the_optimizer(kind) -> None:
    optimizer = make_optimizer(nn.Linear(2, 2), OptimizerSection(kind=kind, rate=0.1))
    set_pace(optimizer, pace_at(9, ScheduleSection(kind="one_cycle"), 0.1, 30))
    group = optimizer.param_groups[0]
    assert group["lr"] != 0.1
    momentum = group["betas"][0] if kind == "adamw" else group["momentum"]
    assert 0.85 <= momentum < 0.9


def test_the_average_follows_the_weights() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = Average(net, 0.5)
    nn.init.ones_(net.weight)
    for step in range(100, 104):
        average.update(net, step)
    assert average.net.weight.item() == pytest.approx(1 - 0.5**4)


def test_patience_counts_validations_without_a_better_one() -> None:
    patience = Patience()
    for step, score in enumerate([0.1, 0.5, 0.5, float("nan"), 0.4]):
        patience = patience.after(score, step)
    assert (patience.best, patience.best_step, patience.waited) == (0.5, 1, 3)
    assert patience.is_over(3)
    assert not patience.is_over(4)
    assert not patience.is_over(0)
