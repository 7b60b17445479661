# SPDX-License-Identifier: Apache-2.0
"""The gimbal's own mode machine: flags in, flags out (gimbal.md 1.7)."""

from __future__ import annotations

import math

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_sim.options.options_gimbal import ModeOptions

RETRACT = dialect.GIMBAL_DEVICE_FLAGS_RETRACT
NEUTRAL = dialect.GIMBAL_DEVICE_FLAGS_NEUTRAL
YAW_LOCK = dialect.GIMBAL_DEVICE_FLAGS_YAW_LOCK
MAPPING = 0x4000  # Gremsy's own
LEVEL = dialect.GIMBAL_DEVICE_FLAGS_ROLL_LOCK | dialect.GIMBAL_DEVICE_FLAGS_PITCH_LOCK
_RC_EXCLUSIVE = dialect.GIMBAL_DEVICE_FLAGS_RC_EXCLUSIVE
_MODE_BITS = RETRACT | NEUTRAL | YAW_LOCK | MAPPING

_FLAGS = {
    GimbalMode.OFF: LEVEL | RETRACT,
    GimbalMode.LOCK: LEVEL | YAW_LOCK,
    GimbalMode.FOLLOW: LEVEL,
    GimbalMode.MAPPING: LEVEL | MAPPING,
    GimbalMode.HOME: LEVEL | NEUTRAL,
}
# GB_MODE 0 off, 1 lock, 2 follow, 3 mapping, 4 reset (gimbal.md 2.3).
GB_MODES = (GimbalMode.OFF, GimbalMode.LOCK, GimbalMode.FOLLOW, GimbalMode.MAPPING, GimbalMode.HOME)


def mode_of(flags: int) -> GimbalMode:
    """The one mode of any set of flags; the order is Gremsy's own (gimbal.md 1.7)."""
    for bit, mode in (
        (YAW_LOCK, GimbalMode.LOCK),
        (RETRACT, GimbalMode.OFF),
        (NEUTRAL, GimbalMode.HOME),
        (MAPPING, GimbalMode.MAPPING),
    ):
        if flags & bit:
            return mode
    return GimbalMode.FOLLOW


class SimulatedModes:
    """Which mode it is in; it changes by command only, never by itself, except that a home ends at home.

    Args:
        options: the modes'.
    """

    def __init__(self, options: ModeOptions) -> None:
        self._options = options
        self.forwards_flags = options.forwards_flags
        self.board_mode = GimbalMode(options.start_mode)
        """GB_MODE, which an MB1 board puts into every 284 unless it forwards."""
        self.power_up()

    def power_up(self) -> None:
        """As after switching on."""
        self.mode = GimbalMode(self._options.start_mode)
        self.homing = False
        """Until it is at home, or was commanded elsewhere."""
        self._flags = _FLAGS[self.mode]
        self._neutral_held = self._neutral_noticed = False
        self._shown = self._flags
        self._shown_at_s = -math.inf

    def take_flags(self, flags: int, now_s: float, home_is_noticed: bool = True) -> bool:
        """Flags of a 284; true where they begin a home. NEUTRAL counts by its edge only."""
        if not self.forwards_flags:
            flags = flags & ~_MODE_BITS | _FLAGS[self.board_mode]
        neutral = mode_of(flags) is GimbalMode.HOME
        begins = neutral and not self._neutral_held and home_is_noticed
        self._neutral_held = neutral
        # An edge that was missed does not show either: the vendor pulses until 285 shows the reset (gimbal.md 1.7).
        self._neutral_noticed = neutral and (begins or self._neutral_noticed)
        if not neutral:
            self._enter(flags & ~NEUTRAL, now_s)
        elif begins:
            self.homing = True
        return begins

    def set_mode(self, mode: GimbalMode, now_s: float) -> bool:
        """A mode of 31011 or GB_MODE; true where it is a home."""
        self._neutral_held = self._neutral_noticed = False
        if mode is GimbalMode.HOME:
            self.homing = True
            return True
        self._enter(_FLAGS[mode], now_s)
        return False

    def flags(self, now_s: float) -> int:
        """As 285 shows them."""
        if now_s >= self._shown_at_s:
            self._shown = self._flags
        shown = self._shown
        if self.homing or self._neutral_noticed:
            shown = shown & ~_MODE_BITS | NEUTRAL
        return shown | (_RC_EXCLUSIVE if self._options.rc_exclusive else 0)

    def _enter(self, flags: int, now_s: float) -> None:
        if flags == self._flags:
            return
        self._flags = flags
        self.mode = mode_of(flags)
        # OFF drops the camera at once, whatever it was doing.
        if self.mode is GimbalMode.OFF:
            self.homing = False
        self._shown_at_s = now_s + self._options.mode_delay_s
