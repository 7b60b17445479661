# SPDX-License-Identifier: Apache-2.0
"""How many modules an attitude passes from the wire to the pointing core, and that the READMEs name every one.

How many one frame passes from a film to the bytes on the gimbal's link, likewise; and of the tracker alone, by a
stricter rule: every module that is at work before the setpoint leaves.

One seeded attitude is followed through the real decoder, device, telemetry and tracker, and one frame through the real
file source, detector (the shipped model on ONNX Runtime, shared as by default), tracker and driver. A module is on the
way where one of its functions was at work when the item reached the end, or was given the item before, in one of its
forms (bytes, a frame, an event, a quaternion, ...), and gave back the next form or a verdict on it. What only takes
note of an item (a stream's rate, the motion guard, joints) is not on the way.
"""

from __future__ import annotations

import enum
import os
import re
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np

from benchmarks.gimbal.damaged_streams import CameraStream
from gremsy_camera.footage.footage_reader import AtEnd, FootageFrame
from gremsy_camera.source_feed import SourceFeed
from gremsy_camera.sources import create_source
from gremsy_camera.sources.source import Captured, SourceContext
from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude, RateSetpoint
from gremsy_detector.backends.backend import Backend, BackendOptions
from gremsy_detector.backends.backend_chain import BackendChain
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.sharing.model_pool import ModelPool
from gremsy_detector.decode.candidates import Boxes, DecodedBoxes
from gremsy_detector.detector import DetectionResult, Detector
from gremsy_detector.image.network_input import Picture
from gremsy_detector.model.default_model import model_path
from gremsy_detector.restarting_detector import RestartingDetector
from gremsy_detector.selection import Selection
from gremsy_gimbal_driver.attitude.attitude_reading import AttitudeReading
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_reports import DriverListener, GimbalView
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.mavlink.mavlink_framing import MavlinkFrame
from gremsy_gimbal_driver.motion.command_arbiter import Source
from gremsy_gimbal_driver.motion.instant import Instant
from gremsy_gimbal_driver.motion.motion_output import MotionOutput
from gremsy_gimbal_driver.motion.motion_writer import Motion
from gremsy_gimbal_driver.ros.telemetry_topics import TelemetryTopics
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking.attitude_history import AttitudeHistory

REPOSITORY = Path(__file__).parents[2]
MOST_OF_AN_ATTITUDE = 20
MOST_OF_THE_TRACKER = 16
FORMS = (
    bytes,
    MavlinkFrame,
    AttitudeStatus,
    AttitudeReading,
    MeasuredAttitude,
    GimbalView,
    GimbalAttitude,
    np.ndarray,
)
# What the bench stands in for: the link, and the node with its publisher, which hands on within the process. And what
# makes the stamp, a number that cannot be told from others here.
BESIDES = {
    'gremsy_gimbal_driver.links.udp_link',
    'gremsy_gimbal_driver.gimbal_driver_node',
    'gremsy_common.ros.transport.endpoints',
    'gremsy_common.ros.transport.local_bus',
    'gremsy_common.timing.clock_mapping',
}
# Arithmetic is no station, as NumPy is none; nor is memory, nor a type that a form is of.
ARITHMETIC = {
    'gremsy_common.boxes',
    'gremsy_common.geometry',
    'gremsy_common.picture.picture_memory',
    'gremsy_common.types.camera_model',
    'gremsy_common.types.detections',
    'gremsy_common.types.frame',
}
# 45 are wanted.
MOST_OF_A_FRAME = 47
FORMS_OF_A_FRAME = (
    bytes,
    np.ndarray,
    FootageFrame,
    Captured,
    Frame,
    Picture,
    DecodedBoxes,
    Boxes,
    DetectionResult,
    Detections,
    RateSetpoint,
    Motion,
    MotionOutput,
)
# The nodes, and what carries a frame between and within them; the schedule that makes its stamp; the link itself; and
# what takes a setpoint's numbers one by one, or returns the sentence of a refusal.
BESIDES_OF_A_FRAME = {
    'gremsy_camera.camera_node',
    'gremsy_camera.footage.pacing',
    'gremsy_camera.ros.camera_outlets',
    'gremsy_common.ros.transport.endpoints',
    'gremsy_common.ros.transport.local_bus',
    'gremsy_common.timing.worker',
    'gremsy_detector.detector_node',
    'gremsy_gimbal_driver.gimbal_driver_node',
    'gremsy_gimbal_driver.links.udp_link',
    'gremsy_gimbal_driver.mavlink.mavlink_frames',
    'gremsy_gimbal_driver.motion.command_arbiter',
}
# The bytes of its heartbeat are nothing of a frame.
BYSTANDERS = {'gremsy_gimbal_driver.deadman.deadman_guard'}


