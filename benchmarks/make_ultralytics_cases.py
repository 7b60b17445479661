# SPDX-License-Identifier: Apache-2.0
"""Writes the numbers that the decoder's parity test compares with: raw outputs, and what Ultralytics makes of them.

    YOLO_AUTOINSTALL=False python -m benchmarks.make_ultralytics_cases src/gremsy_detector/test/data

runs in a throw-away environment with torch, onnx, onnxruntime and ultralytics 8.4.190, none of which the suite needs.
Every network is made from Ultralytics' yaml with random weights, its batch norms are fitted to noise and its last
layers scaled so that boxes appear. Only numbers are kept: no code, no weights.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = 5
CONFIDENCE = 0.25
IOU = 0.5
SEED = 7
# Scores about this centre: some 30 to 100 of 100 to 400 anchors pass the threshold.
SCORE_LOGIT_MEAN = -3.2
SCORE_LOGIT_SPREAD = 1.3
METADATA_KEYS = ('description', 'stride', 'task', 'head', 'imgsz', 'names', 'args', 'end2end', 'batch', 'channels')


@dataclass(frozen=True)
class Case:
    """One network and the way it is exported."""

    name: str
    yaml: str
    height_px: int
    width_px: int
    nms: bool | None = None
    dynamic: bool = False


CASES = (
    Case('v8', 'yolov8n.yaml', 128, 160),
    Case('v8_dynamic', 'yolov8n.yaml', 96, 96, dynamic=True),
    Case('v10', 'yolov10n.yaml', 160, 128, nms=False),
    Case('11', 'yolo11n.yaml', 128, 128),
    Case('26_dense', 'yolo26n.yaml', 128, 128),
    Case('26', 'yolo26n.yaml', 160, 160, nms=False),
    Case('rtdetr', 'rtdetr-l.yaml', 128, 160),
)


def random_network(case: Case) -> Any:
    """The Ultralytics wrapper round a network whose random weights see boxes."""
    torch, ultralytics, tasks = (import_module(each) for each in ('torch', 'ultralytics', 'ultralytics.nn.tasks'))
    torch.manual_seed(SEED)
    if case.yaml.startswith('rtdetr'):
        wrapper: Any = ultralytics.RTDETR(case.yaml)
        _put(wrapper, tasks.RTDETRDetectionModel(case.yaml, nc=CLASSES, verbose=False))
        wrapper.model.eval()
        head = wrapper.model.model[-1]
        torch.nn.init.normal_(head.dec_bbox_head[-1].layers[-1].weight, std=0.2)
        noise = torch.rand(1, 3, case.height_px, case.width_px)
        _spread(wrapper.model, head.dec_score_head[-1], noise, scores=True)
        return wrapper
    wrapper = ultralytics.YOLO(case.yaml)
    model = tasks.DetectionModel(case.yaml, nc=CLASSES, verbose=False)
    _put(wrapper, model)
    noise = torch.rand(4, 3, case.height_px, case.width_px)
    model.train()
    with torch.no_grad():
        for _ in range(30):
            model(noise)
    model.eval()
    head = model.model[-1]
    towers = [head.cv3, head.cv2]
    if hasattr(head, 'one2one_cv3'):
        towers = [head.cv3, head.cv2, head.one2one_cv3, head.one2one_cv2]
    for tower in towers:
        for level in tower:
            _spread(model, level[-1], noise, scores=tower in towers[::2])
    return wrapper


def _put(wrapper: Any, model: Any) -> None:
    """Exchange the wrapper's network for one with another number of classes."""
    model.args, model.task = wrapper.model.args, wrapper.model.task
    wrapper.model = model


def _spread(model: Any, layer: Any, noise: Any, *, scores: bool) -> None:
    """Scale a last layer so that its outputs have a useful spread; the scores' also get their centre."""
    torch = import_module('torch')
    seen: list[Any] = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.no_grad():
        model(noise)
        hook.remove()
        if not seen:
            return
        # (values, channels): a convolution answers (B, C, H, W), a linear layer (B, N, C).
        answer = (seen[0].movedim(1, -1) if seen[0].ndim == 4 else seen[0]).flatten(0, -2)
        scale = (SCORE_LOGIT_SPREAD if scores else 1.0) / answer.std(dim=0).mean()
        layer.weight *= scale
        if not scores and answer.shape[1] == 4:
            # A head without a distribution (26) answers with the four distances themselves: keep them positive.
            layer.bias.copy_(2.5 - (answer.mean(dim=0) - layer.bias) * scale)
        if scores:
            layer.bias.copy_(SCORE_LOGIT_MEAN - (answer.mean(dim=0) - layer.bias) * scale)


def make(case: Case, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of one case (raw output, expected boxes) and the file's own description."""
    # As gremsy_detector.backends.onnxruntime_providers does, which is not installed where this runs.
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
    onnxruntime, torch = import_module('onnxruntime'), import_module('torch')
    wrapper = random_network(case)
    os.chdir(folder)
    exported = wrapper.export(
        format='onnx', imgsz=(case.height_px, case.width_px), nms=case.nms, dynamic=case.dynamic, conf=CONFIDENCE,
        iou=IOU, simplify=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(exported), providers=['CPUExecutionProvider'])
    image = np.random.default_rng(SEED).random((1, 3, case.height_px, case.width_px), dtype=np.float32)
    raw = session.run(None, {'images': image})[0]
    metadata = session.get_modelmeta().custom_metadata_map
    expected = _postprocess(case, torch.from_numpy(raw), metadata).numpy()
    about = {
        'metadata': {key: metadata[key] for key in METADATA_KEYS if key in metadata},
        'inputs': [[each.name, each.shape] for each in session.get_inputs()],
        'outputs': [[each.name, each.shape] for each in session.get_outputs()],
        'size_px': [case.width_px, case.height_px],
    }
    return {f'{case.name}_raw': raw, f'{case.name}_expected': expected.astype(np.float32)}, about


def _postprocess(case: Case, raw: Any, metadata: dict[str, str]) -> Any:
    """(K, 6) corners in network pixels, score, class: Ultralytics' own reading."""
    if not case.yaml.startswith('rtdetr'):
        ended = metadata.get('end2end') == 'True' or case.nms is True
        return import_module('ultralytics.utils.nms').non_max_suppression(
            raw, CONFIDENCE, IOU, max_det=300, nc=CLASSES, end2end=ended
        )[0]
    predict = import_module('ultralytics.models.rtdetr.predict')
    predictor = predict.RTDETRPredictor(overrides={'conf': CONFIDENCE, 'max_det': 300})
    predictor.batch = [['case']]
    predictor.model = type('Named', (), {'names': dict(enumerate('abcde'))})()
    blank = np.zeros((case.height_px, case.width_px, 3), np.uint8)
    return predictor.postprocess(raw, None, [blank])[0].boxes.data


def main() -> None:
    """Make every case and write two files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('folder', type=Path)
    target = parser.parse_args().folder.resolve()
    arrays: dict[str, Any] = {}
    abouts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for case in CASES:
            case_arrays, abouts[case.name] = make(case, Path(scratch))
            arrays |= case_arrays
            expected = case_arrays[f'{case.name}_expected']
            print(case.name, case_arrays[f'{case.name}_raw'].shape, len(expected), 'boxes', expected[:2].tolist())
    target.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(target / 'ultralytics_cases.npz', **arrays)
    about = {'confidence': CONFIDENCE, 'iou': IOU, 'cases': abouts}
    (target / 'ultralytics_cases.json').write_text(json.dumps(about, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
