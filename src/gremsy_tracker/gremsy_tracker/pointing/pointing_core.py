# SPDX-License-Identifier: Apache-2.0
"""From stamped bearings and telemetry to rate setpoints: everything of pointing that does not know what a picture is.

A bearing of the target at an image's stamp -> `BearingFilter` -> predicted to the time at which a rate asked for now
begins to act -> `PointingLaw` against `GimbalPredictor` -> setpoint. The node and `./gremsy bench pointing` run this
class. Not for several threads at once; time comes in as an argument.

Three frames, all level. The *level frame* is the gimbal's, in which its azimuth is reported: with a gimbal that follows
it turns with the vehicle. The *still frame* does not turn: there are the targets, the ego-motion and the search. Where
the camera is carried along by the vehicle, wholly or in part, rates are asked for on top of that: law, predictor and
limits work in the *carried frame*, which turns by that share of the heading, and the target is handed to them less it.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import replace
from enum import Enum

import numpy as np

from gremsy_common.geometry import Array, matrix_from_quaternion, wrap_angle
from gremsy_common.timing.stamp_check import JUMP_NS
from gremsy_common.types.gimbal_state import GimbalAttitude, LevelHeading, RateSetpoint
from gremsy_tracker.pointing import bearings
from gremsy_tracker.pointing.bearing_filter import BearingFilter, BearingMotion
from gremsy_tracker.pointing.divergence_guard import DivergenceGuard
from gremsy_tracker.pointing.gimbal_predictor import CarriedShare, GimbalPredictor, Servo, ServoResponse
from gremsy_tracker.pointing.pointing_law import PointingLaw
from gremsy_tracker.pointing.search_pattern import SpiralSearch
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking.attitude_history import AttitudeHistory
from gremsy_tracker.tracking.heading_history import HeadingHistory

# Zero rates are sent this long after the last motion: ten messages at 50 Hz, so that one lost does not matter.
_STOP_BURST_NS = 200_000_000
# After a jump of the attitude, telemetry must be of one piece for so long before anything moves again.
_STEADY_NS = 300_000_000
# Until a camera model says it: the field of a common wide lens.
_FIELD_RAD = math.radians(60.0)


# Attitudes that wait for the heading of their time: a second of them at 50 Hz.
_UNWEIGHED = 50

FROZEN = 'the picture does not change while the camera turns: it is frozen'


class Aim(Enum):
    """What the gimbal is to do."""

    TARGET = 'target'  # follow the target whose bearings are offered
    HOME = 'home'  # return slowly to bearing (0, 0)
    SEARCH = 'search'  # look for a lost target around where it should be, then return home


class PointingCore:
    """One target's estimate, one gimbal's, and the law between them.

    Attributes:
        attitudes, headings: what telemetry says, in the level frame; how that frame has turned in the still frame.
        share: of the vehicle's turning, that turns the camera along, as far as it was seen.
        target: the filter of the target's bearing, in the still frame.
        dropped: counts by reason of inputs that were not used (the attitudes' own are in `counts`).
        enabled: whether there are setpoints at all.
        diverged: what the divergence guard has ended the setpoints for, until they are enabled again; empty otherwise.
        still_because: why no rate was asked for at last, empty when one was.
        field_rad: width of the field of view, zoom included.
        pictures_frozen: the newest image is not of now, whatever its stamp says: nothing may be followed in it.
    """

    def __init__(self, parameters: TrackerParameters) -> None:
        self._parameters = parameters
        self.attitudes = AttitudeHistory()
        self.headings = HeadingHistory()
        self.share = CarriedShare()
        self._unweighed: deque[GimbalAttitude] = deque(maxlen=_UNWEIGHED)
        self.target = BearingFilter(parameters)
        self._predictor = GimbalPredictor()
        self._response = ServoResponse()
        self._law = PointingLaw(parameters)
        self.dropped: Counter[str] = Counter()
        self._guard = DivergenceGuard(parameters)
        self.enabled, self.diverged = parameters.enabled, ''
        self._obeyed = True
        self.field_rad = _FIELD_RAD
        self.pictures_frozen = False
        self.still_because = 'no detections yet'
        self._image_ns: int | None = None
        self._arrived_ns = self._asked_ns = 0
        self._stamp_fault, self._stamp_fault_ns = '', 0
        self._stop_until_ns = 0
        self._followed_rad: Array | None = None  # where the target that was followed last should have been
        self._search: SpiralSearch | None = None
        self._search_since_ns = 0

    def reconfigure(self, parameters: TrackerParameters) -> None:
        """Use other parameters from now on."""
        self._parameters = parameters
        self.target.reconfigure(parameters)
        self._law.parameters = self._guard.parameters = parameters

    def enable(self, enabled: bool) -> None:
        """Whether there are setpoints at all; a divergence ends them, and enabling again forgets the divergence."""
        self.enabled, self.diverged = enabled, ''
        self._guard.clear()

    def obey(self, obeyed: bool) -> None:
        """Whether the driver moves the gimbal as it is asked to: armed, and no operator in control.

        Setpoints continue in the meantime, for the moment in which it is armed; they move nothing, so nothing is
        predicted or concluded from them.
        """
        if obeyed != self._obeyed:
            self._obeyed = obeyed
            self._predictor.clear()
            self._law.rest()
            self._guard.clear()
            self.share.clear()
            self._response.clear()

    # Inputs.

    def offer_heading(self, heading: LevelHeading, *, of_another: bool = False) -> bool:
        """How far the gimbal's level frame has turned, with the vehicle that carries it; False: refused, counted.

        Args:
            heading: from whatever source.
            of_another: whether it comes from another source than until now.
        """
        taken = self.headings.offer(heading, of_another=of_another)
        if taken:
            self._weigh()
        return taken

    def offer_attitude(self, attitude: GimbalAttitude) -> None:
        """Telemetry of where the camera looked."""
        jumps = self.attitudes.dropped['attitude_jumps']
        taken = self.attitudes.offer(attitude)
        if taken and self.attitudes.recounted is not None:
            # The mode has changed: azimuth counts from elsewhere, and in the still frame nothing moved.
            self.headings.recount(*self.attitudes.recounted)
            self._unweighed.clear()
            self.share.clear()
        elif self.attitudes.dropped['attitude_jumps'] != jumps:
            self.forget_target()  # its bearing is of the frame that was before
            self._unweighed.clear()
            self.share.clear()
            self._response.clear()
        elif taken:
            self._unweighed.append(attitude)
            self._weigh()
            rates = self._measured(attitude).rate_rad_s
            if self._obeyed:
                self._learn_response(attitude.stamp_ns, rates)
            if self.enabled and self._obeyed and self.target.stamp_ns is not None:
                asked = self._predictor.asked_at(attitude.stamp_ns - round(self._parameters.plant_delay_s * 1e9))
                self._disable_if(self._guard.turning(attitude.stamp_ns, rates, asked, self.field_rad))

    def offer_image(self, stamp_ns: int, now_ns: int) -> None:
        """An image of that stamp, later than the last, was searched for the target, whether it is there or not."""
        self._image_ns, self._arrived_ns = stamp_ns, now_ns

    def note_stamp_fault(self, text: str, now_ns: int) -> None:
        """What is wrong with the stamp of the image that came now, empty for nothing.

        It is the reason given where images then count as none, or as too old.
        """
        self._stamp_fault, self._stamp_fault_ns = text, now_ns

    def offer_bearing(self, stamp_ns: int, bearing_rad: Array, noise_rad: Array) -> bool:
        """The target was seen in the image offered last; False: refused, counted.

        Args:
            stamp_ns: of that image.
            bearing_rad: (2,) azimuth and tilt in the still frame.
            noise_rad: (2,) their standard deviations.
        """
        if not (np.isfinite(bearing_rad).all() and np.isfinite(noise_rad).all() and (noise_rad > 0.0).all()):
            self.dropped['bearings_not_finite'] += 1
            return False
        used = self.target.update(stamp_ns, bearing_rad, noise_rad)
        attitude = self.attitude_at(stamp_ns)
        if self.enabled and self._obeyed and attitude is not None:
            axis_rad = bearings.optical_axis(attitude)
            before_ns = round((self._parameters.plant_delay_s + self._parameters.plant_lag_s) * 1e9)
            acting = self._predictor.asked_at(stamp_ns - before_ns)
            error = wrap_angle(bearing_rad - axis_rad)
            self._disable_if(self._guard.sighting(stamp_ns, error, axis_rad, acting, self.field_rad))
        return used

    def forget_target(self) -> None:
        """There is no target, or another one from now on."""
        self.target.clear()
        self._guard.clear()

    def restart_time(self) -> None:
        """The clock was set: nothing that was known has a place in the new time."""
        self.attitudes.clear()
        self.headings.clear()
        self._unweighed.clear()
        self.share.clear()
        self._response.clear()
        self._predictor.clear()
        self._law.rest()
        self.forget_target()
        self._image_ns = self._followed_rad = self._search = None
        self._stop_until_ns = 0

    # Outputs.

    def attitude_at(self, stamp_ns: int) -> Array | None:
        """(3, 3) where the camera looked at that time, in the still frame; None where no telemetry is near enough."""
        attitude = self.attitudes.at(stamp_ns, self._parameters.max_attitude_age_s)
        heading = self.headings.at(stamp_ns)
        if attitude is None or heading.heading_rad == 0.0:
            return attitude
        return bearings.turned_about_up(attitude, heading.heading_rad)

    def heading_at(self, stamp_ns: int) -> float:
        """Azimuth of the gimbal's level frame in the still frame at that time, rad."""
        return self.headings.at(stamp_ns).heading_rad

    def counts(self) -> Counter[str]:
        """Everything that was dropped or refused, by reason."""
        total = self.dropped + self.attitudes.dropped + self.headings.dropped
        if self.target.rejected:
            total['bearings_rejected'] = self.target.rejected
        return total

    def setpoint(self, now_ns: int, aim: Aim | str) -> RateSetpoint | None:
        """The rate to ask for now; zeros for 0.2 s after motion ends, then None.

        Args:
            now_ns: ask at 50 Hz, and when an image has come.
            aim: what to do, or a sentence on why there is nothing to be done.
        """
        if aim is not Aim.SEARCH:
            self._search = None
        if 0 < self._asked_ns - now_ns <= JUMP_NS:
            # Asked by two threads, in the other order than they looked at the clock: time has not gone back, and what
            # was asked for before must not be forgotten.
            now_ns = self._asked_ns
        self._asked_ns = now_ns
        requested = self._requested_rate(now_ns, aim)
        if isinstance(requested, str):
            self.still_because = requested
            self._law.rest()
            if now_ns >= self._stop_until_ns:
                return None
            # Zero rests on no image: stamped with an old one, the driver would refuse it as stale and say so.
            rate, stamp_ns = np.zeros(2), now_ns
        else:
            self.still_because = ''
            rate, stamp_ns = requested
            self._stop_until_ns = now_ns + _STOP_BURST_NS
        if self._obeyed:
            self._predictor.commanded(now_ns, rate)
        return RateSetpoint(stamp_ns, self._parameters.level_frame, float(rate[0]), float(rate[1]))

    # Inside.

    def _requested_rate(self, now_ns: int, aim: Aim | str) -> tuple[Array, int] | str:
        """A rate (2,) with the stamp of the image that it rests on, or why the gimbal is not to be moved."""
        parameters = self._parameters
        if not self.enabled:
            return self.diverged or 'pointing is not enabled'
        stamp_fault = self._stamp_fault if now_ns - self._stamp_fault_ns <= parameters.silence_s * 1e9 else ''
        if self._image_ns is None:
            return stamp_fault or 'no detections yet'
        if not 0 <= now_ns - self._arrived_ns <= parameters.silence_s * 1e9:
            return stamp_fault or f'no detections for {parameters.silence_s:g} s'
        if now_ns - self._image_ns > parameters.max_image_age_s * 1e9:
            return stamp_fault or f'the newest image is older than {parameters.max_image_age_s:g} s'
        if self.pictures_frozen:
            return FROZEN
        gimbal = self._gimbal(now_ns)
        if gimbal is None:
            return f'no gimbal attitude for {parameters.max_attitude_age_s:g} s'
        jumped_ns = self.attitudes.jumped_ns
        if jumped_ns is not None and now_ns - jumped_ns < _STEADY_NS:
            return 'the gimbal attitude has just jumped further than any gimbal turns'
        if isinstance(aim, str):
            return aim
        if aim is Aim.HOME:
            return self._homing_rate(now_ns, gimbal), self._image_ns
        if aim is Aim.SEARCH:
            return self._searching_rate(now_ns, gimbal), self._image_ns
        return self._following_rate(now_ns, self._image_ns, gimbal)

    def _following_rate(self, now_ns: int, image_ns: int, gimbal: BearingMotion) -> tuple[Array, int] | str:
        parameters, seen_ns = self._parameters, self.target.stamp_ns
        if seen_ns is None:
            return "the target's bearing is not known: no `camera_info`, or no gimbal attitude at its image's time"
        if now_ns - seen_ns > parameters.max_image_age_s * 1e9:
            return f'the target was not seen for {parameters.max_image_age_s:g} s'
        unseen_s = (image_ns - seen_ns) * 1e-9
        acting = self.target.motion_at(now_ns + int(parameters.plant_delay_s * 1e9))
        if unseen_s > parameters.coast_s:
            return f'the target was not seen for {parameters.coast_s:g} s'
        newest = self.target.motion_at(image_ns)
        assert acting is not None and newest is not None
        if unseen_s > 0.0 and float(np.abs(newest.rate_rad_s).max()) * unseen_s > parameters.coast_angle_rad:
            return f'the target has coasted more than {parameters.coast_angle_rad:g} rad'
        self._followed_rad = acting.bearing_rad
        return self._law.follow(now_ns, self._as_carried(acting), gimbal, self.field_rad, self._servo), seen_ns

    def _homing_rate(self, now_ns: int, gimbal: BearingMotion) -> Array:
        # Home is in the level frame, from which the carried frame turns away by what is not carried along.
        away_rad = (1.0 - self.share.carried) * self.headings.at(gimbal.stamp_ns).heading_rad
        at_home = replace(gimbal, bearing_rad=gimbal.bearing_rad - np.array([away_rad, 0.0]))
        return self._law.home(now_ns, at_home, self._servo)

    def _as_carried(self, still: BearingMotion) -> BearingMotion:
        """In the carried frame."""
        share = self.share.carried
        if share == 0.0:
            return still
        heading = self.headings.at(still.stamp_ns)
        return replace(
            still,
            bearing_rad=still.bearing_rad - np.array([share * heading.heading_rad, 0.0]),
            rate_rad_s=still.rate_rad_s - np.array([share * heading.rate_rad_s, 0.0]),
            acceleration_rad_s2=still.acceleration_rad_s2 - np.array([share * heading.acceleration_rad_s2, 0.0]),
        )

    def _searching_rate(self, now_ns: int, gimbal: BearingMotion) -> Array:
        parameters = self._parameters
        if self._search is None:
            centre = self._followed_rad
            if centre is None:
                carried_rad = self.share.carried * self.headings.at(gimbal.stamp_ns).heading_rad
                centre = gimbal.bearing_rad + np.array([carried_rad, 0.0])
            self._search_since_ns = now_ns
            self._search = SpiralSearch(
                centre, parameters.search_rate_rad_s, parameters.search_radius_rad, self.field_rad
            )
        acting_ns = now_ns + int(parameters.plant_delay_s * 1e9)
        place = self._search.at((acting_ns - self._search_since_ns) * 1e-9)
        if place is None:
            return self._homing_rate(now_ns, gimbal)
        bearing, rate = place
        wanted = self._as_carried(BearingMotion(acting_ns, bearing, rate))
        return self._law.follow(now_ns, wanted, gimbal, self.field_rad, self._servo)

    def _weigh(self) -> None:
        """Attitudes whose heading has come show how far the vehicle carries the camera along."""
        newest_ns = self.headings.samples.newest_ns
        while newest_ns is not None and self._unweighed and self._unweighed[0].stamp_ns <= newest_ns:
            attitude = self._unweighed.popleft()
            level_from_camera = matrix_from_quaternion(attitude.level_from_camera_wxyz)
            asked = self._predictor.asked_at(attitude.stamp_ns - round(self._parameters.plant_delay_s * 1e9))
            if not self._obeyed:
                self.share.clear()  # whoever moves it, it is not known how
                continue
            self.share.take(
                attitude.stamp_ns,
                float(bearings.optical_axis(level_from_camera)[0]),
                float(bearings.optical_axis_rates(level_from_camera, attitude.rate_rad_s)[0]),
                self.headings.at(attitude.stamp_ns).heading_rad,
                0.0 if asked is None else float(asked[0]),
                self._parameters.plant_lag_s,
            )

    def _learn_response(self, stamp_ns: int, rate_rad_s: Array) -> None:
        delay_s, before_ns = self._parameters.plant_delay_s, self._response.newest_ns
        acting = [] if before_ns is None else self._predictor.acting(before_ns, stamp_ns, delay_s)
        self._response.take(stamp_ns, rate_rad_s, acting, self._parameters.plant_lag_s)

    def _measured(self, attitude: GimbalAttitude) -> BearingMotion:
        """Where the optical axis was and how it turned, in the carried frame: by itself, not with the vehicle."""
        level_from_camera = matrix_from_quaternion(attitude.level_from_camera_wxyz)
        bearing = bearings.optical_axis(level_from_camera)
        rate = bearings.optical_axis_rates(level_from_camera, attitude.rate_rad_s)
        heading = self.headings.at(attitude.stamp_ns)
        share = self.share.carried
        bearing[0] += (1.0 - share) * heading.heading_rad
        rate[0] += (1.0 - self.share.inertial_rates - share) * heading.rate_rad_s
        return BearingMotion(attitude.stamp_ns, bearing, rate)

    def _disable_if(self, diverged: str) -> None:
        if diverged:
            self.enable(False)
            self.diverged = diverged
            self.dropped['divergences'] += 1

    def knows_gimbal(self, now_ns: int) -> bool:
        """Whether its newest attitude is of now."""
        newest_ns = self.attitudes.samples.newest_ns
        return newest_ns is not None and abs(now_ns - newest_ns) <= self._parameters.max_attitude_age_s * 1e9

    @property
    def _servo(self) -> Servo:
        return Servo(self._parameters.plant_lag_s, self._response.overshoot)

    def _gimbal(self, now_ns: int) -> BearingMotion | None:
        newest = self.attitudes.samples.newest
        if newest is None or not self.knows_gimbal(now_ns):
            return None
        measured = self._measured(newest)
        if self._response.overshoot > 0.0:
            measured = replace(measured, acceleration_rad_s2=self._response.acceleration_rad_s2())
        return self._predictor.predict(
            measured,
            now_ns + int(self._parameters.plant_delay_s * 1e9),
            plant_delay_s=self._parameters.plant_delay_s,
            servo=self._servo,
        )
