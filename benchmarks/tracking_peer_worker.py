"""Runs inside the peer's own environment: the package ``trackers`` tracks and scores MOT files.

    python -I tracking_peer_worker.py track FOLDER...   detections.txt + times.txt -> bytetrack.txt
    python -I tracking_peer_worker.py score RESULT FOLDER...   prints {"HOTA": .., "IDF1": .., ...} as JSON

The package's import name is our folder's, so this file is started as a script, isolated from the repository.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def track(folder: Path) -> None:
    """ByteTrack with time stamps over one sequence, default settings."""
    supervision: Any = importlib.import_module("supervision")
    peer: Any = importlib.import_module("trackers").ByteTrackTracker()
    text = (folder / "detections.txt").read_text(encoding="ascii")
    rows = np.array([line.split(",")[:7] for line in text.splitlines()], dtype=np.float64).reshape(-1, 7)
    times = [int(line) for line in (folder / "times.txt").read_text(encoding="ascii").split()]
    lines = []
    for number, time_ns in enumerate(times, 1):
        here = rows[rows[:, 0] == number]
        boxes = np.concatenate([here[:, 2:4], here[:, 2:4] + here[:, 4:6]], axis=1)
        found = supervision.Detections(
            xyxy=boxes,
            confidence=here[:, 6],
            class_id=np.zeros(len(here), int),
            data={"row": np.arange(len(here))},
        )
        tracked = peer.update(found, timestamp=time_ns / 1e9)
        for box, person in zip(tracked.xyxy.tolist(), tracked.tracker_id.tolist(), strict=True):
            if person >= 0:
                left, top, right, bottom = box
                size = f"{right - left:.2f},{bottom - top:.2f}"
                lines.append(f"{number},{person},{left:.2f},{top:.2f},{size},1,-1,-1\n")
    (folder / "bytetrack.txt").write_text("".join(lines), encoding="ascii")


def score(result: str, folders: list[Path]) -> dict[str, float]:
    """The package's HOTA, IDF1, MOTA and switches, averaged over sequences (switches summed)."""
    evaluate: Any = importlib.import_module("trackers.eval").evaluate_mot_sequence
    found = [
        evaluate(folder / "truth.txt", folder / result, ["CLEAR", "HOTA", "Identity"]) for folder in folders
    ]
    return {
        "HOTA": 100.0 * float(np.mean([one.HOTA.HOTA for one in found])),
        "IDF1": 100.0 * float(np.mean([one.Identity.IDF1 for one in found])),
        "MOTA": 100.0 * float(np.mean([one.CLEAR.MOTA for one in found])),
        "IDSW": float(sum(one.CLEAR.IDSW for one in found)),
        "AssA": 100.0 * float(np.mean([one.HOTA.AssA for one in found])),
        "DetA": 100.0 * float(np.mean([one.HOTA.DetA for one in found])),
    }


def main(arguments: list[str]) -> None:
    """See the module's head."""
    verb, *rest = arguments
    if verb == "track":
        for folder in rest:
            track(Path(folder))
    else:
        sys.stdout.write(json.dumps(score(rest[0], [Path(folder) for folder in rest[1:]])))


if __name__ == "__main__":
    main(sys.argv[1:])
