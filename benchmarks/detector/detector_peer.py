# SPDX-License-Identifier: Apache-2.0
"""Ultralytics, for the benchmark only: it makes the YOLOv8n file, and predicts on it in its own way.

Ultralytics is AGPL-3.0. It is installed by `./gremsy bench detector`, imported here and nowhere else, and never at run
time.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame
from gremsy_detector.backends.onnxruntime_providers import load_onnxruntime
from gremsy_detector.detector import Selection
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.model.model_description import InputDescription, ResizeMode

_SIDE_PX = 640
_SEED = 0
# Of 8400 anchors, 84 pass the threshold before suppression; tens of boxes are left, as in a busy street.
_PASSING = 0.01
# How far apart the classes' scores lie (standard deviation of the logits): about that of a trained network.
_SPREAD = 1.5


def unavailable() -> str | None:
    """Why Ultralytics cannot be compared with on this machine, in one sentence, or None."""
    # No downloads, no installing of packages, no reports to its makers.
    os.environ.update(YOLO_AUTOINSTALL='False', YOLO_OFFLINE='True', YOLO_VERBOSE='False')
    for name in ('ultralytics', 'torch'):
        if importlib.util.find_spec(name) is None:
            return f'{name} is not installed: run ./gremsy bench detector, which installs it.'
    try:
        import_module('torch')
    except (ImportError, OSError, ValueError) as error:
        return (
            f'torch does not load here ({str(error).splitlines()[0][:120]}): '
            'run ./gremsy setup --clean --extra ultralytics.'
        )
    return None


def session_options() -> Any:
    """Those of the detector's back end on one thread, for everybody who is compared."""
    options = load_onnxruntime().SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options


def write_yolo(name: str, folder: Path, frames: Sequence[Frame]) -> Path:
    """YOLOv8, 640x640, as Ultralytics exports it, with its weights as `.pt` beside it.

    They are random, and the scores as spread as real ones'.

    Args:
        name: `yolov8n` and the like.
        folder: where to write.
        frames: on which the scores are spread.
    """
    os.environ['YOLO_CONFIG_DIR'] = str(folder)
    torch, yolo = import_module('torch'), import_module('ultralytics').YOLO
    torch.set_num_threads(1)
    torch.manual_seed(_SEED)
    made = yolo(f'{name}.yaml', verbose=False)
    images = torch.from_numpy(np.concatenate([_tensor(frame) for frame in frames]))
    with torch.no_grad():
        _settle(made.model, images)
        _spread_scores(made.model, images)
    weights = folder / f'{name}.pt'
    made.model.pt_path = str(weights)  # the export is written beside it
    # Ultralytics' own `save` rounds them to float16.
    torch.save({'model': made.model, 'train_args': {}}, weights)
    return Path(made.export(format='onnx', imgsz=_SIDE_PX, opset=17, simplify=False, verbose=False))


def _tensor(frame: Frame) -> NDArray[np.float32]:
    network_input = NetworkInput(
        InputDescription('images', _SIDE_PX, _SIDE_PX, 'float32', False, False, ResizeMode.LETTERBOX)
    )
    network_input.fill(frame)
    return network_input.tensor


def _settle(network: Any, images: Any) -> None:
    """Normalise each layer by what it really sees; untrained, all anchors of a level would answer nearly the same."""
    network.train()
    for module in network.modules():
        if 'BatchNorm' in type(module).__name__:
            module.momentum = 1.0
    network(images)
    network.eval()


