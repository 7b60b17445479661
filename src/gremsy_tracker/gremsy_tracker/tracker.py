# SPDX-License-Identifier: Apache-2.0
"""The whole tracker without ROS: detections and telemetry in, tracks, target and rate setpoints out.

One image's way: `MultiObjectTracker` (moved by `camera_motion`) -> `bearings` at the image's stamp -> `TargetLock` ->
`PointingCore` -> setpoint. What the setpoint does not need comes after it has left: the looks that the next image is
judged by, whether the picture is frozen, zoom, the target's box.
Every method may be called from any thread; time comes in as an argument.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gremsy_common.geometry import Array, wrap_angle
from gremsy_common.timing.stamp_check import StampCheck, StampFault, StampKind, StampOrder
from gremsy_common.timing.timed_history import TimedHistory
from gremsy_common.types.attitude_age import AttitudeAge
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.detections import Detections, Target, Tracks
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude, LevelHeading, RangeReading, RateSetpoint, ZoomState
from gremsy_tracker.display.tracker_view import TrackerUpdate, TrackerView
from gremsy_tracker.lock.aim_point import AimPoint
from gremsy_tracker.lock.appearance import TargetAppearance
from gremsy_tracker.lock.target_lock import LockState, LockStatus, Sighting, TargetLock
from gremsy_tracker.lock.target_request import CLICKABLE_NS, REACH_PX, TargetRequest, parse_request, row_at_pixel
from gremsy_tracker.place.box_ranges import upright_box
from gremsy_tracker.place.target_range import TargetRanges, bearing_of, position_of
from gremsy_tracker.pointing import bearings
from gremsy_tracker.pointing.bearing_filter import BearingEstimate
from gremsy_tracker.pointing.pointing_core import Aim, PointingCore
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking import camera_motion
from gremsy_tracker.tracking.attitude_age_learner import AttitudeAgeLearner
from gremsy_tracker.tracking.camera_motion import CameraMotion
from gremsy_tracker.tracking.frozen_view import FrozenView
from gremsy_tracker.tracking.heading_from_pictures import HeadingFromPictures
from gremsy_tracker.tracking.multi_object_tracker import MultiObjectTracker
from gremsy_tracker.tracking.visual_ego_motion import KnownMotion
from gremsy_tracker.zoom import ZoomControl

# As the counts name them.
STAMP_REASONS = {
    StampKind.ZERO: 'stamps_zero',
    StampKind.AHEAD: 'stamps_from_the_future',
    StampKind.BEHIND: 'stamps_far_behind',
    StampKind.FROZEN: 'stamps_repeated',
    StampKind.BACKWARDS: 'stamps_unsorted',
}
# A heading of the level frame that is older says nothing about now.
_HEADING_FRESH_NS = 500_000_000
# After so long without a heading the pictures are used: one at 10 Hz may miss twice.
_NO_HEADING_NS = 250_000_000
# Who holds the gimbal while it is calibrated (gremsy_gimbal_driver.motion.command_arbiter.Source).
_CALIBRATION = 'calibration'
# Whoever comes closer to the target than so many hand-over angles may take its id: looks are compared.
_CONTESTED_ANGLES = 4.0


def _not_sent(_setpoint: RateSetpoint | None) -> None:
    """For whoever takes the setpoint from the update."""


@dataclass(frozen=True, slots=True, eq=False)
class _SeenImage:
    """One image's tracks, and how it was taken.

    Attributes:
        tracks: confirmed, seen in it, with the boxes as detected: the bearing filter smooths on its own.
        camera: intrinsics, zoom included; None before the first.
        attitude: (3, 3) of the camera at its stamp, None where no telemetry is near enough.
        bearings_rad: (N, 2) of the tracks' centres in the still frame, None without either.
    """

    tracks: Tracks
    camera: CameraModel | None
    attitude: Array | None
    bearings_rad: Array | None


def _pixel_of(estimate: BearingEstimate | None, camera: CameraModel | None, attitude: Array | None) -> Array | None:
    """(2,) where the target is in an image taken so; None where that is not known, or not before the camera."""
    if estimate is None or camera is None or attitude is None:
        return None
    pixel_px = bearings.pixels_of_bearings(estimate.bearing_rad[None], camera, attitude)[0]
    return pixel_px if np.isfinite(pixel_px).all() else None


class Tracker:
    """Tracks, lock and pointing of one camera on one gimbal.

    Attributes:
        dropped: counts by reason of inputs that were not used (the parts' own counts are in `counts`).
        stamp_faults: by reason of `counts`, the newest image whose stamp was counted under it.
        attitude_age: how old the telemetry is beside its stamps, as the pictures showed last; None where they have not
            yet.
        turning_by_pictures: whether the vehicle's turning is known by the pictures.
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self._mutex = threading.RLock()
        self._one_image = threading.Lock()  # at a time, the part after its setpoint included
        self._parameters = parameters
        self._multi_object_tracker = MultiObjectTracker(parameters)
        self._lock = TargetLock(parameters)
        self._core = PointingCore(parameters)
        self._camera = CameraMotion(parameters, self._core.attitude_at)
        self._known = KnownMotion(self._level_attitude_at, self.heading_at, self._camera.camera_at)
        self._appearance = TargetAppearance(parameters)
        self._aim_point = AimPoint()
        self.dropped: Counter[str] = Counter()
        self._stamps = StampCheck()
        self.stamp_faults: dict[str, StampFault] = {}
        self._history: TimedHistory[Tracks] = TimedHistory(keep_ns=CLICKABLE_NS)
        self._target_row: int | None = None  # in the newest tracks
        self._zoom = ZoomControl(parameters)
        self._track_bearings: Array | None = None
        self._target_size_px = np.zeros(2)
        self._latency_s: float | None = None
        self._unused_because = ''
        self._frozen = FrozenView()
        self._age = AttitudeAgeLearner()
        self.attitude_age: AttitudeAge | None = None
        self._ranges = TargetRanges(parameters)
        self._turning = HeadingFromPictures()
        self._last_heading_ns: int | None = None  # of the telemetry, when the last heading arrived
        self.turning_by_pictures = False

    # Inputs.

    def reconfigure(self, parameters: TrackerParameters) -> None:
        """Use other parameters from now on; a changed `auto_lock` begins to search, or ends a search."""
        with self._mutex:
            policy_changed = parameters.auto_lock != self._parameters.auto_lock
            self._parameters = parameters
            self._multi_object_tracker.parameters = self._appearance.parameters = self._camera.parameters = parameters
            self._zoom.parameters = parameters
            self._lock.reconfigure(parameters)
            self._core.reconfigure(parameters)
            self._ranges.reconfigure(parameters)
            if not parameters.appearance_cue:
                self._appearance.forget_target()
                self._appearance.pictures.clear()
            if policy_changed and self._lock.status.state in (LockState.IDLE, LockState.SEARCHING):
                self._lock.search('`auto_lock` was changed')

    def offer_attitude(self, attitude: GimbalAttitude) -> None:
        """Telemetry of where the camera looked."""
        with self._mutex:
            jumped_ns = self._core.attitudes.jumped_ns
            self._core.offer_attitude(attitude)
            if self._core.attitudes.jumped_ns not in (jumped_ns, None):
                # To the pictures that would be a turn of the vehicle.
                self._turning.clear(self._core.attitudes.jumped_ns)
                self.turning_by_pictures = False
            self._age.turns(attitude.stamp_ns, float(np.linalg.norm(attitude.rate_rad_s)))

    def offer_heading(self, heading: LevelHeading) -> None:
        """How far the gimbal's level frame has turned with the vehicle; without it, it is taken not to turn."""
        with self._mutex:
            newest_ns, heading_ns = self._core.attitudes.samples.newest_ns, self._core.headings.samples.newest_ns
            if newest_ns is not None and newest_ns - heading.stamp_ns > _HEADING_FRESH_NS:
                self.dropped['headings_stale'] += 1
                return
            is_known = heading_ns is not None and heading.stamp_ns <= heading_ns
            if self.turning_by_pictures and is_known and math.isfinite(heading.heading_rad):
                # That time is covered by the pictures; they stop now, and the next heading that is newer is used.
                self._last_heading_ns = newest_ns
                return
            if not self._core.offer_heading(heading, of_another=self.turning_by_pictures):
                return
            self._last_heading_ns = heading.stamp_ns if newest_ns is None else newest_ns
            if self.turning_by_pictures:
                self.turning_by_pictures = False
                self._turning.clear()

    def offer_camera_model(self, stamp_ns: int, model: CameraModel) -> None:
        """Intrinsics (zoom included) of the image of that stamp."""
        with self._mutex:
            self._camera.offer_model(stamp_ns, model)

    def offer_zoom(self, zoom: ZoomState) -> None:
        """Magnification, for zoom control and for show: the intrinsics already contain it."""
        with self._mutex:
            self._zoom.offer(zoom)

    def offer_range(self, reading: RangeReading, now_ns: int) -> None:
        """How far away it is along the optical axis."""
        with self._mutex:
            self._ranges.offer(reading, now_ns)

    def offer_detections(
        self, detections: Detections, now_ns: int, send: Callable[[RateSetpoint | None], None] = _not_sent
    ) -> TrackerUpdate | None:
        """One image's detections, an empty set included; None where the stamp is refused (counted).

        Args:
            detections: of the image.
            now_ns: the time.
            send: given the setpoint as soon as it is decided, while nothing is held but the next image: what the
                setpoint does not need (the boxes' filters, looks, frozen pictures, zoom, the target's box) is worked
                out after it has left.
        """
        with self._one_image:
            with self._mutex:
                seen = self._seen(detections, now_ns)
                if seen is None:
                    return None
                sighting = self._follow_lock(seen)
                setpoint = self._setpoint(now_ns)
            send(setpoint)
            with self._mutex:
                published = self._multi_object_tracker.correct(seen.tracks)
                self._history.put(published.stamp_ns, published)
                self._track_bearings = seen.bearings_rad
                self._core.pictures_frozen = self._is_frozen(detections, seen)
                self._look_for_range(seen)
                self._learn(seen, sighting)
                target, zoom = self._target(seen, published), self._zoom_setpoint(now_ns, seen)
                return self._placed(TrackerUpdate(published, target, self._lock.status, setpoint, zoom))

    def select_pixel(self, x_px: float, y_px: float, stamp_ns: int = 0) -> str:
        """Lock on the track under (else close to) a pixel; returns a sentence on the result.

        Args:
            x_px: in source-image pixels.
            y_px: likewise.
            stamp_ns: of the image that was clicked on; 0 means the newest.
        """
        with self._mutex:
            tracks = self._history.at(stamp_ns) if stamp_ns else self._history.newest
            row = None if tracks is None else row_at_pixel(tracks.boxes_px, x_px, y_px)
            if tracks is None or row is None:
                where = f'({x_px:.0f}, {y_px:.0f})'
                return f'No track is at pixel {where}: click on a box, or within {REACH_PX:.0f} px of one.'
            self._select(TargetRequest(track_id=int(tracks.ids[row])), 'by click')
            return f'Track {int(tracks.ids[row])} ({tracks.labels[row]}) is chosen.'

    def select(self, text: str) -> str:
        """Lock on what a word asks for (`target_request`), now or when it appears; returns a sentence on the result."""
        with self._mutex:
            try:
                request = parse_request(text)
            except ValueError as error:
                return str(error)
            self._select(request, 'by request')
            return f'{str(request)[0].upper()}{str(request)[1:]} is chosen.'

    def release(self) -> None:
        """Forget the target and do not choose another until asked."""
        with self._mutex:
            self._lock.release('released by request')
            self._forget_target()

    def offer_frame(self, frame: Frame) -> None:
        """A picture, before its detections; offer them while `wants_frames`."""
        self._camera.offer_frame(frame)
        with self._mutex:
            camera = self._camera.camera_at(frame.stamp_ns)
            if camera is not None and (camera.width, camera.height) != (frame.width, frame.height):
                self.dropped['images_of_another_size'] += 1
            if self._compares_looks:
                self._appearance.offer_frame(frame)
            self._frozen.see(frame.image, frame.stamp_ns)
        if self._learns_age:
            self._age.offer_frame(frame)
        if self._looks_for_turning:
            self._turning.offer_frame(frame)

    @property
    def wants_frames(self) -> bool:
        """Whether pictures are of use: for the target's looks, the camera's and vehicle's motion, telemetry's age."""
        with self._mutex:
            needed = self._parameters.visual_ego_motion or self._compares_looks
            return needed or self._learns_age or self._looks_for_turning

    @property
    def _looks_for_turning(self) -> bool:
        """While there is a target, and no heading has come for a while."""
        if not self._parameters.heading_from_pictures or not self._lock.had_target:
            return False
        heading_ns, newest = self._last_heading_ns, self._core.attitudes.samples.newest_ns
        return heading_ns is None or (newest is not None and newest - heading_ns > _NO_HEADING_NS)

    def look_for_turning(self) -> None:
        """Estimate from the newest picture how the vehicle turns, where nothing else reports it; takes some 8 ms.

        Call it for each picture, on a thread that nobody waits for.
        """
        with self._mutex:
            newest_ns, tracks = self._core.attitudes.samples.newest_ns, self._history.newest
            if not self._looks_for_turning or newest_ns is None:
                return
        heading = self._turning.look(newest_ns, self._known, None if tracks is None else tracks.boxes_px)
        with self._mutex:
            heading_ns = self._core.headings.samples.newest_ns
            if (
                heading is None
                or not self._looks_for_turning
                or (heading_ns is not None and heading.stamp_ns <= heading_ns)
            ):
                return
            if self._core.offer_heading(heading, of_another=not self.turning_by_pictures):
                self.turning_by_pictures = True

    @property
    def _learns_age(self) -> bool:
        return self._parameters.learn_attitude_age and self._age.wants_pictures

    @property
    def _compares_looks(self) -> bool:
        return self._parameters.appearance_cue and self._lock.had_target

    def learn_attitude_age(self) -> AttitudeAge | None:
        """Look in the pictures how old the telemetry is, some 8 ms at most; the estimate when there is a new one.

        Call it after `offer_detections`, on a thread that nobody waits for.
        """
        if not self._learns_age:
            return None
        with self._mutex:
            tracks = self._history.newest
        age = self._age.learn(self._known, None if tracks is None else tracks.boxes_px)
        self.attitude_age = age or self.attitude_age
        return age

    def enable(self, enabled: bool) -> None:
        """Whether the lock yields setpoints."""
        with self._mutex:
            self._core.enable(enabled)

    def offer_control(self, control: ControlState, setpoint_topic: str) -> None:
        """Who may move the gimbal and who does; `setpoint_topic` is this tracker's."""
        with self._mutex:
            self._unused_because = control.unused_because(setpoint_topic)
            self._core.obey(not self._unused_because)
            self._age.keep_on(control.holder == _CALIBRATION)

    # Outputs.

    def tick(self, now_ns: int) -> RateSetpoint | None:
        """The rate to ask for now; call at 50 Hz. Zeros for 0.2 s after motion ends, then None."""
        with self._mutex:
            return self._setpoint(now_ns)

    @property
    def status(self) -> LockStatus:
        """The lock's state."""
        return self._lock.status

    def state(self) -> tuple[LockStatus, bool, str]:
        """The lock's state, whether it yields setpoints, and why no rate is asked for (empty while one is)."""
        with self._mutex:
            return self._lock.status, self._core.enabled, self._core.still_because

    @property
    def knows_camera(self) -> bool:
        """Whether intrinsics came: without them nothing has a bearing."""
        with self._mutex:
            return self._camera.camera_at(self._multi_object_tracker.stamp_ns or 0) is not None

    def knows_gimbal(self, now_ns: int) -> bool:
        """Whether its attitude is known now, without which nothing is pointed."""
        with self._mutex:
            return self._core.knows_gimbal(now_ns)

    @property
    def diverged(self) -> str:
        """What the divergence guard has switched pointing off for; empty while it has not."""
        return self._core.diverged

    @property
    def pictures_frozen(self) -> bool:
        """Whether the picture does not change while the camera turns: nothing is followed in it."""
        return self._core.pictures_frozen

    def vehicle_turning(self, now_ns: int) -> tuple[bool, float]:
        """Whether it is known now how the vehicle turns, and the share of it that turns the camera along."""
        with self._mutex:
            heading_ns = self._core.headings.samples.newest_ns
            return heading_ns is not None and now_ns - heading_ns <= _HEADING_FRESH_NS, self._core.share.carried

    def heading_at(self, stamp_ns: int) -> float:
        """Azimuth of the gimbal's level frame in the still frame at that time, rad."""
        with self._mutex:
            return self._core.heading_at(stamp_ns)

    def counts(self) -> dict[str, int]:
        """Everything that was dropped or refused, by reason."""
        with self._mutex:
            total = self.dropped + self._multi_object_tracker.dropped + self._core.counts() + self._camera.counts
            return dict(total + self._appearance.counts + self._ranges.counts)

    def view(self, stamp_ns: int) -> TrackerView:
        """The state shown for a frame of that stamp."""
        with self._mutex:
            camera, attitude = self._camera.camera_at(stamp_ns), self._core.attitude_at(stamp_ns)
            tracks = self._history.newest or Tracks.empty(stamp_ns, '')
            motion = self._camera.by_telemetry(tracks.stamp_ns, camera, attitude)
            if motion is not None and len(tracks):
                tracks = replace(tracks, boxes_px=camera_motion.move_boxes(tracks.boxes_px, motion))
            status = self._lock.status
            following = status.state.follows
            estimate = self._core.target.at(stamp_ns) if following else None
            gimbal = None if attitude is None else bearings.optical_axis(attitude)
            error_rad = None
            if estimate is not None and gimbal is not None:
                error_rad = bearings.angle_between(estimate.bearing_rad, gimbal)
            return TrackerView(
                stamp_ns=stamp_ns,
                tracks=tracks,
                status=status,
                enabled=self._core.enabled,
                still_because=self._core.still_because,
                predicted_px=_pixel_of(estimate, camera, attitude),
                target_size_px=self._target_size_px if following else None,
                target_bearing_rad=None if estimate is None else estimate.bearing_rad,
                target_std_rad=None if estimate is None else estimate.std_rad,
                gimbal_bearing_rad=gimbal,
                error_rad=error_rad,
                latency_s=self._latency_s,
                zoom=self._zoom.factor,
                camera=camera,
                level_from_camera=attitude,
                track_bearings_rad=self._track_bearings,
                followed_classes=(status.label,) if status.label else self._parameters.lock_classes,
                unused_because=self._unused_because,
                asked=self._lock.asked,
                heading_rad=self._core.heading_at(stamp_ns),
            )

    # Inside; the mutex is held.

    def _order_of(self, stamp_ns: int, now_ns: int) -> StampOrder | None:
        """The one gate for stamps: counts what is wrong with one; None for one that says nothing of when.

        What is far behind is still tracked and shown: whoever plays a recording wants to see it.
        """
        fault = self._stamps.look(stamp_ns, now_ns)
        order = self._stamps.order
        self._core.note_stamp_fault('' if fault is None else fault.text, now_ns)
        if fault is not None:
            reason = STAMP_REASONS[fault.kind]
            self.stamp_faults[reason] = fault
            # Of those in the wrong order only what is refused is counted below.
            if fault.kind in (StampKind.ZERO, StampKind.AHEAD, StampKind.BEHIND):
                self.dropped[reason] += 1
        if order is StampOrder.NOT_NEWER:
            repeated = stamp_ns == self._multi_object_tracker.stamp_ns
            self.dropped['stamps_repeated' if repeated else 'stamps_unsorted'] += 1
        return order

    def _level_attitude_at(self, stamp_ns: int) -> Array | None:
        with self._mutex:
            return self._core.attitudes.at(stamp_ns, self._parameters.max_attitude_age_s)

    def _seen(self, detections: Detections, now_ns: int) -> _SeenImage | None:
        """The next image's tracks; None for a stamp that is refused (counted)."""
        stamp_ns, tracking = detections.stamp_ns, self._multi_object_tracker
        order = self._order_of(stamp_ns, now_ns)
        if order in (None, StampOrder.NOT_NEWER):
            return None
        if order is StampOrder.RESTARTED:
            self._restart_time()
        camera, attitude = self._camera.camera_at(stamp_ns), self._core.attitude_at(stamp_ns)
        tracks = tracking.associate(
            self._within_lens(detections, camera),
            after_from_before=self._motion_since(tracking.stamp_ns, stamp_ns, camera, attitude),
            image_size_px=None if camera is None else (camera.width, camera.height),
        )
        if camera is not None:
            self._core.field_rad = camera.horizontal_field_rad
        self._core.offer_image(stamp_ns, now_ns)
        self._latency_s = (now_ns - stamp_ns) * 1e-9
        if camera is None or attitude is None:
            return _SeenImage(tracks, camera, attitude, None)
        centres = bearings.centres(tracks.boxes_px)
        seen_rad = bearings.bearings_of_pixels(centres, camera, attitude)
        return _SeenImage(tracks, camera, attitude, seen_rad)

    def _is_frozen(self, detections: Detections, seen: _SeenImage) -> bool:
        def motion_since(before_ns: int) -> camera_motion.ImageMotion | None:
            return None if seen.attitude is None else self._camera.by_telemetry(before_ns, seen.camera, seen.attitude)

        longest_silence_ns = self._core.attitudes.samples.longest_gap_ns
        return self._frozen.judge(detections.stamp_ns, detections.boxes_px, motion_since, longest_silence_ns)

    def _select(self, request: TargetRequest, how: str) -> None:
        self._lock.select(request, how)
        self._forget_target()

    def _forget_target(self) -> None:
        self._target_row = None
        self._core.forget_target()
        self._appearance.forget_target()
        self._ranges.forget_target()

    def _restart_time(self) -> None:
        self.dropped['clock_jumps'] += 1
        self._multi_object_tracker.restart_time()
        self._ranges.restart_time()
        self._core.restart_time()
        self._frozen.clear()
        self._camera.clear()
        self._age.clear()
        self._turning.clear()
        self._last_heading_ns, self.turning_by_pictures, self.attitude_age = None, False, None
        self._history.clear()
        self._forget_target()
        self._appearance.pictures.clear()
        self._zoom.restart_time()
        self._track_bearings = None
        if self._lock.status.state is not LockState.IDLE:
            self._lock.search('the clock jumped back')

    def _within_lens(self, detections: Detections, camera: CameraModel | None) -> Detections:
        """Without the boxes whose middle has no bearing: beyond what the lens's calibration holds for."""
        if camera is None or not camera.distorted or not len(detections):
            return detections
        centres = bearings.centres(detections.boxes_px)
        # What is not finite before is another fault, and the screening's to count.
        finite = np.isfinite(centres).all(axis=1)
        keep = np.ones(len(centres), dtype=np.bool_)
        keep[finite] = np.isfinite(camera.rays(centres[finite])).all(axis=1)
        if keep.all():
            return detections
        self.dropped['boxes_beyond_the_lens'] += int((~keep).sum())
        return detections.where(keep)

    def _motion_since(
        self, before_ns: int | None, after_ns: int, camera: CameraModel | None, attitude: Array | None
    ) -> camera_motion.ImageMotion | None:
        """How the camera moved the image; None for a first image, or where it is not known."""
        if before_ns is None:
            return None
        by_telemetry = self._camera.by_telemetry(before_ns, camera, attitude)
        if by_telemetry is not None:
            return by_telemetry
        before = self._history.newest
        return self._camera.by_images(before_ns, after_ns, None if before is None else before.boxes_px)

    def _follow_lock(self, seen: _SeenImage) -> Sighting:
        tracks, camera, attitude = seen.tracks, seen.camera, seen.attitude
        middle = np.zeros(2) if camera is None else camera.size_px / 2
        offsets = np.linalg.norm(bearings.centres(tracks.boxes_px) - middle, axis=1)
        estimate = self._core.target.at(tracks.stamp_ns)
        noise = off_target = fits = None
        if seen.bearings_rad is not None and camera is not None:
            noise = bearings.bearing_noise(
                tracks.boxes_px,
                tracks.scores,
                seen.bearings_rad[:, 1],
                camera,
                floor_rad=self._parameters.bearing_noise_rad,
                box_share=self._parameters.box_noise_share,
            )
            if estimate is not None:
                difference = wrap_angle(seen.bearings_rad - estimate.bearing_rad)
                off_target = np.hypot(difference[:, 0] * np.cos(estimate.bearing_rad[1]), difference[:, 1])
                fits = self._core.target.consistent(tracks.stamp_ns, seen.bearings_rad, noise)
        sighting = Sighting(tracks, offsets, off_target, fits, newest_id=self._multi_object_tracker.newest_id)
        sighting = replace(sighting, looks=self._looks_in_time(sighting))
        choice = self._lock.update(sighting)
        if choice.is_new or self._lock.status.target_id is None:
            self._core.forget_target()
        if choice.is_other:
            self._appearance.forget_target()
            self._aim_point.clear()
            self._ranges.forget_target()
        self._target_row = choice.index
        if choice.index is None:
            return sighting
        box = tracks.boxes_px[choice.index]
        self._target_size_px = box[2:] - box[:2]
        if seen.bearings_rad is None or noise is None or camera is None or attitude is None:
            return sighting
        predicted = None if choice.is_new else _pixel_of(estimate, camera, attitude)
        aimed = self._aim_point.aimed(tracks.stamp_ns, box, camera.size_px, camera.focal_px, predicted)
        if aimed.is_first_whole:
            self._core.forget_target()
        bearing = bearings.bearings_of_pixels(aimed.centre_px[None], camera, attitude)[0]
        bearing_noise = np.hypot(noise[choice.index] * aimed.noise_factor, aimed.unknown_px / camera.focal_px)
        self._core.offer_bearing(tracks.stamp_ns, bearing, bearing_noise)
        return sighting

    def _looks_in_time(self, sighting: Sighting) -> Array | None:
        """(N,) how unlike the target each track looks, as far as the lock has to know before the setpoint leaves.

        While the target goes on as it went, looks speak for another only by several images in a row. The setpoint
        need not wait for this one's: those of the image before are given.
        """
        tracks, status = sighting.tracks, self._lock.status
        if not self._compares_looks or not len(tracks):
            return None
        fits = sighting.fits_target
        if status.state is LockState.TRACKING and fits is not None and bool(fits[tracks.ids == status.target_id].any()):
            return self._appearance.looks_before(tracks)
        looks = self._looks(sighting)
        self._appearance.keep_looks(tracks, looks)
        return looks

    def _looks(self, sighting: Sighting) -> Array | None:
        """The same by this image itself, None where it is not known or not needed."""
        tracks, off_target_rad, status = sighting.tracks, sighting.off_target_rad, self._lock.status
        of_class = tracks.labels == status.label if status.label else np.ones(len(tracks), dtype=np.bool_)
        if not status.state.follows or off_target_rad is None:
            return self._appearance.looks(tracks, of_class, sighting.centre_offsets_px)
        reach = _CONTESTED_ANGLES * self._parameters.handover_angle_rad
        rivals = of_class & (off_target_rad <= reach)
        own = tracks.ids == status.target_id
        if status.state is LockState.TRACKING and (own & rivals).any() and rivals.sum() == 1:
            return None  # it alone is where it should be
        return self._appearance.looks(tracks, rivals | own, off_target_rad)

    def _learn(self, seen: _SeenImage, sighting: Sighting) -> None:
        """What an image contributes to the next: who looks like the target, and what that looks like."""
        tracks, camera, row = seen.tracks, seen.camera, self._target_row
        if self._compares_looks and self._appearance.looked_ns != tracks.stamp_ns:
            self._appearance.keep_looks(tracks, self._looks(sighting) if len(tracks) else None)
        if row is None:
            return
        if self._compares_looks and not self._lock.evidence.on_probation(tracks.stamp_ns):
            size_px = None if camera is None else (camera.width, camera.height)
            self._appearance.learn(tracks, row, size_px)

    def _target(self, seen: _SeenImage, published: Tracks) -> Target | None:
        tracks, status, row = published, self._lock.status, self._target_row
        if status.target_id is None:
            return None
        if row is not None:
            score, box = float(tracks.scores[row]), tracks.boxes_px[row]
        else:
            place = _pixel_of(self._core.target.at(tracks.stamp_ns), seen.camera, seen.attitude)
            if status.state is not LockState.COASTING or place is None:
                return None
            score, half = 0.0, self._target_size_px / 2
            box = np.concatenate([place - half, place + half])
        return Target(tracks.stamp_ns, tracks.frame_id, status.target_id, status.label, score, box)

    def _look_for_range(self, seen: _SeenImage) -> None:
        """What the image, and the range finder since the one before, say about how far away the target is."""
        tracks, camera, attitude, row = seen.tracks, seen.camera, seen.attitude, self._target_row
        estimate = self._core.target.at(tracks.stamp_ns)
        if row is None or estimate is None or camera is None or attitude is None:
            return
        box_px = tracks.boxes_px[row]
        size_rad = (box_px[2:] - box_px[:2]) / camera.focal_px
        upright = None
        if self._aim_point.is_whole:
            upright = upright_box(
                box_px,
                camera,
                attitude,
                middle_rad=float(estimate.bearing_rad[1]),
                level_std_rad=self._parameters.attitude_std_rad,
            )

        def off_axis_at(stamp_ns: int) -> Array | None:
            then, target = self._core.attitude_at(stamp_ns), self._core.target.at(stamp_ns)
            if then is None or target is None:
                return None
            off = wrap_angle(target.bearing_rad - bearings.optical_axis(then))
            return off * np.array([np.cos(target.bearing_rad[1]), 1.0])

        self._ranges.seen(tracks.stamp_ns, str(tracks.labels[row]), upright, size_rad, off_axis_at)

    def _placed(self, update: TrackerUpdate) -> TrackerUpdate:
        """With the target's bearing and, where its range is known, its position."""
        stamp_ns, following = update.tracks.stamp_ns, update.status.state.follows
        estimate = self._core.target.at(stamp_ns) if following and not self._core.pictures_frozen else None
        if estimate is None:
            return update
        frame, std_rad = self._parameters.still_frame, self._parameters.attitude_std_rad
        bearing = bearing_of(estimate, self._core.target.rate_std_rad_s, frame, std_rad)
        distance = self._ranges.at(stamp_ns)
        if distance is None:
            return replace(update, bearing=bearing)
        return replace(update, bearing=bearing, position=position_of(bearing, distance), range_source=distance.source)

    def _setpoint(self, now_ns: int) -> RateSetpoint | None:
        status = self._lock.status
        aim: Aim | str = f'the lock is {status.state.value}: {status.reason}'
        if status.state.follows:
            aim = Aim.TARGET
        elif self._parameters.lost_policy != 'hold' and self._lock.had_target:
            aim = Aim(self._parameters.lost_policy)
        return self._core.setpoint(now_ns, aim)

    def _zoom_setpoint(self, now_ns: int, seen: _SeenImage) -> float | None:
        stamp_ns, camera, attitude = seen.tracks.stamp_ns, seen.camera, seen.attitude
        state, age_ns = self._lock.status.state, now_ns - stamp_ns
        wanted = self._parameters.zoom_control and self._core.enabled
        if wanted and camera is not None and age_ns <= self._parameters.max_image_age_s * 1e9:
            if state in (LockState.LOST, LockState.SEARCHING) and self._lock.had_target:
                return self._zoom.widen(stamp_ns, camera)
            estimate = self._core.target.at(stamp_ns)
            if state.follows and estimate is not None and attitude is not None:
                axis = bearings.optical_axis(attitude)
                size = self._target_size_px if state is LockState.TRACKING else None
                return self._zoom.follow(stamp_ns, camera, axis, estimate, size)
        self._zoom.rest()
        return None
