# SPDX-License-Identifier: Apache-2.0
"""Which of the tracks is the target: chosen by an operator or a policy, kept through changes of id, lost after a time.

Locking is apart from moving: a lock says what is followed; whether the gimbal follows is `Tracker.enable`, and whether
anything moves at all is the driver's arm.

What speaks for and against a track being the target is its place, its looks, and when it began. A tracker's id is a
good witness but no proof: behind a post, or where two people cross, it goes to the wrong one, or a new one begins.
Place alone cannot tell two people who cross; looks alone cannot tell two black coats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import Array
from gremsy_common.types.detections import Tracks
from gremsy_tracker.lock.target_request import TargetRequest
from gremsy_tracker.tracker_parameters import TrackerParameters

# Looks outweigh place this far off, as a multiple of `handover_angle_rad`: two who crossed have parted by then.
_LOOKS_REACH = 3.0
_SUCCESSOR_REACH = 2.0
# Looks must speak against the id for a while: a box half hidden, or half another's, looks strange for a moment. What
# counts is the difference in looks summed over time: 0.3 (a red coat and a black one) needs 0.07 s, 0.1 needs 0.2.
_LEAST_DIFFERENCE = 0.05
_ENOUGH_S = 0.02
_LEAST_IMAGES = 2
_LONGEST_STEP_S = 0.2
_FORGOTTEN_AFTER_NS = 500_000_000
# Who comes back may be somebody else who came out where the target went in. For so long it is on probation: its looks
# are not learnt, and against a newcomer, whom nobody saw before the target hid, it counts less that it has the id.
_PROBATION_NS = 1_500_000_000
_NEWCOMER_DIFFERENCE, _ENOUGH_OF_NEWCOMER_S = 0.02, 0.01
# Ids of others that are remembered at most; older ones have long left the image.
_REMEMBERED_IDS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The tracks of one image beside what is known of the target.

    Attributes:
        tracks: confirmed tracks of this image.
        centre_offsets_px: (N,) distance of each box centre from the image's centre.
        off_target_rad: (N,) angle of each from the target's predicted bearing; None without a target or an attitude.
        fits_target: (N,) whether it could be the target by the bearing filter's gate; None like above.
        looks: (N,) distance of its colours from the target's, 0 alike to 1; NaN or None where it is not known.
        newest_id: no track older than this image has a higher id; confirmed or not.
    """

    tracks: Tracks
    centre_offsets_px: Array
    off_target_rad: Array | None = None
    fits_target: NDArray[np.bool_] | None = None
    looks: Array | None = None
    newest_id: int = 0

    def looks_known(self) -> Array:
        """(N,) `looks` with NaN where it is not known."""
        return np.full(len(self.tracks), np.nan) if self.looks is None else self.looks


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """That another track is the target: which, when last, in how many images, and the difference summed over time."""

    rival: int
    stamp_ns: int
    images: int
    weight_s: float