def is_attitude(value: object) -> bool:
    if isinstance(value, list | tuple) and value:
        return any(map(is_attitude, value)) or (len(value) == 4 and all(isinstance(each, float) for each in value))
    return isinstance(value, FORMS)


def is_frame(value: object) -> bool:
    """Or what became of it: pictures, boxes, a setpoint, its pair of rates, a message."""
    if isinstance(value, list | tuple) and value:
        return any(map(is_frame, value)) or (len(value) == 2 and all(isinstance(each, float) for each in value))
    return isinstance(value, FORMS_OF_A_FRAME)


class Passage:
    """The modules that an item passes while it is recorded; `sys.setprofile` shows every call and return."""

    def __init__(
        self,
        end: Callable[..., Any],
        is_form: Callable[[object], bool] = is_attitude,
        read: tuple[type[Any], ...] = (bytes,),
    ) -> None:
        self.modules: set[str] = set()
        self.arrived = 0
        self._end = end.__code__
        self._is_form, self._read = is_form, read

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        if event == 'call' and frame.f_code is self._end:
            self.arrived += 1
            caller: FrameType | None = frame
            while caller is not None:
                self._note(caller)
                caller = caller.f_back
        elif event == 'return' and not self.arrived:
            code, given = frame.f_code, frame.f_locals
            handed = any(self._is_form(given.get(name)) for name in code.co_varnames[: code.co_argcount])
            read = isinstance(value, self._read) and value
            if read or (handed and (self._is_form(value) or isinstance(value, bool | enum.Enum))):
                self._note(frame)

    def _note(self, frame: FrameType) -> None:
        module = frame.f_globals.get('__name__', '')
        # What `dataclass` writes has no file.
        if module.startswith('gremsy_') and not frame.f_code.co_filename.startswith('<'):
            self.modules.add(module)


