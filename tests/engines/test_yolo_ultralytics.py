"""Our decoding against ultralytics' own, on nets of its own YAML with random weights.

ultralytics (AGPL-3.0) is no dependency of ours: without it in the environment this is skipped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engines.runtimes.choose import load_net
from engines.runtimes.net import NetOptions
from engines.yolo import cut_to_boxes, decode, layout_of, mask_logits, suppress

tasks = pytest.importorskip(
    "ultralytics.nn.tasks", reason="ultralytics is not installed: pip install '.[yolo]'"
)
nms = pytest.importorskip("ultralytics.utils.nms", reason="another ultralytics")
ops = pytest.importorskip("ultralytics.utils.ops", reason="another ultralytics")

SIDE = 160
OVERLAP = 0.6


def net_of(kind: str, yaml: str, classes: int) -> torch.nn.Module:
    """A net with random weights, its batch norms settled, so that what it says varies over the picture."""
    torch.manual_seed(0)
    net = getattr(tasks, kind)(yaml, nc=classes, verbose=False)
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))
    return net.eval()


@pytest.mark.parametrize(
    ("kind", "yaml", "task"),
    [
        ("DetectionModel", "yolov8n.yaml", "detect"),
        ("DetectionModel", "yolo11n.yaml", "detect"),
        ("SegmentationModel", "yolo11n-seg.yaml", "segment"),
        ("PoseModel", "yolo11n-pose.yaml", "pose"),
    ],
)
@pytest.mark.parametrize("classes", [1, 3])
def test_boxes_keypoints_and_masks_are_ultralytics_own(
    kind, yaml, task, classes: int, tmp_path: Path
) -> None:
    net = net_of(kind, yaml, classes)
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        raw = net(image)[0]
    raw, protos = raw if isinstance(raw, (tuple, list)) else (raw, None)
    shape = tuple(protos.shape) if protos is not None else None
    layout = layout_of(tuple(raw.shape), (SIDE, SIDE), shape, task)
    minimum = float(raw[0, 4].quantile(0.6))
    (theirs,) = nms.non_max_suppression(
        raw.clone(), minimum, OVERLAP, classes=[0], nc=classes, max_det=1000, max_time_img=60.0
    )
    ours = suppress(decode(raw[0].numpy(), layout, (SIDE, SIDE), minimum), OVERLAP)
    assert len(ours) == len(theirs) > 3
    np.testing.assert_allclose(ours.boxes, theirs[:, :4], atol=1e-3)
    np.testing.assert_allclose(ours.scores, theirs[:, 4], atol=1e-6)
    rest = np.concatenate([ours.keypoints.reshape(len(ours), -1), ours.coefficients], axis=1)
    np.testing.assert_allclose(rest, theirs[:, 6:], atol=1e-4)
    if protos is not None:
        wanted = ops.process_mask(protos[0], theirs[:, 6:], theirs[:, :4], (SIDE, SIDE), upsample=False)
        scale = protos.shape[-1] / SIDE
        found = cut_to_boxes(mask_logits(ours, protos[0].numpy()), ours.boxes, (scale, scale)) > 0
        assert (found == wanted.numpy().astype(bool)).mean() > 0.999


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
def test_the_exported_net_answers_as_ultralytics_raw(runtime: str, tmp_path: Path) -> None:
    net = net_of("DetectionModel", "yolo11n.yaml", 1)
    net.model[-1].export, net.model[-1].format = True, "onnx"
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = net(image)
    wanted = (wanted[0] if isinstance(wanted, (tuple, list)) else wanted).numpy()
    path = tmp_path / "net.onnx"
    torch.onnx.export(
        net,
        (image,),
        str(path),
        input_names=["images"],
        output_names=["output0"],
        opset_version=17,
        dynamo=False,
    )
    answer = load_net(path, runtime, NetOptions(threads=1)).run({"images": image.numpy()})["output0"]
    np.testing.assert_allclose(answer, wanted, atol=1e-3 * float(np.abs(wanted).max()))
