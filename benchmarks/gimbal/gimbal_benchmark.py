# SPDX-License-Identifier: Apache-2.0
"""The gimbal driver, measured: how fast a command is on the wire, how fast motion ends, parsing, reconnecting, frames.

The driver is the real node in a process of its own, over loopback UDP, wherever a process dies; the payload runs in
this process, on a thread, so that times of receipt are on the clock that the kills are timed with.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks.bench_progress import report, wait_until
from benchmarks.gimbal import gimbal_frames, gimbal_parser
from benchmarks.gimbal.gimbal_processes import Commander, DriverProcess, ending
from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_reports import DriverListener, GimbalView
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_sim.payload_fixture import RunningPayload, running_payload

_COMMANDS, _COMMAND_HZ = 1000, 100.0
_ROUNDS = 5
_RATE_RAD_S = 0.4
_AT_REST_RAD_S = np.radians(0.5)
_PATIENCE_S = 10.0
_REBOOT_S = 1.5
_until = partial(wait_until, benchmark='gimbal benchmark', patience_s=_PATIENCE_S, look_s=0.001)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the issue, flat."""
    del options
    report('commands to the wire ...')
    figures: dict[str, Any] = dict(_command_to_wire())
    figures['ttl_ms'] = MotionParameters().time_to_live_s * 1e3
    figures |= _stops()
    report('parser and fuzz ...')
    figures |= gimbal_parser.measure()
    figures |= gimbal_parser.fuzz()
    report('unplugging and rebooting ...')
    figures |= _reconnects()
    figures['frame_roundtrip_rad'] = gimbal_frames.frame_roundtrip_error_rad()
    return figures


def _command_to_wire() -> dict[str, float]:
    """From `offer` to the bytes handed to the socket, 100 commands a second; one that a newer replaced is counted."""
    written: dict[int, int] = {}

    def keep(stamp_ns: int, _: tuple[float, float], wire_ns: int) -> None:
        written.setdefault(stamp_ns, wire_ns)

    with running_payload() as payload, _driver(payload, DriverListener(command_written=keep)) as driver:
        _until(lambda: driver.arm(True).done, 'the driver does not arm')
        offered = []
        due_s = time.perf_counter()
        for number in range(_COMMANDS):
            stamp_ns = time.time_ns()
            driver.offer(Source.TRACKER, RateSetpoint(stamp_ns, 'gimbal_level', 0.1 * (-1) ** (number // 100), 0.0))
            offered.append(stamp_ns)
            due_s += 1.0 / _COMMAND_HZ
            time.sleep(max(0.0, due_s - time.perf_counter()))
    took_ms = np.array([(written[stamp] - stamp) * 1e-6 for stamp in offered if stamp in written])
    return {
        'command_to_wire_ms_p50': _rounded(np.percentile(took_ms, 50)),
        'command_to_wire_ms_p99': _rounded(np.percentile(took_ms, 99)),
        'commands_per_s': _COMMAND_HZ,
        'commands_superseded': len(offered) - len(took_ms),
    }


def _stops() -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for name, end in (
        ('commander_death', _kill_commander),
        ('sigterm', _terminate_driver),
        ('sigkill', _kill_driver),
    ):
        report(f'stop after {name}, {_ROUNDS} times ...')
        stops, rests = zip(*(_stop(end) for _ in range(_ROUNDS)), strict=True)
        figures[f'stop_after_{name}_ms'] = _rounded(median(stops))
        figures[f'stop_after_{name}_ms_max'] = _rounded(max(stops))
        figures[f'rest_after_{name}_ms'] = _rounded(median(rests))
    figures['rest_ms'] = max(value for name, value in figures.items() if name.startswith('rest_after') and value)
    return figures


def _kill_commander(_: DriverProcess, commander: Commander) -> None:
    commander.kill()


def _terminate_driver(driver: DriverProcess, _: Commander) -> None:
    driver.terminate()


def _kill_driver(driver: DriverProcess, _: Commander) -> None:
    driver.kill()


def _stop(end: Callable[[DriverProcess, Commander], None]) -> tuple[float, float]:
    """Ms from the event to the receipt of the first zero-rate command, and to the true rate's rest."""
    with (
        running_payload() as payload,
        ending(DriverProcess(payload.uri)) as driver,
        ending(Commander(_RATE_RAD_S)) as commander,
    ):
        _until(lambda: payload.rates_rad_s[0] > 0.9 * _RATE_RAD_S, 'the commander does not move the gimbal')
        event_s = time.monotonic()
        end(driver, commander)
        _until(lambda: _first_zero(payload, event_s) is not None, 'no zero rate came')
        stopped_s = _first_zero(payload, event_s)
        _until(lambda: abs(payload.rates_rad_s[0]) < _AT_REST_RAD_S, 'the gimbal does not rest')
        rested_s = time.monotonic()
    assert stopped_s is not None
    return (stopped_s - event_s) * 1e3, (rested_s - event_s) * 1e3


def _first_zero(payload: RunningPayload, since_s: float) -> float | None:
    return next((at_s for at_s, *rates in payload.rate_commands if at_s >= since_s and rates == [0.0, 0.0]), None)


def _reconnects() -> dict[str, float]:
    """From when the device may talk again to the first attitude, median of three; the slowest kind is `reconnect_s`."""
    unplugged = [_reconnect('pty', _replug) for _ in range(3)]
    rebooted = [_reconnect('udp', _reboot) for _ in range(3)]
    return {
        'reconnect_s_pty_replugged': _rounded(median(unplugged)),
        'reconnect_s_payload_rebooted': _rounded(median(rebooted)),
        'reconnect_s': _rounded(max(median(unplugged), median(rebooted))),
    }


def _reconnect(transport: str, interrupt: Callable[[RunningPayload], float]) -> float:
    arrivals_s: list[float] = []

    def note(_: GimbalView) -> None:
        arrivals_s.append(time.monotonic())

    with running_payload(transport=transport) as payload, _driver(payload, DriverListener(view=note)):
        _until(lambda: len(arrivals_s) > 20, 'no attitude comes')
        talks_s = interrupt(payload)
        _until(lambda: arrivals_s[-1] > talks_s, 'no attitude comes back')
        return next(each for each in arrivals_s if each > talks_s) - talks_s


def _replug(payload: RunningPayload) -> float:
    payload.control('unplug pty')
    time.sleep(1.0)
    payload.control('replug pty')
    return time.monotonic()


def _reboot(payload: RunningPayload) -> float:
    payload.control(f'reboot {_REBOOT_S}')
    talks_s = time.monotonic() + _REBOOT_S
    time.sleep(_REBOOT_S)
    return talks_s


@contextmanager
def _driver(payload: RunningPayload, listener: DriverListener) -> Iterator[GimbalDriver]:
    driver = GimbalDriver(
        links_from_uris([payload.uri]), GimbalDriverParameters(claim_control=False, zoom_rate_hz=0.0), listener
    )
    driver.open()
    try:
        yield driver
    finally:
        driver.close()


def _rounded(value: float) -> float:
    return round(float(value), 3)
