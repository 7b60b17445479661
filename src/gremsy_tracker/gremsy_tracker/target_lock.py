# SPDX-License-Identifier: Apache-2.0
"""Which of the tracks is the target: chosen by an operator or a policy, kept through changes of id, lost after a time.

Locking is apart from moving: a lock says what is followed; whether the gimbal follows is `Pointing.enable`, and whether
anything moves at all is the driver's arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from gremsy_common.detections import Tracks
from gremsy_tracker.tracker_parameters import TrackerParameters

Array = NDArray[np.float64]


class LockState(str, Enum):
    """What the lock is doing."""

    IDLE = 'idle'  # nobody and no policy chose a target
    SEARCHING = 'searching'  # looking for one to choose, or waiting for the chosen id to appear
    TRACKING = 'tracking'  # the target was in the newest image
    COASTING = 'coasting'  # it was not, a moment ago it was
    LOST = 'lost'  # not seen for too long


@dataclass(frozen=True, slots=True)
class LockStatus:
    """State, why, and who; `target_id` and `label` are kept while lost, so that the same track can come back."""

    state: LockState
    reason: str
    target_id: int | None = None
    label: str = ''


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The tracks of one image beside what is known of the target's place.

    Attributes:
        tracks: confirmed tracks of this image.
        centre_offsets_px: (N,) distance of each box centre from the image's centre.
        off_target_rad: (N,) angle of each from the target's predicted bearing; None without a target or an attitude.
        fits_target: (N,) whether it could be the target by the bearing filter's gate; None like above.
    """

    tracks: Tracks
    centre_offsets_px: Array
    off_target_rad: Array | None = None
    fits_target: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which track (row of `Tracks`) is the target in this image, and whether it is another one than before."""

    index: int | None
    is_new: bool = False


class TargetLock:
    """The state machine; time is the images' own."""

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters = parameters
        self._seen_ns = 0
        self._neighbours: frozenset[int] = frozenset()
        self._had_target = False
        self._status = self._without_target('no target was chosen')

    @property
    def status(self) -> LockStatus:
        """State and reason now."""
        return self._status

    @property
    def had_target(self) -> bool:
        """Whether there was a target since the last release."""
        return self._had_target

    def select_id(self, track_id: int, how: str = 'chosen by id') -> None:
        """Lock on the track of that id, now or when it next appears within `lost_after_s`-long searching."""
        self._had_target = False
        self._status = LockStatus(LockState.SEARCHING, f'track {track_id} {how}, waiting to see it', track_id)

    def release(self, reason: str = 'released') -> None:
        """Forget the target; an automatic policy will choose again only after it is set again or a target is chosen."""
        self._had_target = False
        self._status = LockStatus(LockState.IDLE, reason)

    def search(self, reason: str) -> None:
        """Forget the target and let the policy choose."""
        self._had_target = False
        self._status = self._without_target(reason)

    def update(self, sighting: Sighting) -> Choice:
        """Take one image's tracks; says which of them is the target."""
        before = self._status
        if before.state is LockState.IDLE:
            return Choice(None)
        if before.target_id is None:
            return self._choose(sighting)
        index = self._row_of_target(sighting, before)
        if index is not None:
            is_new = before.state in (LockState.SEARCHING, LockState.LOST)
            return self._lock_on(sighting.tracks, index, self._reason(before, sighting.tracks, index), is_new)
        if before.state is LockState.SEARCHING:
            return Choice(None)
        if before.state is LockState.LOST:
            if self.parameters.auto_lock == 'none':
                return Choice(None)
            self._status = LockStatus(LockState.SEARCHING, f'track {before.target_id} was lost')
            return self._choose(sighting)
        unseen_s = (sighting.tracks.stamp_ns - self._seen_ns) * 1e-9
        if unseen_s > self.parameters.lost_after_s:
            self.lose(f'not seen for {self.parameters.lost_after_s:g} s')
        elif before.state is LockState.TRACKING:
            self._status = replace(before, state=LockState.COASTING, reason='not in the newest image')
        return Choice(None)

    def lose(self, reason: str) -> None:
        """The target is gone; its id is kept, in case it comes back."""
        self._status = replace(self._status, state=LockState.LOST, reason=reason)

    def _without_target(self, reason: str) -> LockStatus:
        if self.parameters.auto_lock == 'none':
            return LockStatus(LockState.IDLE, reason)
        return LockStatus(LockState.SEARCHING, reason)

    def _choose(self, sighting: Sighting) -> Choice:
        tracks, policy = sighting.tracks, self.parameters.auto_lock
        if policy == 'none':
            return Choice(None)
        # A doubtful box may keep a track alive, but nobody should be followed who was not clearly seen once.
        allowed = tracks.scores >= self.parameters.high_score
        if self.parameters.lock_classes:
            allowed &= np.isin(tracks.labels, self.parameters.lock_classes)
        if not allowed.any():
            return Choice(None)
        if policy == 'nearest':
            worth = -sighting.centre_offsets_px
        else:
            worth = np.prod(tracks.boxes_px[:, 2:] - tracks.boxes_px[:, :2], axis=1)
        index = int(np.argmax(np.where(allowed, worth, -np.inf)))
        return self._lock_on(tracks, index, f'chosen by `auto_lock` {policy}', is_new=True)

    def _row_of_target(self, sighting: Sighting, status: LockStatus) -> int | None:
        tracks = sighting.tracks
        rows = np.flatnonzero(tracks.ids == status.target_id)
        row = int(rows[0]) if len(rows) else None
        following = status.state in (LockState.TRACKING, LockState.COASTING)
        if not following or sighting.off_target_rad is None or sighting.fits_target is None:
            return row
        if row is not None and sighting.fits_target[row]:
            return row
        near = (tracks.labels == status.label) & (sighting.off_target_rad <= self.parameters.handover_angle_rad)
        if row is None:
            # One that stood beside the target when it was last seen is somebody else.
            near &= ~np.isin(tracks.ids, list(self._neighbours))
        else:
            # The id went elsewhere than anything can move: two tracks swapped ids if another one is where it should be.
            near &= sighting.fits_target
        if not near.any():
            return row
        return int(np.argmin(np.where(near, sighting.off_target_rad, np.inf)))

    def _reason(self, before: LockStatus, tracks: Tracks, index: int) -> str:
        track_id = int(tracks.ids[index])
        if before.target_id != track_id:
            return f'handed over from track {before.target_id}'
        if before.state is LockState.TRACKING:
            return before.reason
        return {
            LockState.SEARCHING: 'chosen by request',
            LockState.COASTING: 'seen again',
            LockState.LOST: 'came back',
            LockState.IDLE: '',
        }[before.state]

    def _lock_on(self, tracks: Tracks, index: int, reason: str, is_new: bool) -> Choice:
        self._seen_ns = tracks.stamp_ns
        self._had_target = True
        target_id = int(tracks.ids[index])
        self._neighbours = frozenset(map(int, tracks.ids)) - {target_id}
        self._status = LockStatus(LockState.TRACKING, reason, target_id, str(tracks.labels[index]))
        return Choice(index, is_new)
