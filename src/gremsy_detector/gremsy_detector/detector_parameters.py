# SPDX-License-Identifier: Apache-2.0
"""The detector node's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gremsy_common.parameters.parameter_fields import NodeParameters, Span, live_param, param
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_detector.backends.backend import DEFAULT_OPTIONS, BackendOptions
from gremsy_detector.backends.backend_registry import AUTO
from gremsy_detector.backends.sharing.shared_model import BATCH_CHOICES
from gremsy_detector.image.region_of_interest import Region
from gremsy_detector.image.tiling import Tiling
from gremsy_detector.model.default_model import DEFAULT
from gremsy_detector.selection import DEFAULT_SELECTION, Selection, parse_class_confidence

# On one robot; an engine for more images than ever come together is slower for those that do.
_MOST_CAMERAS = 4


@dataclass(frozen=True)
class DetectorParameters(NodeParameters):
    """What the detector looks for, with which model."""

    model: str = param(
        DEFAULT, 'Model file, or `default` for the one that is shipped (NanoDet-g, COCO classes).', form=TextForm.PATH
    )
    backend: str = param(
        AUTO,
        'What runs the model: `auto` for the first that opens, in the order of preference, or one back end by name '
        '(`tensorrt`, `tensorrt_rtx`, `onnxruntime`), without a fallback.',
    )
    provider: str = param(
        DEFAULT_OPTIONS.provider,
        'Execution provider of ONNX Runtime; `auto` takes the fastest available.',
        choices=('auto', 'cpu', 'cuda', 'tensorrt', 'openvino'),
    )
    threads: int = param(
        DEFAULT_OPTIONS.threads, 'CPU threads that the network runs on; 0 lets the back end choose.', Span(0, 64)
    )
    device: int = param(DEFAULT_OPTIONS.device, 'Number of the GPU, as CUDA counts them.', Span(0, 63))
    precision: str = param(
        DEFAULT_OPTIONS.precision,
        'Precision of the engine that is built from an ONNX file, and of ONNX Runtime on CUDA (except `int8`); `model` '
        "keeps the file's own, and multiplies with 10-bit mantissas where that is faster, which `fp32` does not.",
        choices=('fp32', 'fp16', 'int8', 'model'),
    )
    engine_dir: str = param(
        '', "Folder for built engines and graphs; empty for the user's cache folder.", form=TextForm.PATH
    )
    share_model: bool = param(
        True,
        'Detectors in one process with the same `model`, `backend`, `provider`, `threads`, `device`, '
        '`precision` and `engine_dir` share one model, held in memory once; thresholds, `resize` and all else stay '
        'separate. Set it to false for a model of its own.',
    )
    batch: str = param(
        'auto',
        'Whether images of two cameras that are due together go in one run of a shared model that takes several: '
        '`auto` where that was measured to save time (tried when the second detector opens), `always` (an '
        'engine that is built here is then one for up to four images), `never`.',
        choices=BATCH_CHOICES,
    )
    build_only: bool = param(False, 'Build the engine, report it, and exit with status 0.')
    resize: str = param(
        'auto',
        'How an image is brought to the size of the network: as the model file says (`auto`), `letterbox`, '
        '`stretch`, or `top_left` (a letterbox whose padding is right and below). A model finds less when it is fed in '
        'another way than it was trained.',
        choices=('auto', 'letterbox', 'stretch', 'top_left'),
    )
    warm_up_runs: int = param(
        3, 'Runs on an empty image before the first real one, which would otherwise be late.', Span(1, 100, 'runs')
    )
    failures_before_restart: int = param(
        3,
        'After this many images in a row on which the network failed, the back end is closed and opened again.',
        Span(1, 1000, 'images'),
    )
    hangs_after_s: float = param(
        2.0,
        'An image that takes the network longer than this, and ten times as long as the slowest before it, '
        'is given up: ONNX Runtime ends the run; another back end, or a run that does not end, ends its process, which '
        'is then started again. 0 waits forever.',
        Span(0.0, 600.0, 's'),
    )
    only_when_watched: bool = live_param(
        True,
        'Take no images and do no work while nobody subscribes to `detections` or `detections/candidates`; false '
        'to keep detecting all the same.',
    )
    confidence: float = live_param(
        DEFAULT_SELECTION.confidence, 'A box must score more than this to be in `detections`.', Span(0.0, 1.0)
    )
    candidate_confidence: float = live_param(
        DEFAULT_SELECTION.candidate_confidence,
        'A box must score more than this to be in `detections/candidates`, with which the tracker keeps a target '
        'that is half hidden; where `confidence` is lower, it applies here too.',
        Span(0.0, 1.0),
    )
    class_confidence: tuple[str, ...] = live_param(
        (),
        'Classes with a threshold of their own in place of `confidence`: `person:0.4`, one entry each. One above '
        '`confidence` applies to `detections/candidates` too, so that the tracker follows nothing that it keeps out.',
    )
    iou: float = live_param(
        DEFAULT_SELECTION.iou,
        'Of two boxes of one class that overlap by more than this, only the better scored stays.',
        Span(0.0, 1.0),
    )
    classes: tuple[str, ...] = live_param((), 'Names of the classes to report; empty for all.')
    max_detections: int = live_param(
        DEFAULT_SELECTION.max_detections,
        'Most boxes per image on either topic, the best scored first.',
        Span(1, 1000, 'boxes'),
    )
    region_of_interest: tuple[float, ...] = live_param(
        (0.0, 0.0, 1.0, 1.0),
        'x_min, y_min, x_max, y_max of the part of the image to detect in, as shares of its width and height.',
        Span(0.0, 1.0),
    )
    tiles: tuple[int, ...] = live_param(
        (1, 1),
        'Columns and rows that the region is cut into, for small objects in large images. Each tile is a run of '
        'the network: [2, 2] takes five times as long as [1, 1].',
        Span(1, 16),
    )
    tile_overlap: float = live_param(
        0.2,
        "Overlap of neighbouring tiles, as a share of a tile's side: smaller objects are whole in one of them.",
        Span(0.0, 0.5),
    )
    tiles_and_whole: bool = live_param(
        True, 'Detect in the whole region too, for objects larger than a tile; one more run of the network.'
    )
    take: str = live_param(
        'newest',
        'Which image an idle detector takes: `newest`, the one that waits (more results), or `next`, the next to '
        'arrive (fresher results).',
        choices=('newest', 'next'),
    )

    def check(self) -> None:
        """What the ranges alone do not say; called before any of a set of changes holds.

        Raises:
            ParameterError: for the first that cannot be, alone or with another.
        """
        # What cannot be read as a selection is refused by its own sentence.
        _ = self.selection

    @property
    def selection(self) -> Selection:
        """The part that the detector's core knows."""
        return Selection(
            confidence=self.confidence,
            candidate_confidence=self.candidate_confidence,
            iou=self.iou,
            max_detections=self.max_detections,
            classes=self.classes,
            class_confidence=parse_class_confidence(self.class_confidence),
            region=Region.parse(self.region_of_interest),
            tiling=Tiling.parse(self.tiles, self.tile_overlap, self.tiles_and_whole),
        )

    @property
    def options(self) -> BackendOptions:
        """The part that a back end knows, without anybody to talk to."""
        return BackendOptions(
            threads=self.threads,
            device=self.device,
            provider=self.provider,
            precision=self.precision,
            images=_MOST_CAMERAS if self.share_model and self.batch == 'always' else 1,
            engine_dir=Path(self.engine_dir).expanduser() if self.engine_dir else None,
        )
