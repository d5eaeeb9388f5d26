"""Runs in mediapipe's own environment: its Pose over raw frames; landmarks, masks and seconds into one file.

python mediapipe_worker.py FRAMES.npy OUT.npz
"""

import sys
import time

import mediapipe
import numpy as np


def main(source: str, target: str) -> None:
    """Every frame in order, tracked as mediapipe tracks; a frame without a person gives NaN."""
    frames = np.load(source, mmap_mode="r")
    count, high, wide = frames.shape[:3]
    landmarks = np.full((count, 33, 2), np.nan, np.float32)
    masks = np.zeros((count, high, wide), np.bool_)
    pose = mediapipe.solutions.pose.Pose(
        static_image_mode=False,
        model_complexity=1,
        smooth_landmarks=False,
        enable_segmentation=True,
        smooth_segmentation=False,
    )
    # Finding the person comes before the clock, here as on our side: what is timed is following.
    pose.process(np.ascontiguousarray(frames[0][..., ::-1]))
    wall, spent = time.perf_counter(), time.process_time()
    for number in range(1, count):
        found = pose.process(np.ascontiguousarray(frames[number][..., ::-1]))
        if found.pose_landmarks is None:
            continue
        points = [(point.x * wide, point.y * high) for point in found.pose_landmarks.landmark]
        landmarks[number] = points
        masks[number] = found.segmentation_mask > 0.5
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    packed = np.packbits(masks.reshape(count, -1), axis=1)
    np.savez(target, landmarks=landmarks, masks=packed, wall_s=wall, cpu_s=spent)


if __name__ == "__main__":
    main(*sys.argv[1:])
