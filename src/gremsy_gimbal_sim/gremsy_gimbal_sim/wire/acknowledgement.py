# SPDX-License-Identifier: Apache-2.0
"""COMMAND_LONG's floats as whole numbers, and COMMAND_ACK 77: it may be lost, late, doubled, or for somebody else."""

from __future__ import annotations

import math

import numpy as np

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_framing import MavlinkFrame
from gremsy_gimbal_sim.options.options_gimbal import CommandOptions
from gremsy_gimbal_sim.wire.outbox import Component, Outbox

NO_NUMBER = -(2**31)
"""Means nothing in any command."""

# MISSIONPLANNER: some other program on the same link.
_SOMEBODY_ELSE = dialect.MAV_COMP_ID_MISSIONPLANNER


def whole(value: float) -> int:
    """A parameter of COMMAND_LONG cut to a whole number; `NO_NUMBER` for NaN, infinity and what is too large."""
    return int(value) if math.isfinite(value) and abs(value) < 2**31 else NO_NUMBER


class Acknowledger:
    """Answers commands for every component of the device.

    Args:
        options: the commands'.
        outbox: where answers go.
        random: of their faults.
    """

    def __init__(self, options: CommandOptions, outbox: Outbox, random: np.random.Generator) -> None:
        self._options = options
        self._outbox = outbox
        self._random = random

    def send(
        self, sender: Component, command: int, result: int, asked: MavlinkFrame, now_s: float, progress: int = 0
    ) -> None:
        """Tell whoever sent that frame."""
        options = self._options
        if self._happens(options.ack_lost_share):
            return
        component = _SOMEBODY_ELSE if self._happens(options.ack_foreign_share) else asked.component
        message = dialect.MAVLink_command_ack_message(command, result, progress, 0, asked.system, component)
        for _ in range(2 if self._happens(options.ack_duplicated_share) else 1):
            self._outbox.send(sender, message, now_s + options.ack_delay_s)

    def _happens(self, share: float) -> bool:
        return share > 0.0 and float(self._random.random()) < share
