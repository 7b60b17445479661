# SPDX-License-Identifier: Apache-2.0
"""A calibration inside the driver: the routine's commands go out as those of the highest source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from gremsy_common.types.gimbal_state import ImuReading, RateSetpoint, ZoomState
from gremsy_gimbal_driver.calibration.axis_probe import Ask
from gremsy_gimbal_driver.calibration.calibration_parameters import CalibrationParameters
from gremsy_gimbal_driver.calibration.calibration_result import CalibrationResult
from gremsy_gimbal_driver.calibration.calibration_routine import STEP_NS, CalibrationRoutine, CalibrationState
from gremsy_gimbal_driver.calibration.imu_mounting import ImuMounting
from gremsy_gimbal_driver.driver_reports import GimbalView
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.motion_control import MotionControl
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.motion.motion_writer import REPEAT_INTERVAL_S
from gremsy_gimbal_driver.payload.payload_control import PayloadControl
from gremsy_gimbal_driver.payload.payload_requests import ZoomTo
from gremsy_gimbal_driver.payload.pending_request import PendingRequest

_REPEAT_NS = nanoseconds(REPEAT_INTERVAL_S)


class CalibrationRun:
    """One routine on one gimbal. For use under the driver's lock.

    Args:
        parameters: bounds.
        motion: moves the gimbal; commands of the calibration are written as they are.
        payload: zooms.
        imu_axes: by which its readings are turned.
    """

    def __init__(
        self,
        parameters: CalibrationParameters,
        motion: MotionControl,
        payload: PayloadControl,
        imu_axes: Sequence[str],
    ) -> None:
        self.routine = CalibrationRoutine(parameters)
        self._motion = motion
        self._payload = payload
        self._level_frame = parameters.level_frame
        self._mounting = ImuMounting(imu_axes)
        self._offered: Pair | None = None
        self._offered_ns = 0
        self._wake_ns = 0
        self._zoom: PendingRequest | None = None

    @property
    def result(self) -> CalibrationResult | None:
        """What was measured; None unless it succeeded."""
        result = self.routine.result
        if result is None or self.routine.state is not CalibrationState.DONE:
            return None
        axes, note = self._mounting.found()
        return replace(result, imu_axes=axes, notes=(*result.notes, note) if note else result.notes)

    def on_report(self, report: object, now: Instant) -> None:
        """Telemetry: attitudes, readings of the camera's IMU and the magnification; nothing else matters here."""
        match report:
            case GimbalView(measured=measured):
                x, y, z = measured.attitude.rate_rad_s.tolist()
                angles, rates = (measured.yaw_rad, measured.pitch_rad), (math.hypot(x, z), y)
                self.routine.attitude(measured.attitude.stamp_ns, angles, rates, now)
                self._mounting.attitude(measured.attitude.level_from_camera_wxyz)
            case ImuReading():
                self._mounting.imu(report.acceleration_m_s2)
            case ZoomState():
                self.routine.zoom(report.factor, now)

    def step(self, now: Instant) -> int | None:
        """Offer the routine's command; when to step again at the latest, None when it has ended."""
        routine = self.routine
        if routine.running and now.monotonic_ns >= self._wake_ns:
            # Its last command is zero; motion control ends it with a burst when its time to live is over.
            self._offer(routine.step(now, armed=self._motion.armed), now)
            self._wake_ns = now.monotonic_ns + STEP_NS
        return self._wake_ns if routine.running else None

    def _offer(self, ask: Ask, now: Instant) -> None:
        if ask.zoom is not None and (self._zoom is None or self._zoom.over):
            self._zoom = self._payload.request(ZoomTo(ask.zoom), now.monotonic_ns)
        # An unchanged one is offered again only when it is due, since every new command is written at once.
        if ask.rates_rad_s == self._offered and now.monotonic_ns - self._offered_ns < _REPEAT_NS:
            return
        self._offered, self._offered_ns = ask.rates_rad_s, now.monotonic_ns
        azimuth, tilt = ask.rates_rad_s
        setpoint = RateSetpoint(now.ros_ns, self._level_frame, azimuth, tilt)
        self._motion.offer(Source.CALIBRATION, setpoint, now)
