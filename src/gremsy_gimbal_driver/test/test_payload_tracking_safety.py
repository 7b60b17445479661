# SPDX-License-Identifier: Apache-2.0
"""The payload's own tracking turns the camera by itself: it needs the arm, and whatever stops us must end it too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.payload.payload_requests import TelemetryRate, TrackBox, TrackPoint
from gremsy_gimbal_driver.payload.pending_request import RequestState
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload_fixture import RunningPayload, running_payload

TURN_RAD_S = 0.1


@pytest.fixture
def turning() -> Iterator[RunningPayload]:
    """A payload that sees a thing go by."""
    with running_payload(PayloadOptions(target_turn_rad_s=TURN_RAD_S)) as payload:
        yield payload


@pytest.fixture
def driver(turning: RunningPayload, wait_until: Callable[..., None]) -> Iterator[GimbalDriver]:
    made = GimbalDriver(links_from_uris([turning.uri]))
    made.open()
    wait_until(lambda: made.view is not None and made.status().device.payload is not None)
    made.request(TelemetryRate('TRK_STATUS', 5.0))
    yield made
    made.close()


def begin(driver: GimbalDriver, payload: RunningPayload, wait_until: Callable[..., None]) -> None:
    assert driver.arm(True).done
    driver.request(TrackPoint(0.6, 0.5))
    wait_until(lambda: abs(payload.rates_rad_s[0]) > 0.5 * TURN_RAD_S)


def rests(payload: RunningPayload) -> bool:
    return abs(payload.rates_rad_s[0]) < 0.01


@pytest.mark.parametrize('request_', [TrackPoint(0.6, 0.5), TrackBox(0.6, 0.5, 0.1, 0.1)])
def test_disarmed_it_is_refused_and_nothing_turns(driver, turning, request_):
    pending = driver.request(request_)
    assert (pending.state, pending.result.sentence) == (
        RequestState.FAILED,
        'Not tracking: disarmed; call `arm` first.',
    )
    time.sleep(0.5)
    assert turning.angles_rad == (0.0, 0.0)


@pytest.mark.parametrize(
    'end',
    [lambda driver: driver.stop(), lambda driver: driver.arm(False), lambda driver: driver.close()],
    ids=['stop', 'disarm', 'close'],
)
def test_whatever_stops_the_driver_ends_it(driver, turning, wait_until, end):
    begin(driver, turning, wait_until)
    end(driver)
    wait_until(lambda: rests(turning), timeout_s=2.0)
    time.sleep(0.5)
    assert rests(turning)


def test_a_driver_that_hangs_while_it_runs_has_it_ended_by_the_deadman(driver, turning, wait_until):
    begin(driver, turning, wait_until)
    # The writer cannot come by any more, so no beat goes out.
    with driver._condition:
        wait_until(lambda: rests(turning), timeout_s=3.0)
