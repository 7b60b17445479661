# SPDX-License-Identifier: Apache-2.0
"""An operator's zoom stays for a while, whatever a tracker wishes."""

from __future__ import annotations

from gremsy_gimbal_driver.motion.zoom_arbiter import ZoomArbiter

S = 1_000_000_000


def test_before_any_operator_the_tracker_may_zoom() -> None:
    assert ZoomArbiter(5.0).tracker_may(0)


def test_an_operator_keeps_the_tracker_out_for_the_lease_from_the_last_command_on() -> None:
    arbiter = ZoomArbiter(5.0)
    arbiter.operator_zooms(10 * S)
    arbiter.operator_zooms(12 * S)
    assert not arbiter.tracker_may(17 * S - 1)
    assert arbiter.tracker_may(17 * S)
    assert arbiter.refused == 1


def test_without_a_lease_the_newest_wins() -> None:
    arbiter = ZoomArbiter(0.0)
    arbiter.operator_zooms(10 * S)
    assert arbiter.tracker_may(10 * S)
