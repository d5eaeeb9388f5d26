"""What is left to say when a run has ended: its books."""

from __future__ import annotations

from commands.pipeline import Finished
from commands.report import LedgerLine


def ledger_lines(finished: Finished) -> list[LedgerLine]:
    """One line a camera."""
    return [
        LedgerLine(c.camera, c.captured, c.processed, sum(c.dropped.values()), c.lost)
        for c in finished.outcome.report.cameras
    ]
