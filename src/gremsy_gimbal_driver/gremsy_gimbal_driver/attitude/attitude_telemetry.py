# SPDX-License-Identifier: Apache-2.0
"""One gimbal's attitude from the messages that it sends: screened, in our time, with rates and whole turns.

285 where it comes, else 265, never both at a time: two sources of one attitude disagree by their delays and by what
they call yaw; a loop that is fed both shakes. So 285, which has flags, rates and a quaternion, is used as soon as one
is believed, and 265 only while there is none.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from gremsy_common.geometry import rotation_vector_between, yaw_roll_pitch
from gremsy_common.timing.clock_mapping import CounterUnwrapper, MinimumDelayClock
from gremsy_common.timing.stamp_check import JUMP_NS
from gremsy_common.types.attitude_screen import AttitudeScreen, Judgement
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_gimbal_driver.attitude.attitude_reading import (
    AttitudeReading,
    AttitudeSource,
    YawFrame,
    reading_from_orientation,
    reading_from_status,
)
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, MountOrientation
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.notices import Report

_MILLISECOND_NS = 1_000_000
# At 10 Hz and 2 % lost bytes seven 285s in ten are lost: a second without one happens every half minute, two seconds
# once in twenty minutes.
_PATIENCE_NS = nanoseconds(2.0)


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredAttitude:
    """An attitude and its 3-1-2 angles; `yaw_rad` goes on over +-pi, so that a limit has one side.

    `yaw_frame` says where azimuth 0 is, `heading_rad` where the vehicle's heading is in an earth-fixed level frame
    (see `attitude_reading`).
    """

    attitude: GimbalAttitude
    yaw_rad: float
    roll_rad: float
    pitch_rad: float
    yaw_frame: YawFrame = YawFrame.VEHICLE
    heading_rad: float | None = None
    source: AttitudeSource = AttitudeSource.STATUS

    @property
    def ahead_rad(self) -> float:
        """Azimuth of the vehicle's heading, where that is known; else 0."""
        return 0.0 if self.yaw_frame is YawFrame.VEHICLE else math.remainder(self.heading_rad or 0.0, 2 * math.pi)

    @property
    def speed_rad_s(self) -> float:
        """How fast the camera turns, about whatever axis; tells whether a stop was obeyed."""
        return math.hypot(*self.attitude.rate_rad_s.tolist())


class AttitudeStamping:
    """Keeps the clock mapping of one gimbal.

    Args:
        frame_id: of the camera whose orientation it is.
        least_delay_ns: the smallest time from measurement to arrival, where known.
    """

    def __init__(self, frame_id: str, least_delay_ns: int = 0) -> None:
        self._frame_id = frame_id
        self._counter = CounterUnwrapper()
        self.clock = MinimumDelayClock(resolution_ns=_MILLISECOND_NS, least_delay_ns=least_delay_ns)
        self._last: MeasuredAttitude | None = None
        self.rejects: Counter[str] = Counter()

    def measured(self, status: AttitudeStatus, arrival: Instant) -> MeasuredAttitude | None:
        """The attitude of a 285; None for one that is not newer than the last."""
        return self.stamped(reading_from_status(status), arrival)

    def stamped(self, reading: AttitudeReading, arrival: Instant) -> MeasuredAttitude | None:
        """The attitude at its time; None for one that is not newer than the last, unless the ROS clock was set back."""
        restarts = self.clock.restarts
        device_ns = self._counter.unwrap(reading.time_boot_ms) * _MILLISECOND_NS
        stamp_ns = arrival.ros_at(self.clock.map(device_ns, arrival.monotonic_ns))
        if self.clock.restarts != restarts:
            self._last = None
        if self._last is not None and 0 <= self._last.attitude.stamp_ns - stamp_ns <= JUMP_NS:
            self.rejects['attitude_not_newer'] += 1
            return None
        quaternion = reading.level_from_camera_wxyz
        rates = self._rates_from_motion(reading, stamp_ns) if reading.rate_rad_s is None else reading.rate_rad_s
        attitude = GimbalAttitude(stamp_ns, self._frame_id, quaternion, rates)
        yaw, roll, pitch = yaw_roll_pitch(quaternion).tolist()
        if self._last is not None:
            yaw += 2 * math.pi * round((self._last.yaw_rad - yaw) / (2 * math.pi))
        self._last = MeasuredAttitude(
            attitude, yaw, roll, pitch, reading.yaw_frame, reading.heading_rad, reading.source
        )
        return self._last

    def _rates_from_motion(self, reading: AttitudeReading, stamp_ns: int) -> np.ndarray:
        """For a device that does not report rates: the turn since the last attitude, about the camera's axes."""
        last = self._last
        # When azimuth counts from elsewhere than before, the difference is no motion.
        if last is None or last.yaw_frame is not reading.yaw_frame or stamp_ns <= last.attitude.stamp_ns:
            return np.zeros(3)
        before = last.attitude
        turn = rotation_vector_between(before.level_from_camera_wxyz, reading.level_from_camera_wxyz)
        return np.asarray(turn / ((stamp_ns - before.stamp_ns) * 1e-9))


