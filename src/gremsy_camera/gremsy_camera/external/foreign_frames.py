# SPDX-License-Identifier: Apache-2.0
"""What another driver's camera sent last: put here as it comes, taken by the source on its own thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from gremsy_common.timing.latest_slot import LatestSlot
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame

# A second of a camera at 60 Hz: its camera_info may come before or after its image.
_MODELS_KEPT = 60
# Widths and heights are rounded where a picture is made smaller.
_SAME_ASPECT = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """One image.

    Attributes:
        frame: makes it, on the thread of who takes it: a compressed one is decoded there. None where it cannot be
            used, which was said then.
        arrived_ns: monotonic.
    """

    frame: Callable[[], Frame | None]
    arrived_ns: int


class ForeignFrames:
    """The newest image, and the intrinsics by stamp; safe from two threads, one that puts and one that takes.

    Attributes:
        images: the newest one only.
        frame_id: to put frames into: of every one, where `frame_id` is set, else of those that have none.
    """

    def __init__(self, frame_id: str, default_frame_id: str) -> None:
        self.images: LatestSlot[Arrival] = LatestSlot()
        self._frame_id, self._default_frame_id = frame_id, default_frame_id
        self._models: OrderedDict[int, CameraModel] = OrderedDict()
        self._newest: CameraModel | None = None

    def placed(self, frame: Frame) -> Frame:
        """The very frame, or one of the same pixels in the frame that it is to be in."""
        wanted = self._frame_id or frame.frame_id or self._default_frame_id
        return frame if wanted == frame.frame_id else replace(frame, frame_id=wanted)

    def offer_model(self, stamp_ns: int, model: CameraModel) -> None:
        """The intrinsics for the image of that stamp."""
        self._models[stamp_ns] = model
        self._newest = model
        while len(self._models) > _MODELS_KEPT:
            self._models.popitem(last=False)

    @property
    def newest_model(self) -> CameraModel | None:
        """As it came last, usable or not; None when none ever did."""
        return self._newest

    def forget_models(self) -> None:
        """Their publisher is gone."""
        self._models = OrderedDict()
        self._newest = None

    def model_for(self, frame: Frame) -> CameraModel | None:
        """The intrinsics of that image: those of its stamp, or the newest where they have not come (yet).

        None where there are none that can be used: none came, K is 0, or they are of a picture of another aspect.
        """
        model = self._models.get(frame.stamp_ns, self._newest)
        if model is None or not model.usable:
            return None
        if (model.width, model.height) == (frame.width, frame.height):
            return model
        if not same_aspect(model, frame.width, frame.height):
            return None
        return model.cut(0.0, 0.0, model.width, model.height, frame.width, frame.height)


def same_aspect(model: CameraModel, width: int, height: int) -> bool:
    """Whether a picture of that size can be the camera's, made smaller or larger."""
    across, down = width / model.width, height / model.height
    return abs(across / down - 1.0) <= _SAME_ASPECT