class OneLink:
    """A link that gives what it was loaded with."""

    name, is_datagram, fault = 'udp://gimbal', True, ''

    def __init__(self) -> None:
        self.incoming: deque[bytes] = deque()
        self._descriptor = os.open(os.devnull, os.O_RDONLY)

    def open(self) -> None:
        """Always there."""

    def close(self) -> None:
        os.close(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def read(self, timeout_s: float) -> bytes:
        del timeout_s
        return self.incoming.popleft() if self.incoming else b''

    def write(self, data: bytes) -> bool:
        del data
        return True


class Publisher:
    """As of a node, but straight into the tracker."""

    def __init__(self, publish: Callable[[Any], None]) -> None:
        self.publish = publish
        self.watched = False
        self.outside_subscribers = 0


class Node:
    """What `TelemetryTopics` takes of one; `gimbal/attitude` is the first topic that it asks for."""

    def __init__(self, tracker: Tracker) -> None:
        self._publish: list[Callable[[Any], None]] = [tracker.offer_attitude]

    def publisher(self, topic: object) -> Publisher:
        del topic
        return Publisher(self._publish.pop() if self._publish else lambda _: None)


def attitude_way() -> set[str]:
    tracker = Tracker(TrackerParameters().in_namespace('/robot/eo'))
    link, parameters = OneLink(), GimbalDriverParameters()
    topics = TelemetryTopics(Node(tracker), parameters)
    driver = GimbalDriver([link], parameters, DriverListener(view=topics.publish))
    frames = [frame.data for frame in CameraStream(np.random.default_rng(1)).attitudes(20)]
    passage = Passage(AttitudeHistory.offer)
    for number, frame in enumerate(frames):
        link.incoming.append(frame)
        if number == len(frames) - 1:
            sys.setprofile(passage)
        try:
            driver._read_once(0)
        finally:
            sys.setprofile(None)
    driver.close()
    assert passage.arrived == 1
    return (passage.modules - ARITHMETIC) | BESIDES


def named_in(package: str, section: str) -> set[str]:
    text = (REPOSITORY / 'src' / package / 'README.md').read_text(encoding='utf-8')
    found = re.search(rf'{re.escape(section)}.*?(?=\n## |\n\n|\n\* )', text, re.DOTALL)
    assert found is not None, f'{package}/README.md does not have {section}'
    return set(re.findall(r'`(\w+)`', found[0]))


def test_an_attitude_passes_twenty_modules_at_most_and_the_readmes_name_them():
    passed = {module.rpartition('.')[2] for module in attitude_way()}
    named = (
        named_in('gremsy_gimbal_driver', '* **An attitude**')
        | named_in('gremsy_common', "## One frame's way")
        | named_in('gremsy_tracker', '**An attitude**')
    )
    assert passed - named == set(), sorted(passed)
    assert len(passed) <= MOST_OF_AN_ATTITUDE, sorted(passed)


def tracker_way() -> set[str]:
    """Of the fortieth image of two people, while one of them is followed."""
    camera, start_ns, step_ns = CameraModel.from_horizontal_field(640, 480, 0.7), 10**18, 33_000_000
    tracker = Tracker(TrackerParameters(auto_lock='nearest').in_namespace('/robot/eo'))
    tracker.offer_camera_model(start_ns, camera)
    passed: set[str] = set()
    setpoints: list[RateSetpoint | None] = []

    def note(frame: FrameType, event: str, value: object) -> None:
        del value
        module = frame.f_globals.get('__name__', '')
        if event == 'call' and module.startswith('gremsy_tracker.') and not frame.f_code.co_filename.startswith('<'):
            passed.add(module.rpartition('.')[2])

    def send(setpoint: RateSetpoint | None) -> None:
        sys.setprofile(None)
        setpoints.append(setpoint)

    for number in range(40):
        stamp_ns = start_ns + number * step_ns
        for age_ns in (5_000_000, -15_000_000):
            look = quaternion_from_bearing(0.001 * number, 0.0)
            tracker.offer_attitude(GimbalAttitude(stamp_ns - age_ns, 'camera', look, np.zeros(3)))
        boxes = np.array([[330.0 + number, 200.0, 370.0 + number, 300.0], [100.0, 200.0, 140.0, 300.0]])
        seen = Detections(stamp_ns, 'optical', boxes, np.array([0.8, 0.7]), np.array(['person', 'person']))
        if number == 39:
            sys.setprofile(note)
        tracker.offer_detections(seen, stamp_ns + 40_000_000, send)
    assert setpoints[-1] is not None
    assert setpoints[-1].azimuth_rate_rad_s != 0.0
    return passed | {'tracker_node'}


def test_an_image_passes_eighteen_modules_of_the_tracker_at_most_and_its_readme_names_them():
    passed = tracker_way()
    assert passed - named_in('gremsy_tracker', "## One frame's way") == set(), sorted(passed)
    assert len(passed) <= MOST_OF_THE_TRACKER, sorted(passed)


class SteppedClock:
    """Of camera and driver; stands still but while somebody sleeps."""

    def __init__(self) -> None:
        self.now_ns = 10**18

    def ros_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def sleep_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def instant(self) -> Instant:
        return Instant(self.now_ns, self.now_ns)


def film(path: Path) -> Path:
    """Somebody who stands there; the shipped model takes them for this and that, which is enough to follow."""
    image = np.full((480, 640, 3), 180, np.uint8)
    cv2.circle(image, (400, 180), 22, (120, 150, 200), -1)
    for left, right, top, bottom in ((365, 435, 205, 320), (370, 396, 320, 440), (404, 430, 320, 440)):
        cv2.rectangle(image, (left, top), (right, bottom), (60, 40, 30), -1)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 30.0, (640, 480))
    for _ in range(3):
        writer.write(image)
    writer.release()
    return path


