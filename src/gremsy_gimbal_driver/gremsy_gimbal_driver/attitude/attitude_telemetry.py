# SPDX-License-Identifier: Apache-2.0
"""One gimbal's attitude from the messages that it sends: 285 where it comes, else 265, never both at a time.

Two sources of one attitude disagree by their delays and by what they call yaw; a loop that is fed both shakes. So 285,
which has flags, rates and a quaternion, is used as soon as one is believed, and 265 only while there is none.
"""

from __future__ import annotations

from collections import Counter

from gremsy_gimbal_driver.attitude.attitude_reading import (
    AttitudeReading,
    AttitudeSource,
    reading_from_orientation,
    reading_from_status,
)
from gremsy_gimbal_driver.attitude.attitude_stamping import AttitudeStamping, MeasuredAttitude
from gremsy_gimbal_driver.attitude.telemetry_screening import AttitudeScreen, Judgement, ScreeningSettings
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, MountOrientation
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.notices import Say

# At 10 Hz and 2 % lost bytes seven 285s in ten are lost: a second without one happens every half minute, two seconds
# once in twenty minutes.
_PATIENCE_NS = nanoseconds(2.0)


class AttitudeTelemetry:
    """Screens and stamps. For one thread.

    Args:
        stamping: maps the device's time to ours; it is used for both messages, which carry the same clock.
        say: told when 285 does not come.
        inform: told when it comes again.
        settings: what counts as a jump.
    """

    def __init__(
        self, stamping: AttitudeStamping, say: Say, inform: Say, settings: ScreeningSettings | None = None
    ) -> None:
        self._stamping = stamping
        self._say = say
        self._inform = inform
        self._screen = AttitudeScreen(settings)
        self._waiting_since_ns = 0
        self._heard_ns: int | None = None
        self._counts: Counter[str] = Counter()
        self.source: AttitudeSource | None = None
        """The message that is used now."""

    @property
    def restarts(self) -> int:
        """How often the device's clock began anew (a reboot)."""
        return self._stamping.restarts

    @property
    def counts(self) -> Counter[str]:
        """What was refused, by reason, and `attitude_source_changes`."""
        return self._counts + self._stamping.rejects

    def use_least_delay(self, least_delay_ns: int) -> None:
        """The smallest time from measurement to arrival is known to be another."""
        self._stamping.use_least_delay(least_delay_ns)

    def take(
        self, event: AttitudeStatus | MountOrientation, arrival: Instant, locked: bool = False
    ) -> MeasuredAttitude | None:
        """The attitude; None for what is refused or not needed. `locked`: whether the mode is lock, for 265 only."""
        if isinstance(event, AttitudeStatus):
            # One that is screened out counts too: after a reboot they are, for a moment, and a 265 in between, with the
            # same jump of the clock, would only prolong it.
            self._waiting_since_ns = self._heard_ns = arrival.monotonic_ns
            return self._use(reading_from_status(event), arrival)
        if not self._is_needed(arrival.monotonic_ns):
            return None
        return self._use(reading_from_orientation(event, locked), arrival)

    def _is_needed(self, now_ns: int) -> bool:
        """Whether 265 must do: no 285 for the patience, counted from the first 265 at first, and after a silence."""
        if self._heard_ns is None or now_ns - self._heard_ns >= _PATIENCE_NS:
            self._waiting_since_ns = now_ns
        self._heard_ns = now_ns
        return now_ns - self._waiting_since_ns >= _PATIENCE_NS

    def _use(self, reading: AttitudeReading, arrival: Instant) -> MeasuredAttitude | None:
        judgement = self._screen.judge(reading, arrival.monotonic_ns)
        if judgement is Judgement.GOOD_ANEW:
            self._counts['attitude_believed_anew'] += 1
        elif judgement is not Judgement.GOOD:
            self._counts[judgement.value] += 1
            return None
        measured = self._stamping.stamped(reading, arrival)
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
            self._say(
                f'The gimbal sends no usable {AttitudeSource.STATUS.value}: its attitude is taken from '
                f'{source.value}, which has neither flags nor rates; update its firmware if it is older than 7.5.6.'
            )
        elif before is not None:
            self._inform(f"The gimbal's attitude comes from {source.value} again.")
