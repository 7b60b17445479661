# SPDX-License-Identifier: Apache-2.0
"""Where things that stand still went in the image, from the images alone: for when the gimbal's telemetry is stale.

Corners (Shi & Tomasi, "Good features to track", CVPR 1994) of the earlier image are found again in the later one by
pyramidal Lucas-Kanade (Bouguet, 2001), and RANSAC fits the homography that most of them agree on (Hartley & Zisserman,
section 4.8). It costs a hundred times what telemetry costs and needs texture, so it is the second choice, and where
it is not sure it says nothing rather than something wrong.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array
from gremsy_common.timing.stamp_check import StampOrder, order_of
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.camera_model import CameraModel

Points = NDArray[np.float32]
Grey = NDArray[np.uint8]

# Images are made smaller by a whole factor until their longer side has at most so many pixels: a corner is then found
# to a tenth of a small pixel, a quarter of a pixel at 640x480, while a box jitters by several.
_LONGEST_SIDE_PX = 480
# A second at 30 frames/s, 80 kB each: longer than the oldest detections still of use.
_KEEP = 32
_CORNERS = 200
_CORNER_QUALITY, _CORNER_DISTANCE_PX = 0.01, 8.0
# Noise of a dark picture has corners too; those of things have an eigenvalue of the gradients above this (grey levels
# squared, as cv2.cornerMinEigenVal gives for a block of 3).
_LEAST_EIGENVALUE = 2e-4
# 45 deg/s for a tenth of a second is 50 small px at a field of 40 degrees; five levels of 21 px reach 160.
_WINDOW_PX, _LEVELS, _LEVELS_TO_REFINE = 21, 4, 1
_AGREE_WITHIN_PX = 1.0
# With fewer, or less than half, an accident agrees as well.
_LEAST_INLIERS, _LEAST_INLIER_SHARE = 15, 0.5
# Corners from one part of the image say nothing of the rest, where a homography then does what it likes.
_LEAST_SPREAD = 0.35
# From one image to the next no lens zooms by more than this.
_LARGEST_ZOOM = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class KnownMotion:
    """What is known of a picture, by its stamp, besides what it shows.

    Attributes:
        level_from_camera: (3, 3) by telemetry; None where it does not reach.
        heading_at: of the level frame, rad, as far as it is known.
        camera_at: the camera that took it.
    """

    level_from_camera: Callable[[int], Array | None]
    heading_at: Callable[[int], float]
    camera_at: Callable[[int], CameraModel | None]


@dataclass(frozen=True, slots=True, eq=False)
class _SmallImage:
    """A picture made smaller by `shrink`."""

    grey: Grey
    shrink: int


class VisualEgoMotion:
    """The last images, asked for the motion between two of them; safe to use from several threads.

    Args:
        least_apart_ns: an image that comes sooner after the last is not kept.

    Attributes:
        dropped: counts by reason of images not kept (`images_unsorted`, `images_unusable`) and of motions not found
            (`motion_images_missing`, `motion_too_little_texture`, `motion_not_agreed_on`, `motion_from_one_side_only`,
            `motion_implausible`).
    """

    def __init__(self, least_apart_ns: int = 0) -> None:
        self.dropped: Counter[str] = Counter()
        self._least_apart_ns = least_apart_ns
        self._mutex = threading.Lock()
        self._images: TimedHistory[_SmallImage] = TimedHistory(most=_KEEP)

    def offer(self, stamp_ns: int, image: Grey) -> bool:
        """Keep an image, (height, width) grey or (height, width, 3) BGR, which is not referred to afterwards.

        False (and counted) for a stamp not newer than the last, or something that is no picture; a jump back of more
        than half a second forgets the others. False, too, for one that comes too soon.
        """
        newest_ns = self._images.newest_ns
        if newest_ns is not None and 0 <= stamp_ns - newest_ns < self._least_apart_ns:
            return False
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
            return self._drop('images_unusable')
        if min(image.shape[:2]) < _WINDOW_PX:
            return self._drop('images_unusable')
        small = _made_small(image)
        with self._mutex:
            if order_of(stamp_ns, self._images.newest_ns) is StampOrder.NOT_NEWER:
                self.dropped['images_unsorted'] += 1
                return False
            self._images.put(stamp_ns, small)
        return True

    def stamps_until(self, stamp_ns: int) -> list[int]:
        """Of the images kept, up to that time, in order."""
        with self._mutex:
            return [each for each, _ in self._images if each <= stamp_ns]

    def clear(self) -> None:
        """Forget all images."""
        with self._mutex:
            self._images.clear()

    def motion(self, before_ns: int, after_ns: int, moving_boxes_px: Array | None = None) -> Array | None:
        """(3, 3) homography of pixels of one image to those of another, for far things that stand still.

        Args:
            before_ns: exact stamp of the earlier image.
            after_ns: exact stamp of the later one.
            moving_boxes_px: (N, 4) boxes in the earlier image of what may move by itself; nothing is read there.

        Returns:
            The motion; None (and the reason counted) where the images do not tell it.
        """
        with self._mutex:
            before, after = self._images.exactly(before_ns), self._images.exactly(after_ns)
        if before is None or after is None or before.grey.shape != after.grey.shape or before.shrink != after.shrink:
            motion: Array | str = 'motion_images_missing'
        else:
            motion = _motion(before, after, moving_boxes_px)
        if isinstance(motion, str):
            self._drop(motion)
            return None
        return motion

    def _drop(self, reason: str) -> bool:
        with self._mutex:
            self.dropped[reason] += 1
        return False


def _motion(before: _SmallImage, after: _SmallImage, moving_boxes_px: Array | None) -> Array | str:
    """(3, 3) in the images' own pixels, or why they do not tell it."""
    corners = _corners(before, moving_boxes_px)
    if len(corners) < _LEAST_INLIERS:
        return 'motion_too_little_texture'
    size = np.array(before.grey.shape[::-1])
    fit = _fit(corners, _follow(before.grey, after.grey, corners, _LEVELS))
    if fit is not None and _plausible(fit.homography, size):
        # Once more from where that leads: a window that grew by a tenth is followed to a pixel or two only.
        carried = np.asarray(cv2.warpPerspective(before.grey, fit.homography, before.grey.shape[::-1]), dtype=np.uint8)
        expected = np.asarray(cv2.perspectiveTransform(corners[:, None], fit.homography)[:, 0], dtype=np.float32)
        fit = _fit(corners, _follow(carried, after.grey, expected, _LEVELS_TO_REFINE))
    if fit is None:
        return 'motion_not_agreed_on'
    if (np.ptp(fit.inliers, axis=0) < _LEAST_SPREAD * size).any():
        return 'motion_from_one_side_only'
    if not _plausible(fit.homography, size):
        return 'motion_implausible'
    return _in_own_pixels(fit.homography, before.shrink)