def _spread_scores(network: Any, images: Any) -> None:
    """Set gain and bias of the last class layers so that `_PASSING` of the anchors pass the default threshold."""
    torch = import_module('torch')
    scores = network(images)[0][:, 4:].double()
    logits = torch.logit(scores.clamp(1e-12, 1 - 1e-12)).transpose(0, 1)
    layers = [branch[-1] for branch in network.model[-1].cv3]
    anchors = [(_SIDE_PX // stride) ** 2 for stride in (8, 16, 32)]
    best = []
    for layer, level in zip(layers, torch.split(logits, anchors, dim=2), strict=True):
        mean = level.mean(dim=(1, 2))
        gain = _SPREAD / level.std(dim=(1, 2)).clamp(min=1e-6)
        layer.weight.mul_(gain[:, None, None, None].float())
        layer.bias.copy_(((layer.bias.double() - mean) * gain).float())
        best.append(((level - mean[:, None, None]) * gain[:, None, None]).amax(dim=0).flatten())
    threshold = torch.logit(torch.tensor(Selection().confidence, dtype=torch.float64))
    shift = threshold - torch.quantile(torch.cat(best), 1.0 - _PASSING)
    for layer in layers:
        layer.bias.add_(shift.float())


@dataclass(frozen=True, slots=True)
class PeerAgreement:
    """Of one picture: boxes on each side, those without a partner of their class, and the largest differences."""

    ours: int
    theirs: int
    unmatched: int
    box_px: float
    score: float


def agreement(ours: Detections, theirs: Detections, most_px: float = np.inf) -> PeerAgreement:
    """Each of theirs beside the nearest of ours of its class that has no partner yet, the best matches first.

    Args:
        ours: of a picture.
        theirs: of the same.
        most_px: what is further apart at an edge has no partner.
    """
    distance = np.abs(theirs.boxes_px[:, None] - ours.boxes_px[None]).max(axis=2, initial=0.0)
    distance[(theirs.labels[:, None] != ours.labels[None]) | (distance > most_px)] = np.inf
    box_px = score = 0.0
    pairs = 0
    while distance.size and np.isfinite(nearest := distance.min()):
        their, our = np.unravel_index(distance.argmin(), distance.shape)
        box_px = max(box_px, float(nearest))
        score = max(score, abs(float(theirs.scores[their] - ours.scores[our])))
        distance[their], distance[:, our] = np.inf, np.inf
        pairs += 1
    unmatched = len(ours) + len(theirs) - 2 * pairs
    return PeerAgreement(len(ours), len(theirs), unmatched, box_px, score)


class UltralyticsPeer:
    """`YOLO(model).predict`, at our thresholds and with our session options."""

    def __init__(self, model: Path, selection: Selection, *, device: str = 'cpu', half: bool = False) -> None:
        backend = import_module('ultralytics.nn.autobackend').AutoBackend
        self._torchvision = _torchvision_loads()
        if not self._torchvision:
            # It goes with one build of torch. Warming up does nothing on a CPU but import it; the suppression then is
            # Ultralytics' own.
            backend.warmup = lambda *_, **__: None
        self._yolo = import_module('ultralytics').YOLO(str(model), task='detect')
        self._arguments = {
            'conf': selection.confidence,
            'iou': selection.iou,
            'max_det': selection.max_detections,
            'imgsz': _SIDE_PX,
            'device': device,
            'half': half,
            # The whole input, as ours; else a picture of 16:9 is 640x384 to a .pt.
            'rect': False,
            'verbose': False,
        }
        self._speeds: list[dict[str, float]] = []
        self._yolo.predict(np.zeros((_SIDE_PX, _SIDE_PX, 3), np.uint8), **self._arguments)
        if device != 'cpu' or model.suffix != '.onnx':
            return
        self._yolo.predictor.model.backend.session = load_onnxruntime().InferenceSession(
            str(model), session_options(), providers=['CPUExecutionProvider']
        )

    def __call__(self, frame: Frame) -> Detections:
        """One image."""
        result = self._yolo.predict(frame.image, **self._arguments)[0]
        self._speeds.append(result.speed)
        names, boxes = result.names, result.boxes
        return Detections(
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
            boxes_px=boxes.xyxy.cpu().numpy().astype(np.float64),
            scores=boxes.conf.cpu().numpy().astype(np.float64),
            labels=np.array([names[int(number)] for number in boxes.cls.cpu()], dtype=np.str_),
        )

    def describe(self, agreed: Sequence[PeerAgreement]) -> dict[str, Any]:
        """How it was run, its own stages, and how its boxes differ from ours."""
        return {
            'version': version('ultralytics'),
            'torch': version('torch'),
            'suppression': 'torchvision' if self._torchvision else "Ultralytics' own",
            'stages_ms': {
                name: round(float(np.median([each[name] for each in self._speeds])), 3) for name in self._speeds[0]
            },
            'boxes_ours': sum(each.ours for each in agreed),
            'boxes_theirs': sum(each.theirs for each in agreed),
            'boxes_unmatched': sum(each.unmatched for each in agreed),
            'box_difference_px_max': round(max(each.box_px for each in agreed), 4),
            'score_difference_max': round(max(each.score for each in agreed), 6),
            'by_picture': [asdict(each) for each in agreed],
        }


def _torchvision_loads() -> bool:
    try:
        import_module('torchvision')
    except (ImportError, OSError, RuntimeError, AttributeError):
        for name in [each for each in sys.modules if each.split('.')[0] == 'torchvision']:
            del sys.modules[name]
        return False
    return True
