"""Bench transport: every way hands over the frames that were sent, and says when."""

import pytest

from benchmarks.transport import Measured, _measure
from benchmarks.transport_ours import STAGES, ours


def test_ours_runs_the_real_stages_and_loses_no_frame() -> None:
    notes = ours(40, 0)
    assert set(notes) == set(STAGES)
    assert list(notes["perceive"].had_ns) == list(notes["last"].had_ns) == list(range(40))
    sent, had = notes["source"].sent_ns, notes["perceive"].had_ns
    assert all(had[number] >= sent[number] for number in range(40))


@pytest.mark.parametrize("way", ["memcpy", "ipc", "ipc-copy", "tcp"])
def test_the_other_ways_hand_over_every_frame(way: str) -> None:
    found = _measure(way, 10, 0)
    assert len(found["delays_ns"]) == 10
    assert found["fps"] > 0


@pytest.mark.parametrize("way", ["tokens", "tokens-zmq"])
def test_tokens_go_there_and_back(way: str) -> None:
    measured = Measured()
    measured.delays_ns = _measure(way, 50, 0)["delays_ns"]
    assert len(measured.delays_ns) == 50
    assert 0 < measured.percentile_ms(50) <= measured.percentile_ms(99)