class LockEvidence:
    """Remembers who was seen beside the target, and how much speaks for another."""

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters = parameters
        self._others: dict[int, None] = {}  # in order of sighting
        self._newest_id = 0
        self._seen_ns = 0
        self._suspicion: _Suspicion | None = None
        # When the target came back last, and as it hid: when it was last seen, and the highest id until then.
        self._back_ns: int | None = None
        self._hid_ns = self._known_id = 0
        self._looked_ns: int | None = None  # the image before this one
        self._now_ns: int | None = None

    def clear(self) -> None:
        """There is no target."""
        self._others.clear()
        self._newest_id = 0
        self._back_ns = self._suspicion = None

    def on_probation(self, stamp_ns: int) -> bool:
        """Whether it is not yet certain that who came back is the target."""
        return self._back_ns is not None and stamp_ns - self._back_ns <= _PROBATION_NS

    def seen(self, sighting: Sighting, index: int, *, returning: bool = False) -> None:
        """That row is the target; `returning`: after it was not."""
        tracks = sighting.tracks
        if returning:
            if not self.on_probation(tracks.stamp_ns):
                self._hid_ns, self._known_id = self._seen_ns, self._newest_id
            self._back_ns = tracks.stamp_ns
        self._seen_ns = tracks.stamp_ns
        if self._suspicion is not None and self._suspicion.rival == int(tracks.ids[index]):
            self._suspicion = None  # it was right
        self._newest_id = max(sighting.newest_id, int(tracks.ids.max()))
        if len(tracks) == 1:
            return
        # One object seen twice at once overlaps itself; who stands apart is somebody else.
        low, high = tracks.boxes_px[:, :2], tracks.boxes_px[:, 2:]
        apart = ((low >= high[index]) | (high <= low[index])).any(axis=1)
        for other in tracks.ids[apart].tolist():
            self._others.pop(other, None)
            self._others[other] = None
        self._others.pop(int(tracks.ids[index]), None)
        while len(self._others) > _REMEMBERED_IDS:
            del self._others[next(iter(self._others))]

    def doubt(self, sighting: Sighting, own: int, *, returning: bool) -> str:
        """Why the track with the target's id (row `own`) should not be believed to be it; empty where it should.

        Args:
            sighting: of the newest image, which `elsewhere` has been asked about.
            own: that row.
            returning: it was not in the image before.
        """
        fits = sighting.fits_target is None or bool(sighting.fits_target[own])
        # NaN, where the looks are not known, is no reason for doubt.
        if returning and self._misfit(sighting, self.parameters.unlike_distance)[own] > 1.0:
            return 'looks like somebody else'
        if returning and self._suspicion is not None and self._suspicion.stamp_ns == sighting.tracks.stamp_ns:
            return 'looks less like the target than another'
        if not fits and sighting.looks_known()[own] > self.parameters.unlike_distance:
            return 'looks like somebody else'
        return ''

    def may_come_back(self, sighting: Sighting, own: int) -> bool:
        """Whether a lost target's own track (row `own`) may be it: it must look like itself, where that is known."""
        return not self._misfit(sighting, self.parameters.alike_distance)[own] > 1.0

    def elsewhere(self, sighting: Sighting, own: int | None, label: str) -> int | None:
        """The row that is the target although another one has its id; None as long as that is not certain."""
        tracks, off, fits = sighting.tracks, sighting.off_target_rad, sighting.fits_target
        self._looked_ns, self._now_ns = self._now_ns, tracks.stamp_ns
        if off is None or fits is None:
            return None
        looks, alike = sighting.looks_known(), self.parameters.alike_distance
        others = tracks.labels == label
        if own is not None:
            others[own] = False
        newcomers = self._newcomers(tracks)
        # Since the target hid it and who came back for it have parted.
        parted_s = np.where(newcomers, (tracks.stamp_ns - self._hid_ns) * 1e-9, 0.0)
        reach = _LOOKS_REACH * self.parameters.handover_angle_rad * (1.0 + parted_s)
        candidates = others & (off <= reach) & (looks <= alike)
        if own is None:
            # It hides while the one suspected is in view, looking like the target: that speaks for it as well.
            candidates &= tracks.ids == (0 if self._suspicion is None else self._suspicion.rival)
            return self._suspect(tracks, looks, candidates, own_looks=alike + looks)
        if not fits[own]:
            # The id went elsewhere than anything can move: another one that is where it should be has swapped with it.
            there = others & fits & (off <= self.parameters.handover_angle_rad)
            there &= ~(looks > self.parameters.unlike_distance)
            if there.any():
                return _least(off, there)
        if looks[own] <= alike:
            candidates &= newcomers
            if not candidates.any():
                self._suspicion = None  # it looks like itself
                return None
        candidates &= looks <= looks[own] - np.where(newcomers, _NEWCOMER_DIFFERENCE, _LEAST_DIFFERENCE)
        return self._suspect(tracks, looks, candidates, own_looks=np.full(len(tracks), looks[own]))

    def _suspect(self, tracks: Tracks, looks: Array, candidates: NDArray[np.bool_], *, own_looks: Array) -> int | None:
        """One more image: the best candidate's row once enough speaks for it.

        Args:
            tracks: of that image.
            looks: (N,) of each.
            candidates: (N,) who looks more like the target than the track with its id.
            own_looks: (N,) what each is compared with.
        """
        if not candidates.any():
            return None
        row, now_ns, before = _least(looks, candidates), tracks.stamp_ns, self._suspicion
        rival = int(tracks.ids[row])
        step_s = 0.0 if self._looked_ns is None else max(0.0, (now_ns - self._looked_ns) * 1e-9)
        weight_s = min(step_s, _LONGEST_STEP_S) * float(own_looks[row] - looks[row])
        images = 1
        if before is not None and before.rival == rival and now_ns - before.stamp_ns <= _FORGOTTEN_AFTER_NS:
            images, weight_s = before.images + 1, before.weight_s + weight_s
        self._suspicion = _Suspicion(rival, now_ns, images, weight_s)
        enough_s = _ENOUGH_OF_NEWCOMER_S if self._newcomers(tracks)[row] else _ENOUGH_S
        return row if images >= _LEAST_IMAGES and weight_s >= enough_s else None

    def successor(self, sighting: Sighting, label: str) -> int | None:
        """The row of a new track that goes on where the target's ended; None where there is none."""
        off, fits = sighting.off_target_rad, sighting.fits_target
        if off is None or fits is None:
            return None
        looks = sighting.looks_known()
        candidates = self._strangers(sighting.tracks, label)
        angle = self.parameters.handover_angle_rad
        is_younger = sighting.tracks.ids > self._newest_id
        by_place = is_younger & (off <= angle) & ~(looks > self.parameters.unlike_distance)
        misfit = self._misfit(sighting, self.parameters.alike_distance)
        by_looks = fits & (misfit <= 1.0)
        candidates &= by_place | by_looks
        if not candidates.any():
            return None
        return _least(np.where(np.isnan(misfit), off / angle, misfit), candidates)

    def found_again(self, sighting: Sighting, label: str) -> int | None:
        """The row of a track that looks like the lost target and may have got there; None where there is none."""
        misfit = self._misfit(sighting, self.parameters.alike_distance)
        candidates = self._strangers(sighting.tracks, label) & (misfit <= 1.0)
        return _least(misfit, candidates) if candidates.any() else None

    def _misfit(self, sighting: Sighting, looks_limit: float) -> Array:
        """(N,) of place and looks together, up to 1 where they fit; NaN where the looks are not known.

        The better it looks, the farther off it may be; and the longer ago, the less its place says.
        """
        looks = (sighting.looks_known() / max(looks_limit, 1e-6)) ** 2
        if sighting.off_target_rad is None:
            return np.asarray(looks)
        unseen_s = max(0.0, (sighting.tracks.stamp_ns - self._seen_ns) * 1e-9)
        reach = _SUCCESSOR_REACH * self.parameters.handover_angle_rad * (1.0 + unseen_s)
        return np.asarray(looks + (sighting.off_target_rad / reach) ** 2)

    def _newcomers(self, tracks: Tracks) -> NDArray[np.bool_]:
        """(N,) who began after the target hid; nobody but while it is on probation."""
        return np.asarray((tracks.ids > self._known_id) & self.on_probation(tracks.stamp_ns))

    def _strangers(self, tracks: Tracks, label: str) -> NDArray[np.bool_]:
        """(N,) of the target's class and never seen beside it."""
        strangers = tracks.labels == label
        if self._others:
            strangers &= ~np.isin(tracks.ids, list(self._others))
        return strangers


def _least(values: Array, where: NDArray[np.bool_]) -> int:
    return int(np.argmin(np.where(where, values, np.inf)))


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