def shared_detector() -> RestartingDetector:
    """As the node makes it."""
    path, pool = model_path('default'), ModelPool()

    def make(kind: type[Backend], selection: Selection) -> Detector:
        backend = pool.backend(kind, path, BackendOptions(), name='detector', due=lambda: False, batch='auto')
        return Detector(backend, selection)

    chain = BackendChain(path, [OnnxRuntimeBackend], make, print)
    return RestartingDetector(chain, Selection(candidate_confidence=0.1))


def frame_way(video: Path) -> set[str]:
    """Of the fortieth frame, while what is in it is followed; beside the tracker's own."""
    clock = SteppedClock()
    context = SourceContext(frame_id='optical', rate_hz=0.0, at_end=AtEnd.LOOP, clock=clock, say=print)
    feed = SourceFeed(create_source(str(video), context), clock, print)
    feed.open()
    detector = shared_detector()
    detector.open()
    parameters = TrackerParameters(auto_lock='nearest', high_score=0.2, low_score=0.1, new_track_score=0.2)
    tracker = Tracker(parameters.in_namespace('/robot/eo'))
    tracker.offer_camera_model(clock.now_ns, CameraModel.from_horizontal_field(640, 480, 0.7))
    link = OneLink()
    driver = GimbalDriver([link], GimbalDriverParameters(frame_prefix='robot/'), clock=clock.instant)
    stream = CameraStream(np.random.default_rng(1))
    passage = Passage(OneLink.write, is_frame, (bytes, Captured, FootageFrame))

    def send(setpoint: RateSetpoint | None) -> None:
        if setpoint is not None:
            driver.offer(Source.TRACKER, setpoint)
            driver._write_once()

    try:
        for number in range(40):
            link.incoming.append(stream.attitudes(1)[0].data)
            driver._read_once(0)
            if number == 1:
                assert driver.arm(True).done
            for age_ns in (10_000_000, -5_000_000, -20_000_000):
                look = np.array([1.0, 0.0, 0.0, 0.0])
                tracker.offer_attitude(GimbalAttitude(clock.now_ns + 33_000_000 - age_ns, 'camera', look, np.zeros(3)))
            if number == 39:
                sys.setprofile(passage)
            while (captured := feed.read(0.2)) is None:
                pass
            candidates = detector.detect(captured.frame).candidates
            tracker.offer_detections(candidates, clock.now_ns, send)
    finally:
        sys.setprofile(None)
        detector.close()
        driver.close()
        feed.close()
    assert passage.arrived
    return (passage.modules - ARITHMETIC - BYSTANDERS) | BESIDES_OF_A_FRAME


def test_a_frame_passes_as_few_modules_as_were_reached_and_the_readmes_name_them(tmp_path):
    way = frame_way(film(tmp_path / 'somebody.avi'))
    passed = {module.rpartition('.')[2] for module in way} | tracker_way()
    named = (
        named_in('gremsy_camera', "## One frame's way")
        | named_in('gremsy_common', "## One frame's way")
        | named_in('gremsy_detector', "## One frame's way")
        | named_in('gremsy_tracker', "## One frame's way")
        | named_in('gremsy_gimbal_driver', '* **A setpoint**')
        | named_in('gremsy_gimbal_driver', '* **An attitude**')
    )
    assert passed - named == set(), sorted(passed)
    assert len(passed) <= MOST_OF_A_FRAME, sorted(way | passed)
