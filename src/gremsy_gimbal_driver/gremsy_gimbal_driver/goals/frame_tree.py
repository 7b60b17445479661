# SPDX-License-Identifier: Apache-2.0
"""The newest transform of every frame on /tf and /tf_static, and the way between two of them.

tf2's buffer is C++ and not on PyPI; a goal needs no history, only where things are now, and a refusal that names the
frame, its age and the frames that are known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import matrix_from_quaternion, multiply_quaternions
from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.notices import Refusal

Array = NDArray[np.float64]

_CONJUGATE: Array = np.array([1.0, -1.0, -1.0, -1.0])
_SHOWN_FRAMES = 12
# A publisher that makes up a new name each time must not fill the memory; the largest robots have some hundreds.
_MOST_FRAMES = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A rigid transform `a_from_b`: coordinates in b to coordinates in a."""

    rotation_wxyz: Array
    translation_m: Array

    def __matmul__(self, other: Pose) -> Pose:
        """`a_from_c = a_from_b @ b_from_c`."""
        return Pose(multiply_quaternions(self.rotation_wxyz, other.rotation_wxyz), self.point(other.translation_m))

    @property
    def inverse(self) -> Pose:
        """`b_from_a`."""
        back = self.rotation_wxyz * _CONJUGATE
        return Pose(back, -(matrix_from_quaternion(back) @ self.translation_m))

    def point(self, point_m: Array) -> Array:
        """A point's coordinates in a."""
        return np.asarray(matrix_from_quaternion(self.rotation_wxyz) @ point_m + self.translation_m)


IDENTITY = Pose(np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3))


@dataclass(frozen=True, slots=True, eq=False)
class FrameTransform:
    """One transform as it is published: where `child` is in `parent`.

    `stamp_ns` is on the ROS clock; a static one holds for ever.
    """

    parent: str
    child: str
    translation_m: Array
    rotation_wxyz: Array
    stamp_ns: int
    is_static: bool = False


class FrameTree:
    """Not for several threads at once.

    Args:
        own: children whose edges are taken only from `take_own`: what others publish about them is ignored. The level
            frame is one: how it hangs on the vehicle depends on the mode, which only the driver knows.
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        self._own = frozenset(map(frame_name, own))
        self._edges: dict[str, FrameTransform] = {}

    @property
    def frames(self) -> tuple[str, ...]:
        """All frames that are known, sorted."""
        parents = {edge.parent for edge in self._edges.values()}
        return tuple(sorted(parents.union(self._edges)))

    def take(self, transform: FrameTransform) -> None:
        """Keep a transform of anybody's.

        Raises:
            Refusal: for one that is no transform; what was known of its child stays.
        """
        if frame_name(transform.child) not in self._own:
            self.take_own(transform)

    def take_own(self, transform: FrameTransform) -> None:
        """Keep a transform, whosever child it is.

        Raises:
            Refusal: for one that is no transform; what was known of its child stays.
        """
        parent, child = frame_name(transform.parent), frame_name(transform.child)
        if not parent or not child or parent == child:
            raise Refusal(
                'transform_of_itself',
                f"The transform from '{parent}' to '{child}' was ignored: its two frames must have different names.",
            )
        norm = float(np.linalg.norm(transform.rotation_wxyz))
        if not (math.isfinite(norm) and abs(norm - 1.0) < 0.01 and np.isfinite(transform.translation_m).all()):
            raise Refusal(
                'transform_not_rigid',
                f"The transform from '{parent}' to '{child}' was ignored: its rotation is not a unit quaternion or its "
                'numbers are not finite.',
            )
        known = self._edges.get(child)
        if known is None and len(self._edges) >= _MOST_FRAMES:
            raise Refusal(
                'too_many_frames',
                f"The transform from '{parent}' to '{child}' was ignored: {_MOST_FRAMES} frames are known already; "
                'find what publishes ever new names.',
            )
        if known is not None and known.parent == parent and self._is_older(transform, known):
            return
        rotation, translation_m = transform.rotation_wxyz / norm, np.asarray(transform.translation_m, dtype=np.float64)
        self._edges[child] = replace(
            transform, parent=parent, child=child, rotation_wxyz=rotation, translation_m=translation_m
        )

    def lookup(self, a: str, b: str, now_ns: int, age_limit_s: float) -> Pose:
        """`a_from_b`, now.

        Raises:
            Refusal: for a frame that is not known, frames that are not connected or go round in a circle, and a
                transform on the way that is older than the limit.
        """
        a, b = frame_name(a), frame_name(b)
        if a == b:
            return IDENTITY
        known = self.frames
        for frame in (b, a):
            if frame not in known:
                raise Refusal('unknown_frame', f"The frame '{frame}' is not known; {_known(known)}.")
        from_a, from_b = self._way_up(a), self._way_up(b)
        common = next((frame for frame in from_a if frame in from_b), None)
        if common is None:
            raise Refusal(
                'frames_not_connected',
                f"The frames '{a}' and '{b}' are not connected: '{a}' hangs from '{from_a[-1]}', '{b}' from "
                f"'{from_b[-1]}'; publish the transform between them.",
            )
        common_from_a = self._climb(from_a, common, now_ns, age_limit_s)
        return common_from_a.inverse @ self._climb(from_b, common, now_ns, age_limit_s)

    def _way_up(self, frame: str) -> list[str]:
        """The frame, its parent, and so on to the root."""
        way = [frame]
        while (edge := self._edges.get(way[-1])) is not None:
            if edge.parent in way:
                circle = ' from '.join(f"'{each}'" for each in [*way[way.index(edge.parent) :], edge.parent])
                raise Refusal('frames_in_a_circle', f'The frames hang in a circle: {circle}; one parent is wrong.')
            way.append(edge.parent)
        return way

    def _climb(self, way: list[str], top: str, now_ns: int, age_limit_s: float) -> Pose:
        """`top_from_frame` for the first frame of the way."""
        pose = IDENTITY
        for frame in way[: way.index(top)]:
            edge = self._edges[frame]
            age_ns = now_ns - edge.stamp_ns
            if not edge.is_static and age_ns > nanoseconds(age_limit_s):
                raise Refusal(
                    'stale_transform',
                    f"The transform from '{edge.parent}' to '{frame}' is {age_ns * 1e-9:.1f} s old, the limit is "
                    f'{age_limit_s:g} s: see whether its publisher still runs.',
                )
            pose = Pose(edge.rotation_wxyz, edge.translation_m) @ pose
        return pose

    def _is_older(self, transform: FrameTransform, known: FrameTransform) -> bool:
        """Whether it came out of order; by more than ten seconds it is a clock that restarted (a replay)."""
        behind_ns = known.stamp_ns - transform.stamp_ns
        return not transform.is_static and 0 < behind_ns < nanoseconds(10.0)


def frame_name(name: str) -> str:
    """Without the leading slash of tf's first version."""
    return name.removeprefix('/')


def _known(frames: tuple[str, ...]) -> str:
    if not frames:
        return 'no frame is: nothing came on /tf or /tf_static'
    shown = ', '.join(frames[:_SHOWN_FRAMES])
    return f'known are {shown}' + (f' and {len(frames) - _SHOWN_FRAMES} more' if len(frames) > _SHOWN_FRAMES else '')
