# SPDX-License-Identifier: Apache-2.0
"""Long runs: a simulated hour under `realistic` without growth, and a minute of the threaded driver in real time."""

from __future__ import annotations

import gc
import os
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.device.gimbal_device import GimbalDevice
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_reports import DriverListener
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalState
from gremsy_gimbal_driver.links.link_uri import links_from_uris
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_control import MotionControl
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.payload.payload_requests import SetSetting, ZoomTo
from gremsy_gimbal_sim.options.options import PRESETS
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_gimbal_sim.payload_fixture import running_payload

pytestmark = pytest.mark.slow

ROS_START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000_000
SECOND_NS = 1_000_000_000
HOUR_S = 3600
MIB = 1024 * 1024


class OneHour:
    """Driver and payload on one invented clock: everything of the driver but its threads, its links and its deadman."""

    def __init__(self, seed: int) -> None:
        options = replace(PRESETS['realistic'], boot_ms=2**32 - 600_000)
        self.said: list[str] = []
        zooms, gains = zip(*options.plant.rate_gain_by_zoom, strict=True)
        self.parameters = GimbalDriverParameters(
            dead_zone_rad_s=options.plant.dead_zone_rad_s,
            rate_gain_zooms=zooms,
            rate_gains=gains,
            range_rate_hz=4.0,
        )
        self.payload = SimulatedPayload(options, seed, 0.0)
        self.encoder = MavlinkEncoder(self.parameters.own)
        self.decoder = MavlinkDecoder(self.parameters.own)
        self.motion = MotionControl(self.parameters, self._say, self._say)
        self.device = GimbalDevice(
            self.parameters, self.encoder, self.decoder.components, self.motion, self._say, self._say
        )
        self.random = np.random.default_rng(seed)
        self.now_ns = 0
        self.goal_ends: dict[str, int] = {}
        self.sights = 0
        self._goal: int | None = None
        self._beat_ns = 0
        self._tracks_until_ns = 0
        self._rates = (0.0, 0.0)
        self._said_before = 0

    def run(self, seconds: float) -> None:
        """So much further."""
        end = self.now_ns + round(seconds * SECOND_NS)
        while self.now_ns < end:
            self.now_ns += STEP_NS
            self._step(Instant(self.now_ns, ROS_START_NS + self.now_ns))

    def _say(self, sentence: str) -> None:
        self.said.append(sentence)

    def _step(self, now: Instant) -> None:
        now_s = self.now_ns * 1e-9
        for message in self.payload.advance(now_s):
            for event in self.decoder.feed(message, True, self.now_ns):
                if self.decoder.components.gimbal is not None and self.device.gimbal is None:
                    self.device.found(self.decoder.components.gimbal, 'the wire')
                self.sights += len(self.device.on_event(event, now))
        if self.now_ns >= self._beat_ns:
            self._beat_ns += SECOND_NS
            self.payload.receive(self.encoder.heartbeat(), now_s, True)
        for _, message in self.device.due(now):
            self.payload.receive(message, now_s, True)
        self._ask(now)
        output, _ = self.motion.step(now)
        if output is not None and self.device.gimbal is not None:
            for message in self.device.protocol.messages(output, self.device.gimbal):
                self.payload.receive(message, now_s, True)

    def _ask(self, now: Instant) -> None:
        """A tracker, an operator's goals, modes and the lens by turns, as on a robot."""
        if not self.motion.armed:
            self.motion.arm(True, now)
            return
        if self.now_ns < self._tracks_until_ns:
            if self.now_ns % (2 * STEP_NS) == 0:
                wish = RateSetpoint(now.ros_ns, 'gimbal_level', *self._rates)
                self.motion.offer(Source.TRACKER, wish, now)
            return
        if self._goal is not None:
            progress = self.motion.goals.progress(self._goal)
            if progress is not None and not progress.ended:
                return
            if progress is not None:
                self.goal_ends[progress.state.value] = self.goal_ends.get(progress.state.value, 0) + 1
            self._goal = None
            self._rates = tuple(self.random.uniform(-0.4, 0.4, 2))
            self._tracks_until_ns = self.now_ns + 4 * SECOND_NS
            return
        azimuth, tilt = self.random.uniform(-1.0, 1.0), self.random.uniform(-0.5, 1.2)
        answer = self.motion.go_to(Source.OPERATOR, AngleGoal(azimuth, tilt, 15.0), now)
        self._goal = answer.number
        draw = self.random.random()
        if draw < 0.1:
            self.device.payload.request(ZoomTo(float(self.random.uniform(1.0, 3.0))), self.now_ns)
        elif draw < 0.2:
            self.device.payload.request(SetSetting('osd', str(self.random.choice(['off', 'status']))), self.now_ns)
        elif draw < 0.25 and answer.done:
            self.motion.set_mode(Source.OPERATOR, GimbalMode.FOLLOW, now)


