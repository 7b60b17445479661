# SPDX-License-Identifier: Apache-2.0
"""Measures a gimbal by moving it a little: signs, delay, lag, gain, dead zone, and the gain against the zoom.

No thread, no clock, no link. Who runs it:

1. `begin(now, armed)`; a sentence explains why it does not begin.
2. Feeds `attitude` and `zoom` as telemetry comes.
3. Calls `step(now, armed)` with every attitude and each `STEP_NS`, and writes the rates of what it asks AS THEY ARE:
   `mavlink_frames.wire_rates(*ask.rates_rad_s)`, without the plant's inverse, without the ramp of the rate limiter and
   without its soft limits, whose side depends on the sign that is being measured; the routine keeps its own, smaller
   bounds. A command holds control also where its rate is zero: a changed one is written at once, an unchanged one again
   after 40 ms, zeros too. A zoom that it asks for is repeated until the reports show it.
4. Ends when `state` is DONE or ABORTED: the rates are then zero (write the burst), and `sentence` says how it went.

It runs only while armed, and ends when anybody else asks for motion (`cancel`), when telemetry or the time runs out,
and at a way too far or motion that nobody commanded.
"""

from __future__ import annotations

import math
from enum import Enum

from gremsy_gimbal_driver.calibration.axis_probe import IN_A_ROW, Ask, AxisProbe, CalibrationAborted, Program
from gremsy_gimbal_driver.calibration.axis_program import measure_axis
from gremsy_gimbal_driver.calibration.calibration_parameters import Axis, CalibrationParameters
from gremsy_gimbal_driver.calibration.calibration_result import (
    AxisCalibration,
    CalibrationResult,
    GainPoint,
    contradiction,
    summary,
    weighted_mean,
)
from gremsy_gimbal_driver.calibration.motion_record import MotionRecord
from gremsy_gimbal_driver.calibration.zoom_program import ZoomReports, measure_gain, zoom_to
from gremsy_gimbal_driver.motion.instant import Instant, nanoseconds
from gremsy_gimbal_driver.motion.motion_output import Pair

STEP_NS = nanoseconds(0.010)
"""How often it is stepped."""
_NOISE_S = 2.0
_NOISE_TRIES, _NOISE_SAMPLES = 3, 20
_WIDEST = 1.05
_RUNAWAY = 3.0  # times the largest commanded rate


class CalibrationState(Enum):
    """How it stands."""

    IDLE = 'idle'
    RUNNING = 'running'
    DONE = 'done'
    ABORTED = 'aborted'


