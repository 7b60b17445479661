# SPDX-License-Identifier: Apache-2.0
"""Zoom to each factor of a list and measure there what share of a commanded rate the gimbal turns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gremsy_gimbal_driver.calibration.axis_probe import Ask, AxisProbe, CalibrationAborted, Program
from gremsy_gimbal_driver.calibration.calibration_fit import fit_line
from gremsy_gimbal_driver.calibration.calibration_result import GainPoint, weighted_mean
from gremsy_gimbal_driver.motion.instant import nanoseconds

_REPEAT_S = 0.4
_ARRIVED = 0.03  # of the factor
_STEADY_S = 1.0
_STUCK_S = 6.0  # a link that loses six commands in ten loses all fifteen of them once in 2000 times
_PATIENCE_S = 20.0

# A leg begins when the gimbal is sure to turn evenly, also after commands were lost.
_LOST_S = 0.2
_WANTED_ERROR = 0.02
_LEAST_LEG_S, _LONGEST_LEG_S = 0.5, 5.0
_LEG_SAMPLES = 8
_CHECK_EVERY_S = 0.1
_PAIRS = 3
_AGREE = 0.08  # of the gain, beside four standard errors


@dataclass(slots=True)
class ZoomReports:
    """What the device reports of its zoom; empty for one that reports nothing."""

    factor: float | None = None
    received_ns: int = 0
    changed_ns: int = 0

    def report(self, factor: float, monotonic_ns: int) -> None:
        """A report came."""
        if not (math.isfinite(factor) and factor > 0.0):
            return
        if self.factor is None or abs(factor / self.factor - 1.0) > 0.005:
            self.changed_ns = monotonic_ns
        self.factor, self.received_ns = factor, monotonic_ns


def zoom_to(probe: AxisProbe, reports: ZoomReports, factor: float) -> Program[float]:
    """Ask for that factor until the reports show it, or that the lens goes no further; the last report."""
    begin_ns = sent_ns = probe.record.now.monotonic_ns
    yield Ask(probe.axis, zoom=factor)
    while True:
        now_ns = probe.record.now.monotonic_ns
        still_s = (now_ns - max(begin_ns, reports.changed_ns)) * 1e-9
        if reports.factor is not None and reports.received_ns > begin_ns:
            arrived = abs(reports.factor / factor - 1.0) <= _ARRIVED
            if still_s >= (_STEADY_S if arrived else _STUCK_S):
                return reports.factor
        if (now_ns - begin_ns) * 1e-9 > _PATIENCE_S:
            raise CalibrationAborted(
                f'the zoom did not come to rest within {_PATIENCE_S:.0f} s of asking for {factor:.3g}: check the camera'
            )
        if (now_ns - sent_ns) * 1e-9 >= _REPEAT_S:
            sent_ns = now_ns
            yield Ask(probe.axis, zoom=factor)
        else:
            yield Ask(probe.axis)


def measure_gain(probe: AxisProbe, zoom: float) -> Program[GainPoint]:
    """Forth and back at the largest rate, each until its slope is well known; again where the two do not agree."""
    rate = probe.parameters.calibration_rate_rad_s
    for _ in range(_PAIRS):
        forth = yield from _leg(probe, rate)
        back = yield from _leg(probe, -rate)
        gain, error = weighted_mean([forth, back])
        if gain > 0.0 and abs(forth[0] - back[0]) <= _AGREE * gain + 4.0 * math.hypot(forth[1], back[1]):
            yield from probe.settle()
            return GainPoint(zoom, gain, error)
    raise CalibrationAborted(
        f'the {probe.axis.word} does not turn evenly at zoom {zoom:.3g} ({forth[0]:.3g} and {back[0]:.3g} times the '
        'commanded rate): keep the vehicle still'
    )


def _leg(probe: AxisProbe, rate_rad_s: float) -> Program[tuple[float, float]]:
    """Achieved over commanded rate and its standard error, from one motion at a constant rate."""
    begin_s = probe.record.now_s
    even_ns = probe.record.now.ros_ns + nanoseconds(probe.answer_s + _LOST_S)
    gain, error = 0.0, math.inf
    while True:
        before_s = probe.record.now_s
        yield from probe.hold(rate_rad_s, _CHECK_EVERY_S)
        times_s, angles_rad = probe.record.window(probe.axis, even_ns)
        if len(times_s) >= _LEG_SAMPLES:
            line = fit_line(times_s, angles_rad)
            # The noise is known; a handful of attitudes can lie on a line by chance.
            noisy = probe.noise_rad * math.sqrt(12.0 / line.samples) / max(float(times_s[-1] - times_s[0]), 1e-3)
            gain = probe.sign * line.slope_rad_s / rate_rad_s
            error = max(line.slope_error_rad_s, noisy) / abs(rate_rad_s)
        asked_s = probe.record.now_s - begin_s
        sure = error <= _WANTED_ERROR * abs(gain) and asked_s >= probe.answer_s + _LOST_S + _LEAST_LEG_S
        at_the_end = probe.record.now_s - before_s < 0.5 * _CHECK_EVERY_S
        if sure or at_the_end or asked_s >= probe.answer_s + _LOST_S + _LONGEST_LEG_S:
            if not math.isfinite(error):
                raise CalibrationAborted(
                    f'only {len(times_s)} attitudes came while the {probe.axis.word} turned: check the link'
                )
            return gain, error
