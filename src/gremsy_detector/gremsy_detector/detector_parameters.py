# SPDX-License-Identifier: Apache-2.0
"""The detector node's parameters."""

from __future__ import annotations

from dataclasses import dataclass

from gremsy_common.node_parameters import NodeParameters
from gremsy_common.parameters import param
from gremsy_detector.backend_registry import AUTO
from gremsy_detector.default_model import DEFAULT
from gremsy_detector.detector import Selection


@dataclass(frozen=True)
class DetectorParameters(NodeParameters):
    """What the detector looks for, with which model."""

    model: str = param(DEFAULT, doc='Model file, or `default` for the one that is shipped (NanoDet-g, COCO classes).')
    backend: str = param(AUTO, doc='What runs the model: `auto`, or a back end by name (`onnxruntime`).')
    confidence: float = param(0.25, doc='A box must score more than this.', low=0.0, high=1.0, live=True)
    iou: float = param(
        0.5,
        doc='Of two boxes of one class that overlap by more than this, only the better scored stays.',
        low=0.0,
        high=1.0,
        live=True,
    )
    classes: tuple[str, ...] = param((), doc='Names of the classes to report; empty for all.', live=True)
    max_detections: int = param(
        100, doc='Most boxes per image, the best scored first.', unit='boxes', low=1, high=1000, live=True
    )
    take: str = param(
        'newest',
        doc='Which image a free detector takes: `newest`, the one that waits (more results), or `next`, the next to '
        'arrive (fresher ones).',
        choices=('newest', 'next'),
        live=True,
    )

    @property
    def selection(self) -> Selection:
        """The part that the detector's core knows."""
        return Selection(self.confidence, self.iou, self.max_detections, self.classes)
