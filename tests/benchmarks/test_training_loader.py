"""The loader's bench reads every form and finds ours smaller and no slower than pickles."""

from pathlib import Path

from benchmarks.training_loader import loader_rates


def test_every_way_is_measured_on_the_same_clips(tmp_path: Path) -> None:
    rates = loader_rates(tmp_path, sequences=4, reads=20)
    figures = rates.figures()
    assert all(value > 0 for value in figures.values())
    assert rates.ours_bytes <= rates.pickle_bytes
    assert rates.ours_binary_bytes * 7 < rates.pickle_bytes
