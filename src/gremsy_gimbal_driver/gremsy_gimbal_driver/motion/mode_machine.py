# SPDX-License-Identifier: Apache-2.0
"""The gimbal's mode: which one is wanted, which one it reports, and when to ask for it again (gimbal.md 1.7).

The mode changes only by a message with its flags, which may be lost, and others may overwrite it. So the wanted one is
sent every 200 ms until message 285 confirms it, and again when the gimbal later reports another. HOME is
edge-triggered: a pulse of 100 ms, repeated until it is reported, then the previous mode. The mode is never derived from
the camera's parameters: the vendor's SDK does that, and stows the gimbal when one of them is set to 0 (gimbal.md 1.12).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gremsy_gimbal_driver.motion.instant import nanoseconds
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, no_such_mode
from gremsy_gimbal_driver.motion.notices import Notices

# The vendor's own test: again every 200 ms, allow 5 s (gimbal.md 1.7). After that as often as others re-assert (1.10).
_ASK_AGAIN_NS = nanoseconds(0.2)
_GIVE_UP_NS = nanoseconds(5.0)
_SLOWLY_NS = nanoseconds(2.0)
_PULSE_NS = nanoseconds(0.1)
# Within a pulse's two halves, so that one lost message is not a lost pulse.
_PULSE_WRITES_NS = nanoseconds(0.05)
# A gimbal that reports no mode cannot confirm the pulse either; 12 % of frames lost, all three once in 600 times.
_BLIND_PULSES = 3
# Home and back from the furthest pan takes 345 degrees at 30 deg/s (gimbal.md 1.8).
_TRAVEL_NS = nanoseconds(12.0)
# Message 285 comes at 10 Hz at least; a gimbal that has reported no mode by then does not report any.
_FIRST_REPORT_NS = nanoseconds(1.0)


class ModeState(str, Enum):
    """Whether the gimbal is in the wanted mode."""

    CONFIRMED = 'confirmed'
    PENDING = 'pending'
    UNCONFIRMED = 'unconfirmed'


@dataclass(frozen=True, slots=True)
class ModeStatus:
    """What is wanted, what the gimbal reports (None: nothing), and the reason where it is not confirmed."""

    wanted: GimbalMode
    reported: GimbalMode | None
    state: ModeState
    reason: str


class ModeMachine:
    """Active while armed with telemetry; inactive it asks for nothing. All times are ns of the monotonic clock.

    Args:
        mode: wanted at first; not HOME.
        notices: gets a fault when the gimbal does not take a mode.
    """

    def __init__(self, mode: GimbalMode, notices: Notices) -> None:
        if mode is GimbalMode.HOME:
            raise ValueError('HOME is a pulse, not a mode to start in: use lock, follow, mapping or off.')
        self._notices = notices
        self.wanted = mode
        """The mode to be in; during HOME's pulse the one after it."""
        self._reported: GimbalMode | None = None
        self._acknowledged: bool | None = None
        self._active = False
        self._since_ns = 0
        self._changed_ns: int | None = None
        self._due_ns = 0
        self._pulse_ns: int | None = None
        self._pulse_half: int | None = None
        self._pulse_written_ns = 0
        self._asserted_half: int | None = None
        self._travel_until_ns: int | None = None
        self._end_of_pulse_due = False
        self._gave_up = False
        self.lacking: frozenset[GimbalMode] = frozenset()
        """The modes that the gimbal reports not to have; they are not asked for."""

    @property
    def homing(self) -> bool:
        """Whether the gimbal is being sent home, or is homing by itself."""
        return self._pulse_ns is not None or self._travel_until_ns is not None

    @property
    def flags_mode(self) -> GimbalMode:
        """What the flags of a message carry now. While inactive they change nothing: zeros must not move a camera."""
        if self._active:
            return GimbalMode.HOME if self._pulse_half is not None and self._pulse_half % 2 == 0 else self.wanted
        return self.wanted if self._reported is None or self._reported is GimbalMode.HOME else self._reported

    @property
    def status(self) -> ModeStatus:
        """For the operator."""
        state, reason = self._judgement()
        wanted = GimbalMode.HOME if self._pulse_ns is not None else self.wanted
        return ModeStatus(wanted, self._reported, state, reason)

    def settling(self, now_ns: int) -> bool:
        """Whether angles may still be in another mode's frame than the wanted one's."""
        if self._reported is None:
            return self._changed_ns is not None and now_ns - self._changed_ns < _FIRST_REPORT_NS
        return self._reported is not self.wanted

    def activate(self, now_ns: int) -> None:
        """Armed, or telemetry is back: assert the wanted mode."""
        if self._active:
            return
        self._active = True
        self._ask_from(now_ns)
        if self._reported is None:
            self._due_ns = now_ns + _FIRST_REPORT_NS

    def deactivate(self) -> None:
        """Disarmed, or telemetry is lost."""
        self._active = False
        self.end_home()

    def want(self, mode: GimbalMode, now_ns: int) -> None:
        """Change to that mode; HOME starts its pulse and then stays in the present one."""
        self.end_home()
        if mode is GimbalMode.HOME:
            self._pulse_ns = now_ns
            self._pulse_half = 0
            self._asserted_half = None
            self._pulse_written_ns = now_ns - _PULSE_WRITES_NS
            self._acknowledged = None
            return
        if mode is not self.wanted:
            self._changed_ns = now_ns
        self.wanted = mode
        self._ask_from(now_ns)

    def end_home(self) -> None:
        """Another command takes over."""
        self._pulse_ns = self._pulse_half = self._travel_until_ns = None

    def on_report(self, mode: GimbalMode, now_ns: int) -> bool:
        """The flags of message 285; True when they changed, and with them the frame of the angles."""
        before, self._reported = self._reported, mode
        if mode is GimbalMode.HOME:
            if self._pulse_ns is not None:
                self._travel(now_ns)
        elif self._travel_until_ns is not None and before is GimbalMode.HOME:
            self._travel_until_ns = None
            self._ask_from(now_ns)
        if mode is self.wanted:
            self._gave_up = False
            self._notices.recovered('mode', 'mode_home')
        elif before is self.wanted and not self.homing:
            self._ask_from(now_ns)
        return before is not None and before is not mode

    def acknowledged(self, accepted: bool) -> None:
        """The answer to a mode command of protocol v1, which is all that such a device reports of its mode."""
        self._acknowledged = accepted

    def forget(self) -> None:
        """The gimbal restarted, or it is another one."""
        self._reported = None
        self._acknowledged = None

    def update(self, now_ns: int) -> None:
        """Let time pass."""
        if not self._active:
            return
        if self._pulse_ns is not None:
            self._pulse_half = (now_ns - self._pulse_ns) // _PULSE_NS
            if self._reported is None:
                if self._pulse_half >= 2 * _BLIND_PULSES or (self._acknowledged and self._pulse_half >= 2):
                    self._travel(now_ns)
            elif now_ns - self._pulse_ns >= _GIVE_UP_NS:
                self.end_home()
                self._ask_from(now_ns)
                self._notices.fault(
                    'mode_home',
                    f'The gimbal did not report the mode home within {_GIVE_UP_NS * 1e-9:g} s: '
                    'call `home`, which turns it there by commands.',
                )
        elif self._travel_until_ns is not None:
            if now_ns >= self._travel_until_ns:
                self._travel_until_ns = None
                self._ask_from(now_ns)
        elif self.wanted in self.lacking and not self._gave_up:
            self._gave_up = True
            self._notices.fault('mode', f'The mode is not asked for: {no_such_mode(self.wanted, self.lacking)}')
        elif not self._gave_up and not self._confirmed() and now_ns - self._since_ns >= _GIVE_UP_NS:
            self._gave_up = True
            if self._reported is not None or self._acknowledged is False:
                did = 'refuses' if self._reported is None else f'is in mode {self._reported.value} and does not take'
                self._notices.fault(
                    'mode',
                    f'The gimbal {did} the mode {self.wanted.value}, requested for {_GIVE_UP_NS * 1e-9:g} s: check '
                    'that it is controlled by MAVLink (RC_MODE 1, on MB1 payloads GB_FW_FLAG 1); requests go on, less '
                    'often.',
                )

    def due_ns(self) -> int | None:
        """When the mode has to be written next; None when it need not be."""
        if not self._active:
            return None
        if self._pulse_ns is not None:
            assert self._pulse_half is not None
            edge_ns = self._pulse_ns + (self._pulse_half + 1) * _PULSE_NS
            return min(self._pulse_written_ns + _PULSE_WRITES_NS, edge_ns)
        if self._travel_until_ns is not None:
            # One message without HOME ends the pulse; more would disturb a gimbal on its way.
            return self._due_ns if self._end_of_pulse_due else self._travel_until_ns
        return None if self._confirmed() or self.wanted in self.lacking else self._due_ns

    def _is_due(self, now_ns: int) -> bool:
        due_ns = self.due_ns()
        return due_ns is not None and now_ns >= due_ns

    def asks(self, now_ns: int) -> bool:
        """Whether a message of this moment has to assert the mode, and not only to carry its flags."""
        if not self._is_due(now_ns):
            return False
        # v1's reset is one command a pulse; the half without HOME, and the end of the pulse, are flags of v2.
        if self._pulse_ns is not None:
            return self.flags_mode is GimbalMode.HOME and self._pulse_half != self._asserted_half
        return self._travel_until_ns is None

    def wrote(self, now_ns: int) -> None:
        """A message with these flags was written."""
        if not self._is_due(now_ns):
            return
        if self._pulse_ns is not None:
            self._pulse_written_ns = now_ns
            self._asserted_half = self._pulse_half
        elif self._travel_until_ns is not None:
            self._end_of_pulse_due = False
        else:
            self._due_ns = now_ns + (_SLOWLY_NS if self._gave_up else _ASK_AGAIN_NS)

    def _ask_from(self, now_ns: int) -> None:
        self._since_ns = self._due_ns = now_ns
        self._acknowledged = None
        self._gave_up = False

    def _travel(self, now_ns: int) -> None:
        self._pulse_ns = self._pulse_half = None
        self._travel_until_ns = now_ns + _TRAVEL_NS
        self._due_ns = now_ns
        self._end_of_pulse_due = True

    def _confirmed(self) -> bool:
        return self._reported is self.wanted or (self._reported is None and self._acknowledged is True)

    def _judgement(self) -> tuple[ModeState, str]:
        if self._active and self.homing:
            return ModeState.PENDING, 'the gimbal is on its way home'
        if self._confirmed():
            reported = self._reported is not None
            return ModeState.CONFIRMED, '' if reported else 'acknowledged; this gimbal does not report its mode'
        if self.wanted in self.lacking:
            return ModeState.UNCONFIRMED, no_such_mode(self.wanted, self.lacking).removesuffix('.')
        if not self._active:
            return ModeState.UNCONFIRMED, 'a mode is asserted while the gimbal is armed and its attitude comes'
        if not self._gave_up:
            return ModeState.PENDING, 'asked for'
        if self._acknowledged is False:
            return ModeState.UNCONFIRMED, 'the gimbal refused it'
        if self._reported is None:
            return ModeState.UNCONFIRMED, 'this gimbal does not report its mode'
        return ModeState.UNCONFIRMED, f'the gimbal stays in {self._reported.value}'
