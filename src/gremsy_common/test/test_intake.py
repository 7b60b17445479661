# SPDX-License-Identifier: Apache-2.0
"""When a node is said to do no work, since nothing comes or nothing of it is of use."""

from __future__ import annotations

from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.intake import Intake

SILENT = 'Nothing has come on /eo/image_raw for {} s: see what its publisher says.'


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_topic_that_is_silent_is_said_until_something_comes() -> None:
    intake = Intake(clock := Clock())
    assert intake.health() == Health()
    intake.begin('image_raw', '/eo/image_raw')
    clock.now_s += 3.0
    assert intake.health() == Health()
    clock.now_s += 1.0
    assert intake.health() == Health(Level.STALE, SILENT.format(4))
    intake.came()
    intake.used()
    assert intake.health() == Health()
    clock.now_s += 10.0
    assert intake.health() == Health(Level.STALE, SILENT.format(10))
    intake.end()
    assert intake.health() == Health()


def test_what_is_refused_is_said_while_nothing_else_is_used() -> None:
    intake = Intake(clock := Clock())
    intake.begin('image_raw', '/eo/image_raw')
    for _ in range(40):
        intake.refused('image_raw', 'An image is odd: send another.')
        clock.now_s += 0.1
    assert intake.health() == Health(Level.ERROR, 'An image is odd: send another.')
    intake.used()
    assert intake.health() == Health()
    # One of many.
    intake.refused('image_raw', 'An image is odd: send another.')
    assert intake.health() == Health()


def test_what_is_refused_of_another_topic_is_no_sign_of_life() -> None:
    intake = Intake(clock := Clock())
    intake.begin('image_raw', '/eo/image_raw')
    clock.now_s += 4.0
    intake.refused('gimbal/zoom', 'A zoom is odd: send another.')
    assert intake.health() == Health(Level.STALE, SILENT.format(4))
