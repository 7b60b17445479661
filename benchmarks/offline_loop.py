# SPDX-License-Identifier: Apache-2.0
"""The closed loop in invented time: how well the suite points, whatever else this machine has to do.

python -m benchmarks.offline_loop --inference-ms 170 --duration 40 --preset ideal --set gain_per_s=3

Scene, footage, detector, tracker, driver rules, wire bytes and plant are the suite's own. The network really runs on
every picture that the detector takes, but the *time* it takes is given; so a run says what another machine would get,
and gives the same motion bit for bit on every one with the same libraries. It is slower than real time or faster.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.loop.offline_payload import OfflinePayload
from benchmarks.loop.pointing_score import score_pointing
from benchmarks.reference.reference_tracks import read_reference
from gremsy_camera.footage.footage import cache_directory, default_footage
from gremsy_camera.footage.footage_reader import AtEnd, FootageReader
from gremsy_camera.scene.scene import SceneGeometry, SceneRenderer, View, simulated_camera
from gremsy_common.atomic_file import refuse_others, write_whole
from gremsy_common.parameters.parameter_fields import from_values
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.gimbal_state import RateSetpoint
from gremsy_detector.backends.backend_registry import choose_backend
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.model.default_model import default_model_path
from gremsy_gimbal_sim.options.options import PRESETS
from gremsy_tracker.display.tracker_view import TrackerUpdate, trace_values
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters

_MS = 1_000_000
# Any time that is not 0: a stamp of 0 would mean "none" in ROS.
_START_NS = 1_000_000_000_000
_TICK_NS = 20 * _MS
_LOOKED_S = 0.04
_LEVEL_FRAME = 'gimbal_level'

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long everything takes.

    Attributes:
        inference_s: mean time for which the detector is busy with one picture.
        inference_spread: each time is that times 1 +- up to this share, seeded: a busy machine is not a metronome.
        take: `newest` or `next`, like the detector's parameter.
        arrival_s: from the shutter to the picture's arrival at the detector (rendering, hand-over).
        tracking_s: from the detector's answer to the setpoint at the driver.
        camera_hz, footage_hz: pictures taken, and how many of them differ.
    """

    inference_s: float = 0.17
    inference_spread: float = 0.15
    take: str = 'newest'
    arrival_s: float = 0.006
    tracking_s: float = 0.006
    camera_hz: float = 30.0
    footage_hz: float = 10.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture that the camera took: when, where it looked, which footage frame hung there."""

    stamp_ns: int
    view: View
    footage_frame: int


Detect = Callable[[Shot], Detections]


class SceneCamera:
    """Draws shots of the footage, asked for in order of time."""

    def __init__(self, footage: Path) -> None:
        self._reader = FootageReader(footage, AtEnd.LOOP)
        info = self._reader.open()
        self.geometry = SceneGeometry.of(info.width, info.height)
        self.frames = info.frames
        self._renderer = SceneRenderer(self.geometry)
        self._canvas = self._renderer.new_canvas()
        self._hanging = -1

    def picture(self, shot: Shot) -> Frame:
        """The picture of one shot."""
        while self._hanging != shot.footage_frame:
            frame = self._reader.next()
            assert frame is not None
            self._hanging = frame.index
            if frame.index == shot.footage_frame:
                self._renderer.hang(self._canvas, frame.image)
        image = lock_read_only(self._renderer.render(self._canvas, shot.view))
        return Frame(image, shot.stamp_ns, 'optical')

    def close(self) -> None:
        """Free the decoder."""
        self._reader.close()


class OfflineLoop:
    """One run; `run` returns its trace events.

    Args:
        detect: what is seen in a shot.
        tracker: parameters; delay and lag of the plant are set to the preset's.
        timing: see there.
        preset: of the payload.
        footage_frames: after so many the footage begins again.
        first_frame: of the footage, with which the run begins.
        seed: of inference times and the payload's faults.
        payload: changes of the preset's options.
        fed_s: for so long the driver is fed the vehicle's attitude.
        picture: draws a shot: the tracker is then shown each picture that the camera takes.
    """

    def __init__(
        self,
        detect: Detect,
        tracker: TrackerParameters,
        timing: Timing | None = None,
        *,
        preset: str = 'ideal',
        footage_frames: int = 795,
        first_frame: int = 0,
        seed: int = 1,
        payload: Mapping[str, Any] | None = None,
        fed_s: float = 0.0,
        picture: Callable[[Shot], Frame] | None = None,
    ) -> None:
        self._detect, self._picture = detect, picture
        self._timing = timing or Timing()
        self._footage_frames, self._first_frame = footage_frames, first_frame
        self._random = np.random.default_rng(seed)
        self.payload = OfflinePayload(preset, _START_NS, _LEVEL_FRAME, seed, payload, fed_s=fed_s)
        self.tracker = Tracker(tracker)
        self.tracker.offer_camera_model(0, simulated_camera())
        self._waiting: Shot | None = None
        self._busy_until_ns = 0
        self._number = 0
        # (when, number in order, what to do then): equal times keep their order.
        self._later: list[tuple[int, int, Callable[[int], None]]] = []
        self._events: list[Event] = []

    def run(self, duration_s: float) -> list[Event]:
        """Run for so long."""
        camera_ns = round(1e9 / self._timing.camera_hz)
        next_shot_ns = next_tick_ns = _START_NS
        end_ns = _START_NS + round(duration_s * 1e9)
        for now_ns in range(_START_NS, end_ns, _MS):
            for attitude in self.payload.advance(now_ns):
                self.tracker.offer_attitude(attitude)
            for heading in self.payload.headings:
                self.tracker.offer_heading(heading)
            if now_ns >= next_shot_ns:
                self._take_shot(now_ns)
                next_shot_ns += camera_ns
            while self._later and self._later[0][0] <= now_ns:
                heapq.heappop(self._later)[2](now_ns)
            if now_ns >= next_tick_ns:
                next_tick_ns += _TICK_NS
                self._send(self.tracker.tick(now_ns), now_ns, fresh=False)
        return self._events

    def _after(self, now_ns: int, delay_s: float, act: Callable[[int], None]) -> None:
        self._number += 1
        heapq.heappush(self._later, (now_ns + round(delay_s * 1e9), self._number, act))

    def _take_shot(self, now_ns: int) -> None:
        shown = int((now_ns - _START_NS) * 1e-9 * self._timing.footage_hz + 1e-6)
        index = (self._first_frame + shown) % self._footage_frames
        shot = Shot(now_ns, self.payload.true_view(), index)
        self._note(
            'frame',
            now_ns,
            footage_frame=index,
            azimuth_rad=shot.view.azimuth_rad,
            tilt_rad=shot.view.tilt_rad,
            zoom=shot.view.zoom,
        )
        self._after(now_ns, self._timing.arrival_s, lambda at_ns: self._arrive(shot, at_ns))

    def _arrive(self, shot: Shot, now_ns: int) -> None:
        if self._picture is not None:
            self.tracker.offer_frame(self._picture(shot))
            # Telemetry of its time is there when the next one is, and 8 ms later it has been looked at.
            self._after(now_ns, _LOOKED_S, lambda _: self.tracker.look_for_turning())
        if now_ns >= self._busy_until_ns:
            self._begin(shot, now_ns)
        elif self._timing.take == 'newest':
            self._waiting = shot

    def _begin(self, shot: Shot, now_ns: int) -> None:
        self._waiting = None
        spread = self._timing.inference_spread * self._random.uniform(-1.0, 1.0)
        busy_s = self._timing.inference_s * (1.0 + spread)
        self._busy_until_ns = now_ns + round(busy_s * 1e9)
        detections = self._detect(shot)
        self._note('detection', shot.stamp_ns, taken_ns=now_ns, count=len(detections))
        self._after(now_ns, busy_s, lambda at_ns: self._finish(detections, at_ns))

    def _finish(self, detections: Detections, now_ns: int) -> None:
        self._after(now_ns, self._timing.tracking_s, lambda at_ns: self._track(detections, at_ns))
        if self._waiting is not None:
            self._begin(self._waiting, now_ns)

    def _track(self, detections: Detections, now_ns: int) -> None:
        def send(setpoint: RateSetpoint | None) -> None:
            self._send(setpoint, now_ns, fresh=True)

        update: TrackerUpdate | None = self.tracker.offer_detections(detections, now_ns, send)
        if update is not None:
            self._note('track', detections.stamp_ns, **trace_values(update, self.tracker.view(detections.stamp_ns)))

    def _send(self, setpoint: RateSetpoint | None, now_ns: int, *, fresh: bool) -> None:
        if setpoint is None:
            return
        self.payload.offer(setpoint, now_ns)
        self._note(
            'setpoint',
            setpoint.stamp_ns,
            sent_ns=now_ns,
            fresh=fresh,
            azimuth_rate_rad_s=setpoint.azimuth_rate_rad_s,
            tilt_rate_rad_s=setpoint.tilt_rate_rad_s,
        )

    def _note(self, kind: str, stamp_ns: int, **values: Any) -> None:
        self._events.append({'kind': kind, 'stamp_ns': stamp_ns, **values})


@dataclass(frozen=True, slots=True)
class OfflineOptions:
    """What a run is made of.

    `tracker` overrides parameters of the demo's tracker by name; for `fed_s` the driver is fed the vehicle's attitude.
    The footage begins with its `first_frame`.
    """

    duration_s: float = 40.0
    preset: str = 'ideal'
    selection: Selection = Selection()
    timing: Timing = field(default_factory=Timing)
    tracker: dict[str, Any] = field(default_factory=dict)
    seed: int = 1
    fed_s: float = 0.0
    first_frame: int = 0


def run_offline(options: OfflineOptions, footage: Path) -> tuple[list[Event], dict[str, Any]]:
    """One run with the real detector on the footage: trace events, and the score against the reference, rounded."""
    camera = SceneCamera(footage)
    model = default_model_path()
    detector = Detector(choose_backend(model)(model), options.selection)
    detector.open()

    def detect(shot: Shot) -> Detections:
        picture = camera.picture(shot)
        loop.tracker.offer_frame(picture)
        return detector.detect(picture).candidates

    try:
        loop = OfflineLoop(
            detect,
            tracker_parameters(options.preset, options.tracker),
            options.timing,
            preset=options.preset,
            footage_frames=camera.frames,
            first_frame=options.first_frame,
            seed=options.seed,
            fed_s=options.fed_s,
        )
        events = loop.run(options.duration_s)
    finally:
        detector.close()
        camera.close()
    score, _ = score_pointing(events, read_reference(), camera.geometry)
    return events, {name: _rounded(value) for name, value in asdict(score).items()}


def tracker_parameters(preset: str, changes: dict[str, Any]) -> TrackerParameters:
    """The demo's tracker on that payload."""
    plant = PRESETS[preset].plant
    demo = {
        'auto_lock': 'nearest',
        'lock_classes': ('person',),
        'lost_policy': 'home',
        'plant_delay_s': plant.delay_s,
        'plant_lag_s': plant.lag_s,
        'level_frame': _LEVEL_FRAME,
    }
    return from_values(TrackerParameters, {**demo, **changes})


