# SPDX-License-Identifier: Apache-2.0
"""What another driver's camera sent last: put here as it comes, taken by the source on its own thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from gremsy_camera.lens.camera_lens import same_aspect
from gremsy_common.timing.worker import LatestSlot
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame

# A second of a camera at 60 Hz: its camera_info may come before or after its image.
_MODELS_KEPT = 60


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
        newest_model: as it came last, usable or not; None when none ever did.
    """

    def __init__(self, frame_id: str, default_frame_id: str) -> None:
        """Frames are put into `frame_id` where it is set, else those without one into the default."""
        self.images: LatestSlot[Arrival] = LatestSlot()
        self._frame_id, self._default_frame_id = frame_id, default_frame_id
        self._models: OrderedDict[int, CameraModel] = OrderedDict()
        self.newest_model: CameraModel | None = None

    def placed(self, frame: Frame) -> Frame:
        """The very frame, or one of the same pixels in the frame that it is to be in."""
        wanted = self._frame_id or frame.frame_id or self._default_frame_id
        return frame if wanted == frame.frame_id else replace(frame, frame_id=wanted)

    def offer_model(self, stamp_ns: int, model: CameraModel) -> None:
        """The intrinsics for the image of that stamp."""
        self._models[stamp_ns] = model
        self.newest_model = model
        while len(self._models) > _MODELS_KEPT:
            self._models.popitem(last=False)

    def forget_models(self) -> None:
        """Their publisher is gone."""
        self._models = OrderedDict()
        self.newest_model = None

    def model_for(self, frame: Frame) -> CameraModel | None:
        """The intrinsics of that image: those of its stamp, or the newest where they have not come (yet).

        None where there are none that can be used: none came, K is 0, or they are of a picture of another aspect.
        """
        model = self._models.get(frame.stamp_ns, self.newest_model)
        if model is None or not model.usable:
            return None
        if (model.width, model.height) == (frame.width, frame.height):
            return model
        if not same_aspect(model.width, model.height, frame.width, frame.height):
            return None
        return model.cut(0.0, 0.0, model.width, model.height, frame.width, frame.height)
