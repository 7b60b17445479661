# SPDX-License-Identifier: Apache-2.0
"""Which of the tracks is the target: chosen by an operator or a policy, kept through changes of id, lost after a time.

Locking is apart from moving: a lock says what is followed; whether the gimbal follows is `Tracker.enable`, and whether
anything moves at all is the driver's arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from gremsy_common.types.detections import Tracks
from gremsy_tracker.lock.lock_evidence import LockEvidence, Sighting
from gremsy_tracker.lock.target_request import TargetRequest
from gremsy_tracker.tracker_parameters import TrackerParameters


class LockState(str, Enum):
    """What the lock is doing."""

    IDLE = 'idle'  # nobody and no policy chose a target
    SEARCHING = 'searching'  # looking for one to choose, or waiting for the chosen one to appear
    TRACKING = 'tracking'  # the target was in the newest image
    COASTING = 'coasting'  # it was not, a moment ago it was
    LOST = 'lost'  # not seen for too long

    @property
    def follows(self) -> bool:
        """Whether there is a target to point at."""
        return self in (LockState.TRACKING, LockState.COASTING)


@dataclass(frozen=True, slots=True)
class LockStatus:
    """State, why, and who; `target_id` and `label` are kept while lost, so that the same target can come back."""

    state: LockState
    reason: str
    target_id: int | None = None
    label: str = ''


@dataclass(frozen=True, slots=True)
class Choice:
    """Which track is the target in this image.

    Attributes:
        index: row of `Tracks`, None where the target is not in it.
        is_new: its bearing is no continuation of what was known: another target, or one that was lost.
        is_other: it is another target than before, or the first.
    """

    index: int | None
    is_new: bool = False
    is_other: bool = False


_NOT_SEEN = Choice(None)


class TargetLock:
    """The state machine; time is the images' own.

    Attributes:
        status: state and reason now.
        had_target: whether there was a target since the last release or choice.
        evidence: what speaks for and against a track being the target.
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters = parameters
        self.evidence = LockEvidence(parameters)
        self._seen_ns = 0
        self.had_target = False
        self._request: TargetRequest | None = None
        self._lost: LockStatus | None = None  # whom a policy looks for first
        self.status = self._without_target('no target was chosen')

    @property
    def asked(self) -> str:
        """By which word of `target_request` the target is chosen; empty where nobody and no policy chooses one."""
        if self._request is not None:
            return self._request.word
        policy = self.parameters.auto_lock
        if policy == 'none' or self.status.state is LockState.IDLE:
            return ''
        return TargetRequest(policy=policy, label=','.join(self.parameters.lock_classes)).word

    def reconfigure(self, parameters: TrackerParameters) -> None:
        """Use other parameters from now on."""
        self.parameters = self.evidence.parameters = parameters

    def select(self, request: TargetRequest, how: str) -> None:
        """Lock on what was asked for, in the next image that has it."""
        self._forget()
        self._request = request
        self.status = LockStatus(
            LockState.SEARCHING, f'{request} was chosen {how}, waiting to see it', request.track_id, request.label
        )

    def release(self, reason: str = 'released') -> None:
        """Forget the target; an automatic policy will choose again only after it is set again or a target is chosen."""
        self._forget()
        self.status = LockStatus(LockState.IDLE, reason)

    def search(self, reason: str) -> None:
        """Forget the target and let the policy choose."""
        self._forget()
        self.status = self._without_target(reason)

    def update(self, sighting: Sighting) -> Choice:
        """Take one image's tracks; says which of them is the target."""
        before = self.status
        if before.state is LockState.IDLE:
            return _NOT_SEEN
        if before.state is LockState.SEARCHING:
            return self._choose(sighting)
        choice = self._find_again(sighting) if before.state is LockState.LOST else self._follow(sighting)
        if choice.index is None and before.state is LockState.LOST and self.parameters.auto_lock != 'none':
            self._request, self._lost = None, before
            self.status = LockStatus(LockState.SEARCHING, f'track {before.target_id} was lost')
            choice = self._choose(sighting)
        return choice

    # Inside.

    def _forget(self) -> None:
        self.had_target = False
        self._request = self._lost = None
        self.evidence.clear()

    def _without_target(self, reason: str) -> LockStatus:
        if self.parameters.auto_lock == 'none':
            return LockStatus(LockState.IDLE, reason)
        return LockStatus(LockState.SEARCHING, reason)

    def _choose(self, sighting: Sighting) -> Choice:
        """Nobody is followed yet."""
        tracks, request = sighting.tracks, self._request
        if request is not None and request.track_id is not None:
            index = _row_of(tracks, request.track_id)
            return _NOT_SEEN if index is None else self._lock_on(sighting, index, 'chosen by request', is_other=True)
        policy = self.parameters.auto_lock if request is None else request.policy
        if policy == 'none':
            return _NOT_SEEN
        if self._lost is not None:
            index = self.evidence.found_again(sighting, self._lost.label)
            if index is not None:
                return self._lock_on(sighting, index, _found_again(self._lost), is_new=True)
        # A doubtful box may keep a track alive, but nobody should be followed who was not clearly seen once.
        allowed = tracks.scores >= self.parameters.high_score
        if request is not None and request.label:
            allowed &= tracks.labels == request.label
        elif self.parameters.lock_classes:
            allowed &= np.isin(tracks.labels, self.parameters.lock_classes)
        if not allowed.any():
            return _NOT_SEEN
        if policy == 'nearest':
            worth = -sighting.centre_offsets_px
        else:
            worth = np.prod(tracks.boxes_px[:, 2:] - tracks.boxes_px[:, :2], axis=1)
        index = int(np.argmax(np.where(allowed, worth, -np.inf)))
        reason = f'chosen automatically: {policy}' if request is None else f'chosen by request: {request}'
        return self._lock_on(sighting, index, reason, is_other=True)

    def _follow(self, sighting: Sighting) -> Choice:
        """The target was seen a moment ago."""
        before, tracks = self.status, sighting.tracks
        assert before.target_id is not None
        own = _row_of(tracks, before.target_id)
        elsewhere = self.evidence.elsewhere(sighting, own, before.label)
        if elsewhere is not None:
            # The bearings of late were the other's.
            follows = sighting.fits_target is not None and bool(sighting.fits_target[elsewhere])
            reason = f'handed over: track {before.target_id} went to another'
            return self._lock_on(sighting, elsewhere, reason, is_new=not follows)
        why_not = 'not in the newest image'
        if own is not None:
            why_not = self.evidence.doubt(sighting, own, returning=before.state is LockState.COASTING)
            if not why_not:
                reason = 'seen again' if before.state is LockState.COASTING else before.reason
                return self._lock_on(sighting, own, reason)
            why_not = f'track {before.target_id} {why_not}'
        successor = self.evidence.successor(sighting, before.label) if own is None else None
        if successor is not None:
            return self._lock_on(sighting, successor, f'handed over from track {before.target_id}')
        if (tracks.stamp_ns - self._seen_ns) * 1e-9 > self.parameters.lost_after_s:
            self.status = replace(
                before, state=LockState.LOST, reason=f'not seen for {self.parameters.lost_after_s:g} s'
            )
        else:
            self.status = replace(before, state=LockState.COASTING, reason=why_not)
        return _NOT_SEEN

    def _find_again(self, sighting: Sighting) -> Choice:
        """The target is lost."""
        before = self.status
        assert before.target_id is not None
        own = _row_of(sighting.tracks, before.target_id)
        if own is not None and self.evidence.may_come_back(sighting, own):
            return self._lock_on(sighting, own, 'came back', is_new=True)
        index = self.evidence.found_again(sighting, before.label)
        if index is None:
            return _NOT_SEEN
        return self._lock_on(sighting, index, _found_again(before), is_new=True)

    def _lock_on(
        self, sighting: Sighting, index: int, reason: str, *, is_new: bool = False, is_other: bool = False
    ) -> Choice:
        tracks = sighting.tracks
        self._seen_ns = tracks.stamp_ns
        self.had_target, self._lost = True, None
        if is_other:
            self.evidence.clear()
        self.evidence.seen(sighting, index, returning=not is_other and self.status.state is not LockState.TRACKING)
        self.status = LockStatus(LockState.TRACKING, reason, int(tracks.ids[index]), str(tracks.labels[index]))
        return Choice(index, is_new or is_other, is_other)


def _row_of(tracks: Tracks, track_id: int) -> int | None:
    ids = tracks.ids.tolist()
    return ids.index(track_id) if track_id in ids else None


def _found_again(lost: LockStatus) -> str:
    return f'found again: looks like track {lost.target_id} did'
