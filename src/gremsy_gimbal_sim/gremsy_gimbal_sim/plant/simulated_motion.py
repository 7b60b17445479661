# SPDX-License-Identifier: Apache-2.0
"""From a motion command to the body: whether this mode obeys it, how long it holds, what goes wrong with it."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.gimbal.simulated_modes import SimulatedModes
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.plant.body import GimbalBody
from gremsy_gimbal_sim.wire.component import happens

_HOME_RAD = math.radians(0.5)
_DOWN_RAD = math.radians(90.0)
# While MAPPING turns in azimuth: slow enough for the largest delay of the plant.
_MAP_EVERY_S = 0.02
_MAP_GAIN_S = 1.0
_SAME_RAD = math.radians(0.05)

Pair = tuple[float, float]


class SimulatedMotion:
    """What of the commands becomes motion.

    Args:
        options: the modes', the dynamics' and the commands'.
        body, modes: of the same gimbal.
        random: for what is missed by chance.
    """

    def __init__(
        self, options: PayloadOptions, body: GimbalBody, modes: SimulatedModes, random: np.random.Generator
    ) -> None:
        self._options = options
        self._body = body
        self._modes = modes
        self._random = random
        self.rc_mode = options.rc_mode
        self.rate_commands: deque[tuple[float, float, float]] = deque(maxlen=4096)
        self._at_rest = False
        self._home = (0.0, 0.0)
        self._map_again_s = -math.inf
        self.power_up(body.plant.time_s)

    def power_up(self, now_s: float) -> None:
        """As after switching on."""
        self._modes.power_up()
        self._body.power_up(now_s)
        self.listens = True
        """False once a remote control was given the gimbal (204 with RC_TARGETING)."""
        self.tracking = False
        """On-board tracking turns the camera, and nothing else does."""
        self.angles_dead = self._options.angles_dead == 'always'
        self._rates, self._ends_s = (0.0, 0.0), math.inf
        self._last_angle: Pair | None = None
        self._enter(now_s)

    # Modes.

    def take_flags(self, flags: int, now_s: float) -> None:
        """Flags of a 284."""
        if not self.obeys_mavlink:
            return
        noticed = not happens(self._options.missed_home_share, self._random)
        before = self._modes.mode
        if self._modes.take_flags(flags, now_s, noticed):
            self._go_home(now_s, (0.0, 0.0))
        elif self._modes.mode is not before:
            self._enter(now_s)

    def set_mode(self, mode: GimbalMode, now_s: float, home_rad: Pair = (0.0, 0.0)) -> None:
        """A mode by command or by GB_MODE; a home may be elsewhere than ahead."""
        before = self._modes.mode
        if self._modes.set_mode(mode, now_s):
            self._go_home(now_s, home_rad)
        elif self._modes.mode is not before:
            self._enter(now_s)

    @property
    def obeys_mavlink(self) -> bool:
        """Whether MAVLink may move it at all (gimbal.md 1.11)."""
        return self.listens and self.rc_mode == 1 and not self._options.rc_exclusive

    # Commands.

    def rates(self, now_s: float, azimuth_rad_s: float, tilt_rad_s: float, roll_rad_s: float = 0.0) -> None:
        """Turn so fast, by MAVLink; NaN leaves an axis as it was commanded before."""
        wanted = (
            azimuth_rad_s if math.isfinite(azimuth_rad_s) else self._rates[0],
            tilt_rad_s if math.isfinite(tilt_rad_s) else self._rates[1],
        )
        self.rate_commands.append((now_s, *wanted))
        if not self.obeys_mavlink or self.tracking or self._modes.mode is GimbalMode.OFF:
            return
        if self._modes.homing:
            # The zero rates of the pulse that began it do not end a home.
            if wanted == (0.0, 0.0):
                return
            self._modes.homing = False
        self._rates = wanted
        self._body.command_roll(now_s, rate_rad_s=roll_rad_s)
        expiry_s = self._options.rate_expiry_s
        self._ends_s = now_s + expiry_s if expiry_s else math.inf
        if self._modes.mode is GimbalMode.MAPPING:
            self._map(now_s, wanted[0])
        else:
            self._body.command_rates(now_s, *wanted)

    def angles(
        self, now_s: float, azimuth_rad: float, tilt_rad: float, roll_rad: float = 0.0, exactly: bool = False
    ) -> None:
        """Go there, by MAVLink: azimuth from the vehicle, or in LOCK from the earth."""
        if not self.obeys_mavlink or self.tracking or self.angles_dead:
            return
        if self._options.angle_needs_twice and not self._is_second(azimuth_rad, tilt_rad):
            return
        self._modes.homing = False
        if self._modes.mode is GimbalMode.OFF:
            self._decays_s, self._at_rest = now_s + self._options.off_decay_s, False
        self._rates, self._ends_s, self._mapping_rate = (0.0, 0.0), math.inf, 0.0
        if self._modes.mode is GimbalMode.MAPPING:
            tilt_rad, roll_rad = _DOWN_RAD, 0.0
        self._body.command_roll(now_s, roll_rad)
        if self._body.holds_earth:
            azimuth_rad, exactly = azimuth_rad - self._body.heading_rad, False
        self._body.command_angles(now_s, azimuth_rad, tilt_rad, exactly)

    def track(self, now_s: float, azimuth_rad_s: float, tilt_rad_s: float) -> None:
        """On-board tracking turns the camera."""
        if self._modes.mode is not GimbalMode.OFF:
            self._body.command_rates(now_s, azimuth_rad_s, tilt_rad_s)

    def begin_tracking(self) -> None:
        """From now on only `track` moves it."""
        self.tracking, self._ends_s, self._mapping_rate = True, math.inf, 0.0

    def end_tracking(self, now_s: float) -> None:
        """The camera stops; with one firmware the way for angles stays dead (PayloadSdk #47)."""
        if not self.tracking:
            return
        self.tracking = False
        self.angles_dead = self.angles_dead or self._options.angles_dead == 'after_tracking'
        self._body.command_rates(now_s, 0.0, 0.0)

    # Time.

    def before(self, now_s: float) -> None:
        """What ends by itself before this time; then the body may advance."""
        if now_s >= self._ends_s:
            ended_s, self._ends_s, self._rates = self._ends_s, math.inf, (0.0, 0.0)
            self._body.command_roll(ended_s, rate_rad_s=0.0)
            if self._mapping_rate:
                self._map(ended_s, 0.0)
            else:
                self._body.command_rates(ended_s, 0.0, 0.0)
        if self._mapping_rate and now_s >= self._map_again_s:
            self._map(now_s, self._mapping_rate)
        if now_s >= self._decays_s:
            self._drop(self._decays_s)

    def after(self) -> None:
        """Where it arrived."""
        if self._modes.homing and all(
            abs(angle - home) < _HOME_RAD for angle, home in zip(self._body.angles_rad, self._home, strict=True)
        ):
            self._modes.homing = False

    def _map(self, now_s: float, azimuth_rad_s: float) -> None:
        """MAPPING: only the azimuth turns, the tilt is held straight down."""
        ends = self._mapping_rate != 0.0 and azimuth_rad_s == 0.0
        self._mapping_rate, self._map_again_s = azimuth_rad_s, now_s + _MAP_EVERY_S
        if azimuth_rad_s:
            error = _DOWN_RAD - self._body.angles_rad[1]
            self._body.command_rates(now_s, azimuth_rad_s, _MAP_GAIN_S * error)
        elif ends:
            self._look_down(now_s)

    def _look_down(self, now_s: float) -> None:
        self._body.command_roll(now_s, 0.0)
        self._body.command_angles(now_s, self._body.pan_rad, _DOWN_RAD, exactly=True)

    def _go_home(self, now_s: float, home_rad: Pair) -> None:
        self._home = home_rad
        self._rates, self._ends_s, self._mapping_rate = (0.0, 0.0), math.inf, 0.0
        self._body.command_roll(now_s, 0.0)
        self._body.command_angles(now_s, *home_rad, exactly=True)

    def _enter(self, now_s: float) -> None:
        """A mode begins."""
        mode, body = self._modes.mode, self._body
        body.holds_earth = mode is GimbalMode.LOCK
        self._decays_s, self._mapping_rate = math.inf, 0.0
        if mode is GimbalMode.OFF:
            self._drop(now_s)
        elif self._at_rest or mode is GimbalMode.MAPPING:
            # Motors that come on hold the camera where it hangs; MAPPING turns it straight down.
            self._at_rest = False
            self._rates = (0.0, 0.0)
            if mode is GimbalMode.MAPPING:
                self._look_down(now_s)
            else:
                body.command_rates(now_s, 0.0, 0.0)

    def _drop(self, now_s: float) -> None:
        """Without motors the camera sinks to where it hangs."""
        self._decays_s = math.inf
        self._at_rest = True
        self._rates, self._ends_s = (0.0, 0.0), math.inf
        self._body.command_angles(now_s, self._body.pan_rad, self._options.rest_tilt_rad, exactly=True)

    def _is_second(self, azimuth_rad: float, tilt_rad: float) -> bool:
        previous, self._last_angle = self._last_angle, (azimuth_rad, tilt_rad)
        return previous is not None and max(abs(previous[0] - azimuth_rad), abs(previous[1] - tilt_rad)) < _SAME_RAD
