# SPDX-License-Identifier: Apache-2.0
"""Random wishes from every source, with faults, for minutes: each safety rule is held on every single step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput
from gremsy_gimbal_sim.plant.plant import GREMSY, IDEAL
from src.gremsy_gimbal_driver.test.motion_bench import ZERO, Gimbal, PlantBench

_SLOWER = [Source.OTHER, Source.TRACKER, Source.OPERATOR]

NUDGE = (math.radians(3.0), 0.0)


class WatchedBench(PlantBench):
    """Holds every output against the rules at the moment when it is written."""

    def __init__(self, gimbal: Gimbal, **parameters: object) -> None:
        super().__init__(gimbal, **parameters)
        self.newest_wish_ms = -math.inf
        self.newest_goal_end_ms = -math.inf
        self.telemetry_ms = -math.inf
        self.home_ms = -math.inf
        self.kinds: set[str] = set()
        self._last: tuple[float, tuple[float, float] | None] = (-math.inf, ZERO)
        self._last_angles: tuple[float, tuple[float, float]] | None = None
        self._last_ms = -math.inf

    def telemetry(self) -> None:
        super().telemetry()
        self.telemetry_ms = self.now_ms
        if self.reported is GimbalMode.HOME:
            self.home_ms = self.now_ms

    def take(self, output: MotionOutput) -> None:
        super().take(output)
        since_last_ms = self.now_ms - self._last_ms
        if output.rates_rad_s == ZERO:
            self.kinds.add('zero')
            self._last, self._last_angles = (self.now_ms, ZERO), None
        elif output.rates_rad_s == NUDGE:
            assert self.now_ms - self.home_ms < 4000, "only to break off the gimbal's own way home"
            self.kinds.add('nudge')
        else:
            assert self.motion.armed, 'only zeros while disarmed'
            assert self.now_ms - self.telemetry_ms < 1000, 'nothing moves blindly'
            assert output.mode is not GimbalMode.HOME
            # On a grid of 10 ms that a late write does not shift: half of it is the least.
            assert since_last_ms >= 5, 'at most one in 10 ms'
            if output.rates_rad_s is not None:
                self._check_rates(output.rates_rad_s)
            else:
                assert output.angles_rad is not None
                self._check_angles(output.angles_rad)
        if output.mode is GimbalMode.HOME:
            self.kinds.add('home')
            self.home_ms = self.now_ms
        self._last_ms = self.now_ms

    def _check_rates(self, rates: tuple[float, float]) -> None:
        self.kinds.add('rate')
        parameters = self.parameters
        if self.motion.goals.progress() is None or self.motion.goals.progress().ended:
            assert self.now_ms - self.newest_wish_ms < 200, 'the time to live'
        self._check_acceleration(rates, min(self.now_ms - self._last[0], 40) * 1e-3)
        ranges = parameters.limits_rad
        for rate, angle, (low, high) in zip(rates, self.angles, ranges, strict=True):
            assert abs(rate) <= parameters.max_rate_rad_s + 1e-12
            assert (rate <= 0.0 or angle < high) and (rate >= 0.0 or angle > low), 'never further over a limit'
        self._last, self._last_angles = (self.now_ms, rates), None

    def _check_angles(self, angles: tuple[float, float]) -> None:
        self.kinds.add('angle')
        parameters = self.parameters
        progress = self.motion.goals.progress()
        assert progress is not None and not progress.ended
        ranges = parameters.limits_rad
        for angle, (low, high), seen in zip(angles, ranges, self.angles, strict=True):
            assert min(low, seen) - 1e-9 <= angle <= max(high, seen) + 1e-9
        rates = None
        if self._last_angles is not None:
            then_ms, before = self._last_angles
            elapsed_s = min(self.now_ms - then_ms, 40) * 1e-3
            rates = ((angles[0] - before[0]) / elapsed_s, (angles[1] - before[1]) / elapsed_s)
            assert max(map(abs, rates)) <= parameters.max_rate_rad_s + 1e-9
            self._check_acceleration(rates, elapsed_s)
        self._last_angles = (self.now_ms, angles)
        self._last = (self.now_ms, rates)

    def _check_acceleration(self, rates: tuple[float, float], elapsed_s: float) -> None:
        """A limit of the angles may brake harder; nothing may speed up harder. The first angle tells no rate yet."""
        last = self._last[1]
        if last is None:
            return
        for rate, before in zip(rates, last, strict=True):
            faster = abs(rate) - (abs(before) if before * rate >= 0.0 else 0.0)
            assert faster <= self.parameters.max_acceleration_rad_s2 * elapsed_s + 1e-9


def something(bench: WatchedBench, random: np.random.Generator) -> None:
    """One act of somebody, now."""
    choice = random.random()
    source = Source(int(random.choice(_SLOWER)))
    if choice < 0.80:
        rates = [float(each) for each in random.normal(0.0, 0.6, 2)]
        if random.random() < 0.05:
            rates[0] = float(random.choice([math.nan, math.inf, 1e9, -1e9]))
        frame = 'map' if random.random() < 0.02 else 'gimbal_level'
        age_ns = int(random.choice([0, 0, 0, 500_000_000, 900_000_000]))
        if bench.offer(rates[0], rates[1], source, frame_id=frame, stamp_ns=bench.now.ros_ns - age_ns):
            bench.newest_wish_ms = bench.now_ms
    elif choice < 0.90:
        azimuth, tilt = (float(each) for each in random.uniform(-3.5, 3.5, 2))
        bench.go_to(azimuth, tilt, source, float(random.uniform(0.1, 5.0)), any_turn=bool(random.random() < 0.5))
    elif choice < 0.93:
        bench.motion.set_mode(source, GimbalMode(random.choice([each.value for each in GimbalMode])), bench.now)
    elif choice < 0.95:
        bench.motion.home(bench.now, source)
    elif choice < 0.97:
        bench.motion.stop()
    elif choice < 0.98:
        bench.motion.arm(False, bench.now)
    elif choice < 0.985:
        bench.attitude_alive = not bench.attitude_alive
    else:
        bench.motion.arm(True, bench.now)


@pytest.mark.parametrize('parameters', [IDEAL, GREMSY], ids=['ideal', 'gremsy'])
@pytest.mark.parametrize('seed', range(6))
def test_every_rule_is_held_on_every_step(seed, parameters):
    random = np.random.default_rng([seed, 1])
    gimbal = Gimbal(parameters, ignores_angles=seed % 3 == 1, stuck=(seed % 3 == 2, False))
    bench = WatchedBench(
        gimbal,
        azimuth_min_rad=-1.0,
        azimuth_max_rad=1.2,
        tilt_min_rad=-0.5,
        tilt_max_rad=0.9,
        max_rate_rad_s=float(random.uniform(0.2, 1.2)),
        max_acceleration_rad_s2=float(random.uniform(0.5, 7.0)),
        pulse_in_dead_zone=False,
        mode=GimbalMode.LOCK,
    )
    bench.run(0)
    while bench.now_ms < 20_000:
        if not bench.motion.armed and random.random() < 0.2:
            bench.attitude_alive = True
            bench.motion.arm(True, bench.now)
        something(bench, random)
        bench.run(bench.now_ms + float(random.choice([0, 3, 20, 60, 300], p=[0.2, 0.2, 0.4, 0.15, 0.05])))
        low, high = -0.5, 0.9
        # Half a degree over: what the lag of this plant makes of the slow-down towards a limit.
        assert low - 0.35 <= bench.angles[1] <= high + 0.35
    assert {'zero', 'rate', 'angle', 'home'} <= bench.kinds | ({'angle'} if seed % 3 == 1 else set())
    bench.motion.stop()
    ended_ms = bench.now_ms
    bench.run(bench.now_ms + 5000)
    assert {rates for ms, rates in bench.written if ms > ended_ms} == {ZERO}
    assert bench.written[-1][0] < ended_ms + 3500


@pytest.mark.parametrize('seed', range(4))
def test_disarmed_there_is_never_anything_but_zeros(seed):
    random = np.random.default_rng([seed, 2])
    bench = PlantBench(Gimbal(IDEAL), dead_zone_rad_s=0.03)
    bench.run(0)
    for _ in range(300):
        bench.offer(*random.normal(0.0, 0.6, 2).tolist(), source=Source(int(random.choice(list(Source)))))
        bench.go_to(*random.uniform(-1, 1, 2).tolist())
        bench.motion.set_mode(Source.OPERATOR, GimbalMode.OFF, bench.now)
        if random.random() < 0.05:
            bench.motion.stop()
        bench.run(bench.now_ms + float(random.integers(0, 40)))
    assert {rates for _, rates in bench.written} <= {ZERO}
    assert {output.mode for _, output in bench.outputs} <= {GimbalMode.FOLLOW}
    assert np.abs(bench.gimbal.plant.angles_rad).max() == 0.0
