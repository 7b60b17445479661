# SPDX-License-Identifier: Apache-2.0
"""Whether the device runs, and its own clock: boots, reboots, and a USB cable that holds it in reset."""

from __future__ import annotations

import math

from gremsy_gimbal_sim.options.options_link import PowerOptions


class Power:
    """Up at `start_s`, with the clock at `boot_ms`; after a reboot the clock begins at 0."""

    def __init__(self, options: PowerOptions, start_s: float) -> None:
        self._options = options
        self._zero_s = start_s - options.boot_ms * 1e-3
        self._down_at_s, self._silence_s = math.inf, 0.0
        self._up_at_s = -math.inf
        self._held = False
        self.running = True
        """Not while it boots or is held in reset."""
        self.boots = 1
        """How often it came up, with that at the start."""

    def boot_ms(self, time_s: float) -> int:
        """The device's clock, 32 bits of ms."""
        return int((time_s - self._zero_s) * 1e3 + 1e-3) & 0xFFFFFFFF

    def boot_us(self, time_s: float) -> int:
        """The same in us, 64 bits."""
        return max(int((time_s - self._zero_s) * 1e6), 0)

    def plan(self, down_at_s: float, silence_s: float) -> None:
        """Reboot then; for ever where the silence is infinite."""
        self._down_at_s, self._silence_s = down_at_s, silence_s

    def set_lines(self, dtr: bool, rts: bool, now_s: float) -> None:
        """The modem lines of a USB cable: DTR holds RESET; RTS high at its end starts the bootloader.

        That waits for firmware at 460800 baud 8E1 and takes nothing else.
        """
        if not self._options.usb_reset_lines:
            return
        if dtr and not self._held:
            self.plan(now_s, math.inf)
        elif self._held and not dtr:
            self.plan(now_s, math.inf if rts else self._options.boot_s)
        self._held = dtr

    def step(self, now_s: float) -> bool:
        """Whether it went down or came up just now; each change once, when its time has come."""
        if now_s >= self._down_at_s:
            self.running = False
            self._up_at_s, self._down_at_s = self._down_at_s + self._silence_s, math.inf
            return True
        if not self.running and now_s >= self._up_at_s:
            self.running = True
            self.boots += 1
            self._zero_s = self._up_at_s
            return True
        return False
