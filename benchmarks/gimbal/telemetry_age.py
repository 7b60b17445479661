# SPDX-License-Identifier: Apache-2.0
"""How well pictures show the telemetry's age, in invented time: error in ms, and the delay that is calibrated.

python -m benchmarks.gimbal.telemetry_age --seeds 3 --json FILE

A simulated payload is calibrated on its own wire while a camera sees a made wall of texture through its true attitude;
the driver is told nothing of the age. Of what the tracker's learner says the error is known, since the age is set.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_camera.scene.scene import SceneGeometry, SceneRenderer, View, simulated_camera
from gremsy_common.atomic_file import refuse_unwritable, write_whole
from gremsy_common.errors import SuiteError
from gremsy_common.types.attitude_age import AttitudeAge, together
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.frame import Frame
from gremsy_gimbal_driver.attitude.attitude_telemetry import AttitudeStamping
from gremsy_gimbal_driver.calibration.calibration_parameters import CalibrationParameters
from gremsy_gimbal_driver.calibration.calibration_result import CalibrationResult
from gremsy_gimbal_driver.calibration.calibration_routine import CalibrationRoutine
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, Sender
from gremsy_gimbal_driver.mavlink.mavlink_frames import wire_rates
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_output import Pair
from gremsy_gimbal_sim.options.options import PRESETS
from gremsy_gimbal_sim.payload import SimulatedPayload
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters

_MS = 1_000_000
_START_NS = 1_000_000_000_000
_STEP_MS = 10
_PICTURE_EVERY_MS = 30
_REPEAT_MS = 40
_LONGEST_MS = 120_000
_BEGIN_MS, _LOOK_EVERY_MS = 1_000, 100
_OWN = Sender(1, 191)
_PRESETS = ('ideal', 'gremsy', 'realistic')
_AGES_S = (0.0, 0.02, 0.06, 0.1)


class Wall:
    """A plane of made texture round the camera, and what it sees of it."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        geometry = SceneGeometry.of(768, 576)
        self._renderer = SceneRenderer(geometry)
        self._canvas = self._renderer.new_canvas()
        noise = random.integers(0, 255, (576, 768, 3), dtype=np.uint8)
        self._renderer.hang(self._canvas, np.asarray(cv2.GaussianBlur(noise, (0, 0), 3.0) * 3 % 255, dtype=np.uint8))

    def picture(self, view: View) -> NDArray[np.uint8]:
        """(480, 640, 3) BGR."""
        return np.asarray(self._renderer.render(self._canvas, view), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class CalibratedAge:
    """What the learner said in the course of one calibration, and what the calibration found by itself."""

    ages: tuple[AttitudeAge, ...]
    result: CalibrationResult


class CalibratedPayload:
    """A payload whose telemetry is so old, its calibration, and a tracker that sees what its camera sees."""

    def __init__(self, preset: str, age_s: float, seed: int) -> None:
        options = replace(PRESETS[preset], attitude_rate_hz=50.0, orientation_rate_hz=0.5, attitude_age_s=age_s)
        self._payload = SimulatedPayload(options, seed, speaks_first=True)
        self._encoder, self._gimbal = MavlinkEncoder(_OWN), Sender(options.system, options.gimbal_component)
        self._decoder, self._stamping = MavlinkDecoder(_OWN, self._gimbal), AttitudeStamping('camera')
        self._routine = CalibrationRoutine(CalibrationParameters())
        self._tracker = Tracker(TrackerParameters())
        self._tracker.offer_camera_model(0, simulated_camera())
        self._wall = Wall(seed)
        self._written: Pair = (0.0, 0.0)
        self._written_ms = 0
        self._ages: list[AttitudeAge] = []

    def run(self) -> CalibratedAge:
        """Calibrate; the driver does not know of the age.

        Raises:
            SuiteError: when it does not end well.
        """
        for now_ms in range(0, _LONGEST_MS, _STEP_MS):
            now = Instant(now_ms * _MS, _START_NS + now_ms * _MS)
            self._receive(now)
            self._see(now_ms, now.ros_ns)
            if now_ms == _BEGIN_MS:
                if refusal := self._routine.begin(now, armed=True):
                    raise SuiteError(refusal)
                self._tracker.offer_control(ControlState(True, 'calibration'), 'gimbal/setpoint')
            if self._routine.running:
                self._write(now_ms, self._routine.step(now, armed=True).rates_rad_s)
            elif now_ms > _BEGIN_MS:
                break
        if self._routine.result is None:
            raise SuiteError(self._routine.sentence)
        return CalibratedAge(tuple(self._ages), self._routine.result)

    def _receive(self, now: Instant) -> None:
        for message in self._payload.advance(now.monotonic_ns * 1e-9):
            for event in self._decoder.feed(message, True):
                measured = self._stamping.measured(event, now) if isinstance(event, AttitudeStatus) else None
                if measured is not None:
                    rate_x, rate_y, rate_z = measured.attitude.rate_rad_s.tolist()
                    angles = (measured.yaw_rad, measured.pitch_rad)
                    rates = (float(np.hypot(rate_x, rate_z)), rate_y)
                    self._routine.attitude(measured.attitude.stamp_ns, angles, rates, now)
                    self._tracker.offer_attitude(measured.attitude)

    def _see(self, now_ms: int, ros_ns: int) -> None:
        if now_ms % _PICTURE_EVERY_MS == 0 and self._tracker.wants_frames:
            state = self._payload.true_state(0)
            picture = self._wall.picture(View(state.azimuth_rad, state.tilt_rad))
            self._tracker.offer_frame(Frame(picture, ros_ns, 'optical'))
        if now_ms % _LOOK_EVERY_MS == 0 and (age := self._tracker.learn_attitude_age()) is not None:
            self._ages.append(age)

    def _write(self, now_ms: int, rates_rad_s: Pair) -> None:
        if rates_rad_s != self._written or now_ms - self._written_ms >= _REPEAT_MS:
            self._written, self._written_ms = rates_rad_s, now_ms
            self._payload.receive(self._encoder.motion(self._gimbal, wire_rates(*rates_rad_s)), now_ms * 1e-3, True)


def main(arguments: Sequence[str] | None = None) -> int:
    """All presets and ages; a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else '')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--json', type=Path, metavar='FILE')
    given = parser.parse_args(arguments)
    if given.json is not None:
        refuse_unwritable(given.json)
    figures: dict[str, Any] = {}
    for preset in _PRESETS:
        for age_s in _AGES_S:
            runs = [CalibratedPayload(preset, age_s, seed).run() for seed in range(given.seeds)]
            figures[f'{preset}_{round(age_s * 1e3)}'] = found = _figures(runs, PRESETS[preset].plant.delay_s, age_s)
            print(preset, age_s, json.dumps(found), file=sys.stderr, flush=True)
    text = json.dumps(figures, indent=1)
    if given.json is not None:
        write_whole(given.json, text.encode())
    print(text)
    return 0


def _figures(runs: list[CalibratedAge], delay_s: float, age_s: float) -> dict[str, Any]:
    single = [(age.late_s - age_s) * 1e3 for run in runs for age in run.ages]
    learned = [run for run in runs if run.ages]
    whole = [together(list(run.ages)).late_s for run in learned]
    return {
        'error_ms': [round((late - age_s) * 1e3, 2) for late in whole],
        'single_error_ms_max': round(max(map(abs, single), default=float('nan')), 2),
        'estimates': [len(run.ages) for run in runs],
        'delay_error_ms_before': [round((run.result.delay_s - delay_s) * 1e3, 1) for run in runs],
        'delay_error_ms': [
            round((run.result.delay_s - delay_s - late) * 1e3, 1) for run, late in zip(learned, whole, strict=True)
        ],
    }


if __name__ == '__main__':
    sys.exit(main())
