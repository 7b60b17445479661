# SPDX-License-Identifier: Apache-2.0
"""Who may move the gimbal and who does, as the driver publishes it (`gimbal/control`) and the tracker reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from gremsy_common.errors import SuiteError

NOBODY = 'nobody'
HAND_OVER = 'hand_over'
# Who holds the gimbal without keeping the tracker from it (gremsy_gimbal_driver.motion.command_arbiter.Source).
_NOT_ABOVE_TRACKER = (NOBODY, 'other', 'tracker')


class ControlStateError(SuiteError, ValueError):
    """A text that is no control state; the sentence says what is wrong."""


@dataclass(frozen=True, slots=True)
class ControlState:
    """Who may move the gimbal and who does.

    Attributes:
        armed: whether anything may move.
        holder: the source in control, or `nobody`; `hand_over` while the gimbal comes to rest between two trackers.
        mode, mode_state: the mode wanted, and whether it is confirmed, pending or unconfirmed.
        goal: state of the newest goal, empty before the first.
        setpoint_topic: full name of the one from which the driver takes a tracker's setpoints; empty if unknown.
    """

    armed: bool
    holder: str
    mode: str = ''
    mode_state: str = ''
    goal: str = ''
    setpoint_topic: str = ''

    def unused_because(self, setpoint_topic: str) -> str:
        """Why a tracker's setpoint on that topic moves nothing; empty where it does, or the next one will."""
        if self.setpoint_topic not in ('', setpoint_topic):
            return f'the gimbal driver takes those on {self.setpoint_topic}'
        if not self.armed:
            return 'the gimbal driver is disarmed'
        if self.holder == HAND_OVER:
            return 'the gimbal is being handed over'
        return '' if self.holder in _NOT_ABOVE_TRACKER else f'the {self.holder} holds control'

    def to_json(self) -> str:
        """For the latched topic."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ControlState:
        """The inverse of `to_json`; fields that it does not know are left out: a newer driver may say more.

        Raises:
            ControlStateError: with a sentence on what is wrong.
        """
        try:
            content: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ControlStateError(
                f'The control state is not JSON ({error}): `gimbal/control` must come from the gimbal driver.'
            ) from error
        armed, holder = (content.get('armed'), content.get('holder')) if isinstance(content, dict) else (None, None)
        if not isinstance(armed, bool) or not isinstance(holder, str):
            raise ControlStateError(
                'The control state must say `armed` (true or false) and `holder` (a word): '
                'run the driver and the tracker from the same version of the suite.'
            )
        return cls(
            armed, holder, *(str(content.get(name, '')) for name in ('mode', 'mode_state', 'goal', 'setpoint_topic'))
        )