class AttitudeTelemetry:
    """Screens and stamps. For one thread.

    Args:
        stamping: maps the device's time to ours; it is used for both messages, which carry the same clock.
        report: called when 285 does not come.
        inform: called when it comes again.
    """

    def __init__(self, stamping: AttitudeStamping, report: Report, inform: Report) -> None:
        self.stamping = stamping
        self._report = report
        self._inform = inform
        self._screen = AttitudeScreen()
        self._waiting_since_ns = 0
        self._arrived_ns: int | None = None
        self._counts: Counter[str] = Counter()
        self.source: AttitudeSource | None = None
        """The message that is used now."""

    @property
    def counts(self) -> Counter[str]:
        """What was refused, by reason, and `attitude_source_changes`."""
        return self._counts + self.stamping.rejects

    def take(
        self, event: AttitudeStatus | MountOrientation, arrival: Instant, locked: bool = False
    ) -> MeasuredAttitude | None:
        """The attitude; None for what is refused or not needed. `locked`: whether the mode is lock, for 265 only."""
        if isinstance(event, AttitudeStatus):
            # One that is screened out counts too: after a reboot they are, for a moment, and a 265 in between, with the
            # same jump of the clock, would only prolong it.
            self._waiting_since_ns = self._arrived_ns = arrival.monotonic_ns
            return self._use(reading_from_status(event), arrival)
        if not self._is_needed(arrival.monotonic_ns):
            return None
        return self._use(reading_from_orientation(event, locked), arrival)

    def _is_needed(self, now_ns: int) -> bool:
        """Whether 265 must do: no 285 for the patience, counted from the first 265 at first, and after a silence."""
        if self._arrived_ns is None or now_ns - self._arrived_ns >= _PATIENCE_NS:
            self._waiting_since_ns = now_ns
        self._arrived_ns = now_ns
        return now_ns - self._waiting_since_ns >= _PATIENCE_NS

    def _use(self, reading: AttitudeReading, arrival: Instant) -> MeasuredAttitude | None:
        judgement = self._screen.judge(
            reading.time_boot_ms,
            reading.level_from_camera_wxyz,
            arrival.monotonic_ns,
            (reading.source, reading.yaw_frame),
        )
        if judgement is Judgement.GOOD_AGAIN:
            self._counts['attitude_believed_anew'] += 1
        elif judgement is not Judgement.GOOD:
            self._counts[judgement.value] += 1
            return None
        measured = self.stamping.stamped(reading, arrival)
        if measured is None:
            return None
        if reading.source is not self.source:
            self._switch(reading.source)
        return measured

    def _switch(self, source: AttitudeSource) -> None:
        before, self.source = self.source, source
        if before is not None:
            self._counts['attitude_source_changes'] += 1
        if source is AttitudeSource.ORIENTATION:
            self._report(
                f'The gimbal sends no usable {AttitudeSource.STATUS.value}: its attitude is taken from '
                f'{source.value}, which has neither flags nor rates; update its firmware if it is older than 7.5.6.'
            )
        elif before is not None:
            self._inform(f"The gimbal's attitude comes from {source.value} again.")
