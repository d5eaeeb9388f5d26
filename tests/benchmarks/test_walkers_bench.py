"""The bench of the walkers measures what it says on a pass of one walker."""

import argparse

from benchmarks.walkers import configure, run


def test_one_walker_gives_every_figure_and_exact_masks() -> None:
    parser = argparse.ArgumentParser()
    configure(parser)
    result = run(parser.parse_args(["--people", "1"]))
    bars = {bar.name: bar for bar in result.bars}
    assert bars["mask_iou"].ok
    assert bars["foot_slide_mm"].ok
    assert result.figures["masks_and_joints_ms_a_frame"] > 0
    assert result.figures["full_renderer_ms_a_frame"] > result.figures["masks_and_joints_ms_a_frame"]
