# SPDX-License-Identifier: Apache-2.0
"""A calibration and a simulated payload on one invented clock, with the driver's own wire between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from gremsy_gimbal_driver.attitude.attitude_telemetry import AttitudeStamping
from gremsy_gimbal_driver.calibration.axis_probe import Ask
from gremsy_gimbal_driver.calibration.calibration_parameters import CalibrationParameters
from gremsy_gimbal_driver.calibration.calibration_routine import CalibrationRoutine
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, PayloadTelemetry, Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import wire_rates
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_driver.payload.camera_commands import zoom_range
from gremsy_gimbal_sim.options.options import PRESETS, PayloadOptions
from gremsy_gimbal_sim.payload import SimulatedPayload

MS = 1_000_000
ROS_START = 1_790_000_000_000_000_000
REPEAT_MS = 40
OWN = Sender(1, 191)


def options_of(preset: str, **changes: object) -> PayloadOptions:
    """A preset with the attitude rate that the driver asks for, and little of what nobody here listens to."""
    return replace(PRESETS[preset], attitude_rate_hz=50.0, orientation_rate_hz=0.5, **changes)  # type: ignore[arg-type]


class CalibrationBench:
    """Runs one calibration.

    Args:
        options: of the payload.
        parameters: of the routine.
        signs: -1 for an axis whose commands the device takes the other way.
        seed: of the payload's faults.
        step_ms: of the invented time.
    """

    def __init__(
        self,
        options: PayloadOptions,
        parameters: CalibrationParameters | None = None,
        signs: tuple[int, int] = (1, 1),
        seed: int = 0,
        step_ms: int = 10,
    ) -> None:
        self.options, self.signs = options, signs
        self.routine = CalibrationRoutine(parameters or CalibrationParameters())
        self.payload = SimulatedPayload(options, seed, speaks_first=True)
        self.encoder = MavlinkEncoder(OWN)
        self.gimbal = Sender(options.system, options.gimbal_component)
        self.camera = Sender(options.system, options.camera_component)
        self.decoder = MavlinkDecoder(OWN, self.gimbal)
        self.stamping = AttitudeStamping('camera', round(options.attitude_age_s * 1e9))
        self.now_ms = 0
        self._step_ms = step_ms
        self.armed = True
        self.hears = True
        self.tells_zoom = True
        self.zooms = True
        self.begun_ms = 0
        self.farthest = [0.0, 0.0]
        self.wishes: list[tuple[int, Ask]] = []
        self._written: Pair = (0.0, 0.0)
        self._written_ms = 0
        # Faults: the angles that are reported for the true ones, and the rates that the device takes for those written.
        self.reported: Callable[[Pair], Pair] = lambda angles: angles
        self.taken: Callable[[Pair], Pair] = lambda rates: rates

    @property
    def now(self) -> Instant:
        return Instant(self.now_ms * MS, ROS_START + self.now_ms * MS)

    @property
    def taken_s(self) -> float:
        """From the beginning to now."""
        return (self.now_ms - self.begun_ms) * 1e-3

    @property
    def true_angles(self) -> Pair:
        state = self.payload.true_state(0)
        return state.azimuth_rad, state.tilt_rad

    def begun(self, warm_up_ms: int = 500) -> CalibrationBench:
        """After some telemetry, begin."""
        self.run_until(lambda: self.now_ms >= warm_up_ms)
        assert self.routine.begin(self.now, armed=self.armed) == ''
        self.begun_ms = self.now_ms
        return self

    def finished(self) -> CalibrationBench:
        """Begin and run to the end."""
        self.begun()
        self.run_until(lambda: not self.routine.running)
        return self

    def run_until(self, true: Callable[[], bool], limit_ms: int = 600_000) -> None:
        while not true():
            assert self.now_ms < limit_ms, 'it takes for ever'
            self.step()

    def step(self) -> None:
        self.now_ms += self._step_ms
        self._listen()
        if self.routine.running:
            wish = self.routine.step(self.now, armed=self.armed)
            self.wishes.append((self.now_ms, wish))
            self._write(wish)
        for axis, angle in enumerate(self.true_angles):
            self.farthest[axis] = max(self.farthest[axis], abs(angle))

    def _listen(self) -> None:
        for message in self.payload.advance(self.now_ms * 1e-3):
            for event in self.decoder.feed(message, True) if self.hears else ():
                if isinstance(event, AttitudeStatus):
                    measured = self.stamping.measured(event, self.now)
                    if measured is not None:
                        rate_x, rate_y, rate_z = measured.attitude.rate_rad_s.tolist()
                        rates = (math.hypot(rate_x, rate_z), rate_y)
                        angles = self.reported((measured.yaw_rad, measured.pitch_rad))
                        self.routine.attitude(measured.attitude.stamp_ns, angles, rates, self.now)
                elif isinstance(event, PayloadTelemetry) and event.name == 'EO_ZOOM' and self.tells_zoom:
                    self.routine.zoom(event.value, self.now)

    def _write(self, wish: Ask) -> None:
        """A changed wish at once, an unchanged one every 40 ms."""
        if wish.rates_rad_s != self._written or self.now_ms - self._written_ms >= REPEAT_MS:
            azimuth, tilt = self.taken((self.signs[0] * wish.rates_rad_s[0], self.signs[1] * wish.rates_rad_s[1]))
            self._send(self.encoder.motion(self.gimbal, wire_rates(azimuth, tilt)))
            self._written, self._written_ms = wish.rates_rad_s, self.now_ms
        if wish.zoom is not None and self.zooms:
            percent = 100.0 * math.log(wish.zoom) / math.log(self.options.zoom_max)
            self._send(zoom_range(self.camera, percent).pack(self.encoder))

    def _send(self, message: bytes) -> None:
        self.payload.receive(message, self.now_ms * 1e-3, True)