class CalibrationRoutine:
    """One calibration. Not for several threads at once."""

    def __init__(self, parameters: CalibrationParameters) -> None:
        self._parameters = parameters
        self.state = CalibrationState.IDLE
        self.sentence = 'The calibration has not begun.'
        self.result: CalibrationResult | None = None
        self._zoom = ZoomReports()
        self._newest: tuple[int, Pair, int] | None = None  # stamp, angles, arrival on the monotonic clock
        self._record: MotionRecord | None = None
        self._probes: tuple[AxisProbe, ...] = ()
        self._program: Program[CalibrationResult] | None = None
        self._fault = ''
        self._begun_ns = 0
        self._fast = 0

    @property
    def running(self) -> bool:
        """Whether it has control of the gimbal."""
        return self.state is CalibrationState.RUNNING

    def begin(self, now: Instant, *, armed: bool) -> str:
        """Start; '' when it runs from now on, else a sentence that explains why it does not."""
        refusal = self._refusal(now, armed)
        if refusal:
            return f'Not calibrating: {refusal}.'
        assert self._newest is not None
        stamp_ns, angles_rad, _ = self._newest
        self._record = record = MotionRecord(now, stamp_ns, angles_rad)
        self._probes = azimuth, tilt = tuple(AxisProbe(axis, self._parameters, record) for axis in Axis)
        self._program = self._all(azimuth, tilt)
        self._fault, self._fast, self._begun_ns = '', 0, now.monotonic_ns
        self.result = None
        self.state = CalibrationState.RUNNING
        self.sentence = 'The calibration is running: keep the vehicle still.'
        return ''

    def attitude(self, stamp_ns: int, angles_rad: Pair, rates_rad_s: Pair, now: Instant) -> None:
        """Telemetry: azimuth (continuous over +-pi) and tilt as measured at that ROS time, received now."""
        if not all(map(math.isfinite, (*angles_rad, *rates_rad_s))):
            return
        self._newest = (stamp_ns, angles_rad, now.monotonic_ns)
        if self._record is None or not self.running:
            return
        self._record.now = now
        self._record.attitude(stamp_ns, angles_rad, now)
        # Ended by the next step, so that whoever steps while it runs writes the zero as well.
        self._fault = self._fault or self._fault_of(angles_rad, rates_rad_s)

    def zoom(self, factor: float, now: Instant) -> None:
        """Telemetry: the magnification."""
        self._zoom.report(factor, now.monotonic_ns)

    def cancel(self, reason: str) -> None:
        """End it now, for a reason such as 'the operator asked for motion'; the next step's command is zero."""
        if self.running:
            self._abort(reason)

    def step(self, now: Instant, *, armed: bool) -> Ask:
        """What to ask of the gimbal now; both axes stand when it is over."""
        if not self.running:
            return Ask()
        assert self._record is not None and self._program is not None
        self._record.now = now
        fault = self._fault or self._silence(self._record.received_ns, now) if armed else 'the driver was disarmed'
        try:
            if fault:
                raise CalibrationAborted(fault)
            ask = next(self._program)
        except StopIteration as end:
            self._finish(end.value)
        except CalibrationAborted as error:
            self._abort(str(error))
        else:
            self._record.ask(ask.rates_rad_s)
            return ask
        return Ask()

    def _fault_of(self, angles_rad: Pair, rates_rad_s: Pair) -> str:
        """What is wrong with an attitude, or ''."""
        fastest_rad_s = self._parameters.fastest_calibration_rad_s
        self._fast = self._fast + 1 if max(map(abs, rates_rad_s)) > _RUNAWAY * fastest_rad_s else 0
        if self._fast >= IN_A_ROW:
            return (
                f'the gimbal turns at more than {math.degrees(_RUNAWAY * fastest_rad_s):.0f} deg/s, while at most '
                f'{math.degrees(fastest_rad_s):.0f} deg/s were commanded'
            )
        faults = (probe.fault(angle) for probe, angle in zip(self._probes, angles_rad, strict=True))
        return next(filter(None, faults), '')

    def _silence(self, received_ns: int, now: Instant) -> str:
        """Whether telemetry or the time has run out, or ''."""
        if now.monotonic_ns - received_ns > nanoseconds(self._parameters.attitude_timeout_s):
            return f'no attitude came from the gimbal for {self._parameters.attitude_timeout_s:g} s'
        if now.monotonic_ns - self._begun_ns > nanoseconds(self._parameters.calibration_deadline_s):
            return f'it took longer than {self._parameters.calibration_deadline_s:.0f} s'
        return ''

    def _refusal(self, now: Instant, armed: bool) -> str:
        parameters = self._parameters
        if self.running:
            return 'it is running already'
        if not armed:
            return 'disarmed; call `arm` first'
        timeout_ns = nanoseconds(parameters.attitude_timeout_s)
        if self._newest is None or now.monotonic_ns - self._newest[2] > timeout_ns:
            return 'no attitude comes from the gimbal; check its link and power'
        travel_rad = parameters.calibration_travel_rad
        for axis in Axis:
            angle = self._newest[1][axis]
            low, high = parameters.limits_rad[axis]
            if angle - travel_rad < low or angle + travel_rad > high:
                return (
                    f'the {axis.word} is at {math.degrees(angle):.0f} deg and needs '
                    f'{math.degrees(travel_rad):.0f} deg to either side within its limits '
                    f'({math.degrees(low):.0f} .. {math.degrees(high):.0f} deg); turn it away from them first'
                )
        return ''

    def _all(self, azimuth: AxisProbe, tilt: AxisProbe) -> Program[CalibrationResult]:
        """The whole of it, as one program."""
        zooms = self._parameters.calibration_zooms
        notes: list[str] = []
        begin_ns = azimuth.record.now.ros_ns
        for _ in range(_NOISE_TRIES):
            yield from azimuth.wait(_NOISE_S)
            if len(azimuth.record.window(Axis.AZIMUTH, begin_ns)[0]) >= _NOISE_SAMPLES:
                break
        for probe in (azimuth, tilt):
            probe.take_noise(*probe.record.window(probe.axis, begin_ns))
        before = self._zoom.factor
        if zooms and before is None:
            notes.append('The device reports no zoom: the gain was measured at one zoom only.')
            zooms = ()
        if zooms:
            yield from zoom_to(azimuth, self._zoom, zooms[0])
        first = yield from measure_axis(azimuth)
        second = yield from measure_axis(tilt)
        gains = [_first_gain(self._zoom.factor, first, second)]
        if self._zoom.factor is not None and self._zoom.factor > _WIDEST and len(zooms) < 2:
            notes.append(f'All was measured at zoom {self._zoom.factor:.3g}: the gain differs at other zooms.')
        for factor in zooms[1:]:
            there = yield from zoom_to(azimuth, self._zoom, factor)
            if there <= gains[-1].zoom * 1.05:
                notes.append(f'The lens goes no further than {there:.3g}: larger zooms were left out.')
                break
            gains.append((yield from measure_gain(azimuth, there)))
        if zooms and before is not None:
            yield from zoom_to(azimuth, self._zoom, before)
        yield from azimuth.settle()
        yield from azimuth.go_back()
        return CalibrationResult(first, second, tuple(gains), tuple(notes))

    def _finish(self, result: CalibrationResult) -> None:
        fault = contradiction(result)
        self.result = result
        if fault:
            self.state = CalibrationState.ABORTED
            self.sentence = fault
        else:
            self.state = CalibrationState.DONE
            self.sentence = summary(result)

    def _abort(self, reason: str) -> None:
        self.state = CalibrationState.ABORTED
        self.sentence = f'The calibration was ended and the gimbal stopped: {reason}.'
        if self._program is not None:
            self._program.close()


def _first_gain(zoom: float | None, azimuth: AxisCalibration, tilt: AxisCalibration) -> GainPoint:
    """Of both axes, at the zoom of their steps; a device that reports none is taken to be at its widest."""
    responses = azimuth.response, tilt.response
    gain, error = weighted_mean([(abs(each.gain), each.gain_error) for each in responses])
    return GainPoint(1.0 if zoom is None else max(1.0, zoom), gain, error)
