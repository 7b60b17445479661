# SPDX-License-Identifier: Apache-2.0
"""The gimbal's side of the offline loop: setpoints in, attitudes out, by the driver's rules and the wire's bytes.

`MotionControl`, the MAVLink encoder and decoder and the simulated payload are the suite's own; only the threads and the
link are left out, so that a run in invented time gives the same motion bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import replace

from gremsy_camera.scene.scene import View
from gremsy_common.errors import SuiteError
from gremsy_common.types.gimbal_state import GimbalAttitude, RateSetpoint
from gremsy_gimbal_driver.attitude.attitude_stamping import AttitudeStamping
from gremsy_gimbal_driver.mavlink.mavlink_decoder import Decoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import Encoder
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import wire_rates
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_control import MotionControl
from gremsy_gimbal_driver.motion.motion_settings import MotionSettings
from gremsy_gimbal_driver.motion.plant_inverse import PlantInverse
from gremsy_gimbal_sim.options.options import PRESETS
from gremsy_gimbal_sim.payload import SimulatedPayload

_OWN = Sender(1, 191)
_ATTITUDE_HZ = 50.0  # what the driver asks a gimbal for


class OfflinePayload:
    """A payload and its driver on one clock, ns; call `advance` often (every millisecond) and in order.

    Args:
        preset: of the payload: `ideal`, `gremsy` or `realistic`.
        start_ns: the first time.
        level_frame: of the setpoints.
        seed: of the payload's random faults.
    """

    def __init__(self, preset: str, start_ns: int, level_frame: str, seed: int) -> None:
        options = replace(PRESETS[preset], attitude_rate_hz=_ATTITUDE_HZ)
        self.plant = options.plant
        self.refused: list[str] = []
        self._payload = SimulatedPayload(options, seed, start_ns * 1e-9, speaks_first=True)
        # The demo's calibration: the inverse knows the dead zone, the link's delay is the telemetry's age.
        inverse = PlantInverse(
            dead_zone_rad_s=options.plant.dead_zone_rad_s, rate_gain_by_zoom=options.plant.rate_gain_by_zoom
        )
        self._motion = MotionControl(
            MotionSettings(level_frame=level_frame, plant_inverse=inverse), self.refused.append, lambda _: None
        )
        self._encoder = Encoder(_OWN)
        self._gimbal = Sender(options.system, options.gimbal_component)
        self._decoder = Decoder(_OWN, self._gimbal)
        self._stamping = AttitudeStamping('camera', round(options.attitude_age_s * 1e9))
        self._wake_ns: int | None = 0

    def offer(self, setpoint: RateSetpoint, now_ns: int) -> None:
        """What `gimbal/setpoint` would carry."""
        self._motion.offer(Source.TRACKER, setpoint, Instant(now_ns, now_ns))
        self._wake_ns = now_ns

    def advance(self, now_ns: int) -> list[GimbalAttitude]:
        """Move on to this time; the attitudes that arrived."""
        now = Instant(now_ns, now_ns)
        attitudes = []
        for message in self._payload.advance(now_ns * 1e-9):
            for event in self._decoder.feed(message, True):
                measured = self._stamping.measured(event, now_ns) if isinstance(event, AttitudeStatus) else None
                if measured is not None:
                    speed = math.hypot(*measured.attitude.rate_rad_s.tolist())
                    self._motion.attitude((measured.yaw_rad, measured.pitch_rad), now, speed)
                    attitudes.append(measured.attitude)
        if attitudes and not self._motion.armed:
            self._arm(now)
        if attitudes or (self._wake_ns is not None and now_ns >= self._wake_ns):
            output, self._wake_ns = self._motion.step(now)
            # Rates only: the bench asks for no goal.
            if output is not None and output.rates_rad_s is not None:
                rates = wire_rates(*output.rates_rad_s)
                self._payload.receive(self._encoder.rates(self._gimbal, rates), now_ns * 1e-9, True)
        return attitudes

    def true_view(self) -> View:
        """Where the camera looks at the newest time."""
        state = self._payload.true_state(0)
        return View(state.azimuth_rad, state.tilt_rad, state.zoom)

    def _arm(self, now: Instant) -> None:
        answer = self._motion.arm(True, now)
        if not answer.done:
            raise SuiteError(answer.text)
