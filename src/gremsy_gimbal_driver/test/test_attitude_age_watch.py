# SPDX-License-Identifier: Apache-2.0
"""What the driver makes of the telemetry's age: said, followed within bounds, or kept for a calibration's end."""

from __future__ import annotations

import pytest

from gremsy_common.types.attitude_age import AttitudeAge
from gremsy_gimbal_driver.attitude.attitude_age_watch import AttitudeAgeWatch

S = 1_000_000_000


def age(late_s: float, since_s: float = 10.0, std_s: float = 0.001) -> AttitudeAge:
    return AttitudeAge(late_s, std_s, 20, round(since_s * S))


def took(watch: AttitudeAgeWatch, told: AttitudeAge, *, calibrating: bool = False) -> tuple[float | None, str]:
    return watch.take(told, told.since_ns + 5 * S, calibrating=calibrating), watch.sentence


def test_a_wrong_age_is_said_once_with_the_value_to_set() -> None:
    watch = AttitudeAgeWatch(0.02, 0.0)
    assert took(watch, age(0.041)) == (
        None,
        'The attitudes are stamped 41 +- 1 ms too late, as the pictures say: set `least_attitude_delay_s` to 0.061 '
        'and calibrate again, or let `attitude_delay_correction_s` allow it.',
    )
    assert took(watch, age(0.043, 80.0)) == (None, '')
    assert took(watch, age(0.06, 140.0))[1].startswith('The attitudes are stamped 60 +- 1 ms too late')
    assert watch.row() == 'taken to be 20 ms on arrival; by the pictures stamped 60 +- 1 ms too late'


@pytest.mark.parametrize('told', [age(0.009), age(0.025, std_s=0.009), age(-0.008)])
def test_what_is_small_or_not_sure_is_left(told: AttitudeAge) -> None:
    assert took(AttitudeAgeWatch(0.02, 0.5), told) == (None, '')


def test_a_wrong_age_is_followed_as_far_as_allowed() -> None:
    watch = AttitudeAgeWatch(0.02, 0.05)
    assert took(watch, age(0.041)) == (
        0.061,
        'The attitudes are taken to be 61 ms old on arrival from now on, as the pictures say (41 +- 1 ms too late); '
        '`least_attitude_delay_s` is 0.02.',
    )
    # What began to be seen before the change is of the stamps before it.
    assert took(watch, age(0.041, 14.0)) == (None, '')
    assert took(watch, age(0.08, 20.0))[0] == pytest.approx(0.07)
    assert took(watch, age(0.071, 30.0))[1].startswith('The attitudes are stamped 71 +- 1 ms too late')
    assert took(watch, age(-0.071, 40.0))[0] == 0.0


def test_pictures_stamped_later_than_any_age_explains_are_named() -> None:
    watch = AttitudeAgeWatch(0.0, 0.5)
    assert took(watch, age(-0.035)) == (
        None,
        'The pictures are stamped 35 ms later than the attitudes, which cannot be younger than their arrival: see '
        "the camera's `stamps` and `transport_delay_ms`.",
    )


def test_a_calibration_takes_what_was_seen_in_its_course() -> None:
    watch = AttitudeAgeWatch(0.0, 0.5)
    assert watch.calibrated() is None
    took(watch, age(0.05, 5.0))
    watch.calibration_begins(10 * S)
    for told in (age(0.2, 9.0), age(0.019, 11.0), age(0.021, 20.0)):
        assert took(watch, told, calibrating=True) == (None, '')
    found = watch.calibrated()
    assert found is not None
    assert (found.late_s, found.pictures) == (pytest.approx(0.02), 40)
    watch.use(0.02, 50 * S)
    assert watch.row() == 'taken to be 20 ms on arrival; no pictures have shown it yet'
    assert took(watch, age(0.02, 49.0)) == (None, '')
    watch.calibration_begins(60 * S)
    assert watch.calibrated() is None
