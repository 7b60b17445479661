# SPDX-License-Identifier: Apache-2.0
"""Which detections are wanted, and where: what may change while a detector runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.image.region_of_interest import WHOLE_IMAGE, Region
from gremsy_detector.image.tiling import Tiling
from gremsy_detector.model.class_names import check_known, class_mask


@dataclass(frozen=True, slots=True)
class Selection:
    """Which detections are wanted; may change while the detector runs.

    Attributes:
        confidence: least score of what is reported, exclusive, 0..1.
        candidate_confidence: least score of a candidate; where `confidence` is lower, that.
        iou: overlap above which the worse of two boxes of one class goes, 0..1.
        max_detections: most boxes per image, best first; of what is reported and of the candidates alike.
        classes: class names, empty for all.
        class_confidence: class name and its own least score, instead of `confidence`. One that is lower than
            `candidate_confidence`, or higher than `confidence`, is that of the candidates too: what is distrusted must
            not begin a track either.
        region: what lies outside is ignored.
        tiling: how the region is cut.
    """

    # Of the shipped model's boxes above .5 nine in ten are right (docs/figures.md). A box above .2 may keep a known
    # track; lower ones led the tracker astray, those above .1 too, ByteTrack's for another model.
    confidence: float = 0.5
    candidate_confidence: float = 0.2
    iou: float = 0.5
    max_detections: int = 100
    classes: tuple[str, ...] = ()
    class_confidence: tuple[tuple[str, float], ...] = ()
    region: Region = WHOLE_IMAGE
    tiling: Tiling = Tiling()

    @property
    def is_one_run(self) -> bool:
        """Whether the network runs once, on the whole image."""
        return self.region.is_whole and self.tiling.is_whole

    @property
    def least_candidate(self) -> float:
        """Least score of a candidate whose class has no threshold of its own."""
        return min(self.candidate_confidence, self.confidence)

    def thresholds(self, names: Sequence[str], model: str) -> NDArray[np.float32] | None:
        """(nc,) least score of every class for being reported; None where `confidence` holds for all.

        Args:
            names: the model's class names by index.
            model: what to call the model in an error.

        Raises:
            ParameterError: for a name that the model does not know, with the nearest ones.
        """
        if not self.class_confidence:
            return None
        check_known('class_confidence', [name for name, _ in self.class_confidence], names, model)
        by_index = np.asarray(names)
        thresholds = np.full(len(names), self.confidence, dtype=np.float32)
        for name, confidence in self.class_confidence:
            thresholds[by_index == name] = confidence
        return thresholds

    def candidate_thresholds(self, names: Sequence[str], model: str) -> NDArray[np.float32] | None:
        """(nc,) least score of every class for being a candidate; None where `least_candidate` holds for all.

        Raises:
            ParameterError: see `thresholds`.
        """
        reported = self.thresholds(names, model)
        if reported is None:
            return None
        lowest = np.minimum(reported, np.float32(self.least_candidate))
        return np.where(reported > np.float32(self.confidence), reported, lowest)

    def check(self, names: Sequence[str], model: str) -> None:
        """See that the model knows every class.

        Raises:
            ParameterError: for a name that it does not know, with the nearest ones.
        """
        class_mask(self.classes, names, model)
        self.thresholds(names, model)

    def least_confidence(self, names: Sequence[str], model: str) -> float:
        """The threshold that no reported box is below, whatever its class: what `label_info` tells.

        Raises:
            ParameterError: see `thresholds`.
        """
        thresholds = self.thresholds(names, model)
        if thresholds is None:
            return self.confidence
        mask = class_mask(self.classes, names, model)
        return float((thresholds if mask is None else thresholds[mask]).min())


DEFAULT_SELECTION = Selection()


def parse_class_confidence(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Class names and thresholds from parameter `class_confidence`, `name:0.4` each.

    Raises:
        ParameterError: for a text of another form, a threshold out of range, a name that comes twice.
    """
    parsed: dict[str, float] = {}
    for text in texts:
        # From the right: a class name may have a colon in it.
        name, colon, number = text.rpartition(':')
        name = name.strip()
        if not colon or not name:
            raise ParameterError(f"Parameter `class_confidence` has '{text}': write it as name:threshold, person:0.4.")
        try:
            confidence = float(number)
        except ValueError as error:
            raise ParameterError(
                f"Parameter `class_confidence` has '{text}', where '{number.strip()}' is no number: "
                f'write it as {name}:0.4.'
            ) from error
        if not 0.0 <= confidence <= 1.0:
            raise ParameterError(
                f"Parameter `class_confidence` has '{text}', out of its range: use a threshold of 0 .. 1."
            )
        if name in parsed:
            raise ParameterError(f"Parameter `class_confidence` has '{name}' twice: give each class one threshold.")
        parsed[name] = confidence
    return tuple(parsed.items())