@pytest.mark.timeout(1500)
def test_an_hour_of_a_realistic_payload_lets_nothing_grow() -> None:
    hour = OneHour(seed=5)
    hour.run(300)
    gc.collect()
    tracemalloc.start()
    # The first minutes fill what is kept on purpose (the last goals, the last second of attitudes).
    hour.run(120)
    hour.said.clear()
    gc.collect()
    begin, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    resident = _resident_bytes()
    sights, ends = hour.sights, sum(hour.goal_ends.values())
    hour.run(HOUR_S - 2 * 420)
    said = len(hour.said)
    hour.said.clear()
    gc.collect()
    grown_resident = _resident_bytes() - resident
    tracemalloc.start()
    hour.run(120)
    gc.collect()
    end, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # What two minutes leave behind is the same after an hour as at its beginning.
    assert end - begin < 0.3 * MIB
    assert grown_resident < 8 * MIB
    # It was an hour of work: attitudes came and goals were reached all the while.
    assert hour.sights - sights > 10 * (HOUR_S - 840)
    assert sum(hour.goal_ends.values()) - ends > 150
    assert hour.goal_ends[GoalState.REACHED.value] > 0.9 * sum(hour.goal_ends.values())
    # Nothing is said over and over.
    assert said < 400


@pytest.mark.timeout(300)
def test_a_minute_of_the_driver_leaves_threads_and_descriptors_as_they_were() -> None:
    said: list[str] = []
    with running_payload(replace(PRESETS['realistic'], boot_ms=900_000), seed=3, transport='both') as payload:
        uris = list(payload.uris.values())
        driver = GimbalDriver(
            links_from_uris(uris), GimbalDriverParameters(), DriverListener(report=said.append, inform=said.append)
        )
        driver.open()
        try:
            _until(lambda: driver.arm(True).done)
            _work(driver, 10.0)
            begin = threading.active_count(), _descriptors(), len(_children())
            for number in range(5):
                _work(driver, 8.0)
                plug = ('udp', 'pty')[number % 2]
                payload.control(f'unplug {plug}')
                _work(driver, 1.0)
                payload.control(f'replug {plug}')
                if number == 3:
                    payload.control('reboot 0.3')
                _work(driver, 2.0)
            _until(lambda: all(link.is_open for link in driver.status().links))
            assert (threading.active_count(), _descriptors(), len(_children())) == begin
            assert driver.status().failure == ''
            assert driver.goal_progress() is not None
        finally:
            driver.close()
    assert len(said) < 200


def _work(driver: GimbalDriver, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        driver.arm(True)
        driver.go_to(Source.OPERATOR, AngleGoal(0.3, 0.2, 2.0))
        for _ in range(50):
            driver.offer(Source.TRACKER, RateSetpoint(time.time_ns(), 'gimbal_level', 0.1, -0.1))
            time.sleep(0.01)


def _until(true, timeout_s: float = 15.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, 'it did not come true in time'
        time.sleep(0.02)


def _descriptors() -> int:
    return len(list(Path('/proc/self/fd').iterdir()))


def _resident_bytes() -> int:
    return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGESIZE')


def _children() -> list[int]:
    return [int(each.name) for each in Path('/proc').glob('[0-9]*') if _parent(each) == os.getpid()]


def _parent(process: Path) -> int:
    try:
        return int((process / 'stat').read_text().rpartition(')')[2].split()[1])
    except OSError:
        return -1