def oracle(geometry: SceneGeometry, boxes_at: Callable[[int], NDArray[np.float64]]) -> Detect:
    """A detector without fault: the reference's boxes (N, 4 footage px of a frame), as seen in the shot."""

    def detect(shot: Shot) -> Detections:
        boxes = boxes_at(shot.footage_frame)
        corners = geometry.camera_px_from_footage_px(boxes.reshape(-1, 2), shot.view).reshape(-1, 4)
        limits = np.array([geometry.camera.width, geometry.camera.height] * 2, dtype=np.float64)
        corners = np.clip(corners, 0.0, limits)
        seen = (corners[:, 2] - corners[:, 0] > 4.0) & (corners[:, 3] - corners[:, 1] > 8.0)
        count = int(seen.sum())
        labels = np.full(count, 'person') if count else np.zeros(0, dtype=np.str_)
        return Detections(shot.stamp_ns, 'optical', corners[seen], np.full(count, 0.8), labels)

    return detect


def main(arguments: Sequence[str] | None = None) -> int:
    """One run; prints the score as a JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else '')
    parser.add_argument('--duration', type=float, default=40.0, metavar='S')
    parser.add_argument('--inference-ms', type=float, default=170.0)
    parser.add_argument('--take', choices=('newest', 'next'), default='newest')
    parser.add_argument('--preset', choices=sorted(PRESETS), default='ideal')
    parser.add_argument(
        '--candidate-confidence', type=float, default=Selection().candidate_confidence, help='what the tracker is given'
    )
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--first-frame', type=int, default=0, help='of the footage')
    parser.add_argument('--fed', action='store_true', help="feed the driver the vehicle's attitude")
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE', help='a tracker parameter')
    parser.add_argument('--trace', type=Path, metavar='FILE', help='write the events, one JSON object a line')
    given = parser.parse_args(arguments)
    changes = {name: yaml.safe_load(value) for name, _, value in (each.partition('=') for each in given.set)}
    options = OfflineOptions(
        given.duration,
        given.preset,
        Selection(candidate_confidence=given.candidate_confidence),
        Timing(inference_s=given.inference_ms * 1e-3, take=given.take),
        changes,
        given.seed,
        given.duration if given.fed else 0.0,
        given.first_frame,
    )
    events, score = run_offline(options, default_footage(cache_directory(os.environ), print))
    if given.trace is not None:
        refuse_others(given.trace, 'trace', lambda there: 'stamp_ns' in json.loads(there.open().readline()))
        write_whole(given.trace, ''.join(json.dumps(event) + '\n' for event in events).encode())
    print(json.dumps({**asdict(options), **score}))
    return 0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


if __name__ == '__main__':
    sys.exit(main())
