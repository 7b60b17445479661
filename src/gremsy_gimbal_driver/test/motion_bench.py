# SPDX-License-Identifier: Apache-2.0
"""A motion control in invented time, alone or with a gimbal that obeys, for the tests of its rules."""

from __future__ import annotations

from collections.abc import Callable

from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalProgress
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_control import CommandResult, MotionControl
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput
from gremsy_gimbal_driver.motion.motion_parameters import MotionParameters
from gremsy_gimbal_sim.plant.plant import Plant, PlantParameters

MS = 1_000_000
ROS_START = 1_790_000_000_000_000_000
ZERO = (0.0, 0.0)


class Bench:
    """A motion control, its time, what it said and what it wrote: (ms, rates or None), and the whole outputs."""

    def __init__(self, **parameters: object) -> None:
        self.said: list[str] = []
        self.parameters = MotionParameters(**parameters)  # type: ignore[arg-type]
        self.motion = MotionControl(self.parameters, self.said.append, self.said.append)
        self.now_ms = 0.0
        self.written: list[tuple[float, tuple[float, float] | None]] = []
        self.outputs: list[tuple[float, MotionOutput]] = []
        self.angles = (0.0, 0.0)
        self.attitude_alive = True
        self.reported: GimbalMode | None = GimbalMode.FOLLOW

    @property
    def now(self) -> Instant:
        ns = int(self.now_ms * MS)
        return Instant(ns, ROS_START + ns)

    def armed(self) -> Bench:
        self.telemetry()
        assert self.motion.arm(True, self.now).done
        return self

    def offer(self, azimuth: float, tilt: float = 0.0, source: Source = Source.TRACKER, **changes: object) -> bool:
        values = {'stamp_ns': self.now.ros_ns, 'frame_id': 'gimbal_level', **changes}
        setpoint = RateSetpoint(azimuth_rate_rad_s=azimuth, tilt_rate_rad_s=tilt, **values)  # type: ignore[arg-type]
        return self.motion.offer(source, setpoint, self.now)

    def go_to(
        self,
        azimuth: float | None,
        tilt: float | None = None,
        source: Source = Source.OPERATOR,
        timeout_s: float = 20.0,
        **more: object,
    ) -> CommandResult:
        return self.motion.go_to(source, AngleGoal(azimuth, tilt, timeout_s, **more), self.now)  # type: ignore[arg-type]

    def telemetry(self) -> None:
        if self.reported is not None:
            self.motion.mode_reported(self.reported, self.now)
        self.motion.attitude(self.angles, self.now)

    def take(self, output: MotionOutput) -> None:
        """The device gets it."""

    def run(self, until_ms: float, step_ms: float = 1.0) -> Bench:
        """Step every millisecond, as a writer that is woken often would; telemetry at 50 Hz."""
        while self.now_ms <= until_ms:
            if self.attitude_alive and self.now_ms % 20 == 0:
                self.telemetry()
            output, _ = self.motion.step(self.now)
            if output is not None:
                assert (output.rates_rad_s is None) != (output.angles_rad is None)
                self.written.append((self.now_ms, output.rates_rad_s))
                self.outputs.append((self.now_ms, output))
                self.take(output)
            self.now_ms += step_ms
        return self

    def run_until(self, true: Callable[[], bool], limit_ms: float = 20_000.0) -> Bench:
        end_ms = self.now_ms + limit_ms
        while not true():
            assert self.now_ms < end_ms, 'it did not come true in time'
            self.run(self.now_ms)
        return self

    def zeros_after(self, from_ms: float) -> list[float]:
        return [ms for ms, rates in self.written if ms >= from_ms and rates == ZERO]

    @property
    def goal(self) -> GoalProgress:
        progress = self.motion.goals.progress()
        assert progress is not None
        return progress

    def until_the_goal_ends(self, limit_ms: float = 30_000.0) -> GoalProgress:
        self.run_until(lambda: self.goal.ended, limit_ms)
        return self.goal


class Gimbal:
    """What stands on the other side of a `PlantBench`: a plant with flags, and with what may be wrong with it.

    Args:
        parameters: of the plant.
        start_rad: where it looks at first.
        ignores_angles: for ever, as after on-board tracking (gimbal.md 1.10).
        deaf_to_angles: so many angle commands are ignored after every other command ("needs angle twice").
        stuck: axes that do not move, azimuth and tilt.
        mode_ms: from a flag to its report; None for one whose mode never changes.
        pulses: so many home pulses are needed before one is taken.
    """

    def __init__(
        self,
        parameters: PlantParameters,
        start_rad: tuple[float, float] = ZERO,
        *,
        ignores_angles: bool = False,
        deaf_to_angles: int = 0,
        stuck: tuple[bool, bool] = (False, False),
        mode_ms: float | None = 60.0,
        pulses: int = 1,
    ) -> None:
        self.plant = Plant(parameters, angles_rad=start_rad)
        self.mode = GimbalMode.FOLLOW
        self.ignores_angles = ignores_angles
        self._deaf_to_angles = deaf_to_angles
        self._deaf_left = deaf_to_angles
        self._start = start_rad
        self._stuck = stuck
        self._mode_ms = mode_ms
        self._pulses = pulses
        self._flag: GimbalMode | None = None
        self._flag_ms = 0.0
        self._home_until_ms = -1.0

    def take(self, output: MotionOutput, now_ms: float) -> None:
        if output.rates_rad_s is not None:
            self._deaf_left = self._deaf_to_angles
            if now_ms > self._home_until_ms or output.rates_rad_s != ZERO:
                self._home_until_ms = -1.0
                self.plant.command(now_ms * 1e-3, output.rates_rad_s)
        elif self._deaf_left > 0:
            self._deaf_left -= 1
        elif not self.ignores_angles:
            assert output.angles_rad is not None
            self.plant.command_angles(now_ms * 1e-3, output.angles_rad)
        if output.mode is not self._flag:
            if self._flag is GimbalMode.HOME and now_ms - self._flag_ms >= 80.0:
                self._pulses -= 1
                if self._pulses == 0:
                    self._home_until_ms = now_ms + 1500.0
                    self.plant.command_angles(now_ms * 1e-3, ZERO)
            self._flag, self._flag_ms = output.mode, now_ms

    def angles(self, now_ms: float) -> tuple[float, float]:
        self.plant.advance(now_ms * 1e-3)
        true = self.plant.angles_rad.tolist()
        azimuth, tilt = (
            start if stuck else angle for start, stuck, angle in zip(self._start, self._stuck, true, strict=True)
        )
        return azimuth, tilt

    def reports(self, now_ms: float) -> GimbalMode:
        if now_ms < self._home_until_ms:
            return GimbalMode.HOME
        taken = self._flag not in (None, GimbalMode.HOME) and self._mode_ms is not None
        if taken and now_ms - self._flag_ms >= self._mode_ms:
            assert self._flag is not None
            self.mode = self._flag
        return self.mode


class PlantBench(Bench):
    """A bench whose angles are those of a gimbal that does what is written."""

    def __init__(self, gimbal: Gimbal, **parameters: object) -> None:
        super().__init__(**parameters)
        self.gimbal = gimbal
        self.track: list[tuple[float, tuple[float, float]]] = []

    def take(self, output: MotionOutput) -> None:
        self.gimbal.take(output, self.now_ms)

    def telemetry(self) -> None:
        self.angles = self.gimbal.angles(self.now_ms)
        self.reported = self.gimbal.reports(self.now_ms)
        self.track.append((self.now_ms, self.angles))
        super().telemetry()
