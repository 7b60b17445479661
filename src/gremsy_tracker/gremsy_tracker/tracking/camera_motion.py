# SPDX-License-Identifier: Apache-2.0
"""How the camera's own turning and zooming moved the image between two stamps: by telemetry, else by the images.

Which camera model (zoom included) each image was taken with is remembered here too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.frame import Frame
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking.attitude_history import AttitudeAt
from gremsy_tracker.tracking.ego_motion import ImageMotion, motion_between
from gremsy_tracker.tracking.visual_ego_motion import VisualEgoMotion

Array = NDArray[np.float64]

# Changes, not messages, are kept: a zoom in motion changes the model 30 times a second, images are at most 0.8 s old.
_KEEP = 64


class CameraHistory:
    """Camera models by the stamp from which each was valid.

    Attributes:
        dropped: counts by reason of models that were not used.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._changes: TimedHistory[CameraModel] = TimedHistory(most=_KEEP)

    def offer(self, stamp_ns: int, model: CameraModel) -> bool:
        """Store what a CameraInfo of that stamp said; False (and counted) for an uncalibrated camera."""
        if not model.usable:
            self.dropped['camera_models_unusable'] += 1
            return False
        self._changes.forget_after(stamp_ns)  # a clock that jumped back
        if self._changes.newest != model:
            self._changes.put(stamp_ns, model)
        return True

    def clear(self) -> None:
        """Forget all but the newest model, which stays valid for every time."""
        newest = self._changes.newest
        if newest is not None:
            self._changes.clear()
            self._changes.put(0, newest)

    def at(self, stamp_ns: int) -> CameraModel | None:
        """The model valid at that time (the oldest one known, for an earlier time); None before the first."""
        earlier, later = self._changes.around(stamp_ns)
        return earlier or later


class CameraMotion:
    """The camera's models, and its motion.

    Args:
        parameters: `ego_motion` and `visual_ego_motion`.
        attitude_at: where the camera looked at a time, None where that is not known.
    """

    def __init__(self, parameters: TrackerParameters, attitude_at: Callable[[int], AttitudeAt | None]) -> None:
        self.parameters = parameters
        self._attitude_at = attitude_at
        self._cameras = CameraHistory()
        self._visual = VisualEgoMotion()
        self._from_images = 0

    @property
    def counts(self) -> Counter[str]:
        """What was dropped, and how often the images had to tell, by reason."""
        told = Counter({'camera_motions_from_images': self._from_images}) if self._from_images else Counter[str]()
        return self._cameras.dropped + self._visual.dropped + told

    def clear(self) -> None:
        """The clock was set."""
        self._cameras.clear()
        self._visual.clear()

    def offer_model(self, stamp_ns: int, model: CameraModel) -> None:
        """Intrinsics (zoom included) of the image of that stamp."""
        self._cameras.offer(stamp_ns, model)

    def offer_frame(self, frame: Frame) -> None:
        """An image, while `visual_ego_motion` is on."""
        if self.parameters.visual_ego_motion:
            self._visual.offer(frame.stamp_ns, frame.image)

    def camera_at(self, stamp_ns: int) -> CameraModel | None:
        """The model of the image of that stamp, None before the first."""
        return self._cameras.at(stamp_ns)

    def told(self, before_ns: int, camera: CameraModel | None, attitude: AttitudeAt | None) -> ImageMotion | None:
        """From the image of that stamp to the one taken with this camera at this attitude; None if unknown."""
        camera_before = self._cameras.at(before_ns)
        if camera is None or camera_before is None or not self.parameters.ego_motion:
            return None
        # Looked up again for the earlier image: telemetry that came since makes it interpolated, not extrapolated.
        attitude_before = self._attitude_at(before_ns)
        if attitude is None or attitude_before is None:
            # Nothing tells how the camera turned, but a stream that changed its size has moved every box.
            resized = (camera.width, camera.height) != (camera_before.width, camera_before.height)
            return motion_between(camera_before, np.eye(3), camera, np.eye(3)) if resized else None
        return motion_between(camera_before, attitude_before.level_from_camera, camera, attitude.level_from_camera)

    def seen(self, before_ns: int, after_ns: int, moving_boxes_px: Array | None) -> Array | None:
        """The same, (3, 3), from the images, where that is asked for: without it a turn of the camera loses the tracks.

        Args:
            before_ns: stamp of the earlier image.
            after_ns: stamp of the later one.
            moving_boxes_px: (N, 4) what may move by itself in the earlier one.
        """
        if not (self.parameters.ego_motion and self.parameters.visual_ego_motion):
            return None
        motion = self._visual.motion(before_ns, after_ns, moving_boxes_px)
        self._from_images += motion is not None
        return motion