def _made_small(image: Grey) -> _SmallImage:
    height, width = image.shape[:2]
    shrink = max(1, math.ceil(max(height, width) / _LONGEST_SIDE_PX))
    # Whole multiples only, so that a small pixel is exactly `shrink` large ones.
    image = image[: height // shrink * shrink, : width // shrink * shrink]
    small = cv2.resize(image, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY) if small.ndim == 3 else small
    # The camera's own memory may be used again for the next picture.
    own = np.array(grey, dtype=np.uint8, copy=True) if shrink == 1 else np.asarray(grey, dtype=np.uint8)
    return _SmallImage(own, shrink)


def _corners(image: _SmallImage, moving_boxes_px: Array | None) -> Points:
    """(N, 2) small px of where there is texture in two directions, outside the boxes."""
    mask = np.full(image.grey.shape, 255, dtype=np.uint8)
    if moving_boxes_px is not None:
        usable = moving_boxes_px[np.isfinite(moving_boxes_px).all(axis=1)] / image.shrink
        # A corner's window reaches beyond it: whoever moves within it would take it along.
        grown = np.clip(usable + _WINDOW_PX / 4 * np.array([-1, -1, 1, 1]), 0, max(mask.shape)).astype(int)
        for x_min, y_min, x_max, y_max in grown:
            mask[y_min:y_max, x_min:x_max] = 0
    # None, whatever the stubs say, where there is no corner.
    found: Points | None = cv2.goodFeaturesToTrack(  # type: ignore[assignment]
        image.grey, _CORNERS, _CORNER_QUALITY, _CORNER_DISTANCE_PX, mask=mask
    )
    if found is None:
        return np.zeros((0, 2), dtype=np.float32)
    points = found[:, 0]
    place = points.astype(int)
    strong = cv2.cornerMinEigenVal(image.grey, 3)[place[:, 1], place[:, 0]] >= _LEAST_EIGENVALUE
    return points[strong]


def _follow(before: Grey, after: Grey, start: Points, levels: int) -> Points:
    """(N, 2) where the corners went, NaN where that was not found."""
    end, ok, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]  # where to begin may be left out
        before, after, start[:, None], None, winSize=(_WINDOW_PX, _WINDOW_PX), maxLevel=levels
    )
    return np.asarray(np.where(ok == 1, end[:, 0], np.nan), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """What most corners agree on: a homography (3, 3), and (K, 2) the corners that do."""

    homography: Array
    inliers: Points


def _fit(start: Points, end: Points) -> _Fit | None:
    seen = np.isfinite(end).all(axis=1)
    start, end = start[seen], end[seen]
    if len(start) < _LEAST_INLIERS:
        return None
    found: tuple[Array | None, Grey] = cv2.findHomography(  # type: ignore[assignment]  # None where it fails
        start, end, cv2.RANSAC, _AGREE_WITHIN_PX
    )
    homography, mask = found
    if homography is None:
        return None
    inliers = start[mask.ravel() == 1]
    if len(inliers) < max(_LEAST_INLIERS, _LEAST_INLIER_SHARE * len(start)):
        return None
    return _Fit(homography, inliers)


def _in_own_pixels(homography: Array, shrink: int) -> Array:
    """The same in the image's own pixels: OpenCV's are whole at a pixel's middle, ours at its corner (design.md 4)."""
    large_from_small = np.array([[shrink, 0, shrink / 2], [0, shrink, shrink / 2], [0, 0, 1.0]])
    return np.asarray(large_from_small @ homography @ np.linalg.inv(large_from_small))


def _plausible(homography: Array, size: NDArray[np.int_]) -> bool:
    """Whether a camera that turns and zooms a little can do that: every corner in front, areas kept within bounds."""
    width, height = size.tolist()
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=np.float64)
    moved = corners @ homography.T
    if not np.isfinite(moved).all() or (moved[:, 2] <= 0.1).any():
        return False
    x, y = (moved[:, :2] / moved[:, 2:]).T
    # Twice the signed area of the four-sided figure (shoelace formula).
    area = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / (2.0 * width * height)
    return 1.0 / _LARGEST_ZOOM**2 <= area <= _LARGEST_ZOOM**2
