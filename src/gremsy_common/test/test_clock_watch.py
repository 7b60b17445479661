# SPDX-License-Identifier: Apache-2.0
"""What is said of a simulated clock that does not come, stands, and goes."""

from __future__ import annotations

from gremsy_common.timing.clock_watch import ClockWatch

SECOND = 1_000_000_000
NONE = (
    '`use_sim_time` is set and nothing comes on /clock, so no stamp can be compared with now: start what publishes it '
    '(`ros2 bag play --clock 100`, a simulator), or set `use_sim_time` to false.'
)
STANDS = (
    '`use_sim_time` is set and /clock stands still, so everything that comes is as old as it was: let what publishes '
    'it continue.'
)


def said(ros_s: list[float]) -> list[str]:
    """Ten looks a second."""
    watch = ClockWatch()
    return [watch.fault(round(each * SECOND), number * SECOND // 10) for number, each in enumerate(ros_s)]


def test_a_clock_that_never_comes_is_said_after_two_seconds():
    assert said([0.0] * 25) == [''] * 20 + [NONE] * 5


def test_a_bag_that_is_paused_is_said_until_it_goes_on_or_begins_again():
    going = [5.0 + number / 10 for number in range(10)]
    assert said([*going, *[going[-1]] * 21, 6.1, 6.2]) == [''] * 29 + [STANDS] * 2 + ['', '']
    assert said([*[9.0] * 22, 1.0])[-2:] == [STANDS, '']
