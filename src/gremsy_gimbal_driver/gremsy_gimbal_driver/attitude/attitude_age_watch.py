# SPDX-License-Identifier: Apache-2.0
"""Whether the attitudes are stamped right, as the tracker's pictures say, and what is to be done where they are not.

A link's smallest delay cannot be seen from arrivals (`clock_mapping`). A camera that looks along with the gimbal shows
it (`gimbal/attitude_age`): measured against the pictures' stamps, which is what a tracker points by. While a
calibration runs its estimates are kept for its end; else they are reported, and followed as far as the operator allows.
"""

from __future__ import annotations

from gremsy_common.types.attitude_age import AttitudeAge, together

LONGEST_DELAY_S = 0.5
"""Older telemetry is none."""

# What a slew of 30 deg/s makes 0.3 degrees of; three standard deviations of it must be known.
_WRONG_S = 0.010
_SURE = 3.0
# Said again when it has changed by more.
_NEWS_S = 0.005


class AttitudeAgeWatch:
    """Takes estimates; for one thread, or under a lock.

    Args:
        delay_s: `least_attitude_delay_s`, which the attitudes are stamped with.
        correction_s: how far from it the driver may go.
    """

    def __init__(self, delay_s: float, correction_s: float) -> None:
        self.delay_s = self._given_s = delay_s
        self._correction_s = correction_s
        self._changed_ns = 0
        self._calibrated_since_ns: int | None = None
        self._of_calibration: list[AttitudeAge] = []
        self._newest: AttitudeAge | None = None
        self._reported_s: float | None = None
        self.sentence = ''
        """What is to be reported now, once."""

    def calibration_begins(self, now_ns: int) -> None:
        """What is seen from now on is the calibration's."""
        self._calibrated_since_ns = now_ns
        self._of_calibration.clear()

    def calibrated(self) -> AttitudeAge | None:
        """What was seen in the course of the calibration that has ended; None where no pictures told."""
        found, self._calibrated_since_ns = self._of_calibration, None
        return together(found) if found else None

    def use(self, delay_s: float, now_ns: int) -> None:
        """The attitudes are stamped with another delay from now on, which a calibration has found."""
        self.delay_s = self._given_s = delay_s
        self._changed_ns, self._newest, self._reported_s = now_ns, None, None

    def take(self, age: AttitudeAge, now_ns: int, *, calibrating: bool) -> float | None:
        """An estimate; the delay to stamp with from now on, None to leave it."""
        self.sentence = ''
        if age.since_ns <= self._changed_ns:
            return None
        self._newest = age
        if self._calibrated_since_ns is not None and age.since_ns >= self._calibrated_since_ns:
            self._of_calibration.append(age)
        if calibrating or not abs(age.late_s) > max(_WRONG_S, _SURE * age.std_s):
            return None
        low_s = max(0.0, self._given_s - self._correction_s)
        high_s = min(LONGEST_DELAY_S, self._given_s + self._correction_s)
        delay_s = round(min(max(self.delay_s + age.late_s, low_s), high_s), 4)
        if abs(delay_s - self.delay_s) > _WRONG_S / 2:
            self.delay_s, self._changed_ns = delay_s, now_ns
            self.sentence = (
                f'The attitudes are taken to be {delay_s * 1e3:.0f} ms old on arrival from now on, as the pictures '
                f'say ({_words(age)}); `least_attitude_delay_s` is {self._given_s:g}.'
            )
            return delay_s
        if self._reported_s is None or abs(age.late_s - self._reported_s) > _NEWS_S:
            self._reported_s = age.late_s
            self.sentence = self._wrong(age)
        return None

    def row(self) -> str:
        """For the diagnostics."""
        in_force = f'{self.delay_s * 1e3:.0f} ms on arrival'
        if self._newest is None:
            return f'taken to be {in_force}; no pictures have shown it yet'
        return f'taken to be {in_force}; by the pictures stamped {_words(self._newest)}'

    def _wrong(self, age: AttitudeAge) -> str:
        right_s = self.delay_s + age.late_s
        if right_s < -_SURE * age.std_s:
            return (
                f'The pictures are stamped {-age.late_s * 1e3:.0f} ms later than the attitudes, which cannot be '
                "younger than their arrival: see the camera's `stamps` and `transport_delay_ms`."
            )
        return (
            f'The attitudes are stamped {_words(age)}, as the pictures say: set `least_attitude_delay_s` to '
            f'{max(right_s, 0.0):.3f} and calibrate again, or let `attitude_delay_correction_s` allow it.'
        )


def _words(age: AttitudeAge) -> str:
    side = 'late' if age.late_s >= 0.0 else 'early'
    return f'{abs(age.late_s) * 1e3:.0f} +- {age.std_s * 1e3:.0f} ms too {side}'
