# SPDX-License-Identifier: Apache-2.0
"""How many modules an attitude passes from the wire to the pointing core, and that the READMEs name every one.

And how many of the tracker one image's detections pass before their setpoint leaves: every one that is at work by then.

One seeded attitude is followed through the real decoder, device, telemetry and tracker. A module is on its way where
one of its functions was at work when the attitude reached the history of the pointing core, or was given the attitude
before, in one of its forms (bytes, a frame, an event, a quaternion, ...), and gave back the next form or a verdict on
it. What only takes note of an attitude (a stream's rate, the motion guard, joints) is not on the way.
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

import numpy as np

from benchmarks.gimbal.damaged_streams import CameraStream
from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.gimbal_state import GimbalAttitude, RateSetpoint
from gremsy_gimbal_driver.attitude.attitude_reading import AttitudeReading
from gremsy_gimbal_driver.attitude.attitude_telemetry import MeasuredAttitude
from gremsy_gimbal_driver.driver import GimbalDriver
from gremsy_gimbal_driver.driver_listener import DriverListener, GimbalView
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus
from gremsy_gimbal_driver.mavlink.mavlink_framing import MavlinkFrame
from gremsy_gimbal_driver.ros.telemetry_topics import TelemetryTopics
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_tracker.tracking.attitude_history import AttitudeHistory

REPOSITORY = Path(__file__).parents[2]
MOST_OF_AN_ATTITUDE = 20
MOST_OF_THE_TRACKER = 20
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
# Arithmetic is no station, as NumPy is none.
ARITHMETIC = {'gremsy_common.geometry'}


def is_form(value: object) -> bool:
    if isinstance(value, list | tuple) and value:
        return any(map(is_form, value)) or (len(value) == 4 and all(isinstance(each, float) for each in value))
    return isinstance(value, FORMS)


class Passage:
    """The modules that an item passes while it is recorded; `sys.setprofile` shows every call and return."""

    def __init__(self, end: Callable[..., Any]) -> None:
        self.modules: set[str] = set()
        self.arrived = 0
        self._end = end.__code__

    def __call__(self, frame: FrameType, event: str, value: Any) -> None:
        if event == 'call' and frame.f_code is self._end:
            self.arrived += 1
            caller: FrameType | None = frame
            while caller is not None:
                self._note(caller)
                caller = caller.f_back
        elif event == 'return' and not self.arrived:
            code, given = frame.f_code, frame.f_locals
            handed = any(is_form(given.get(name)) for name in code.co_varnames[: code.co_argcount])
            read = isinstance(value, bytes) and value
            if read or (handed and (is_form(value) or isinstance(value, bool | enum.Enum))):
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


def test_an_image_passes_twenty_modules_of_the_tracker_at_most_and_its_readme_names_them():
    passed = tracker_way()
    assert passed - named_in('gremsy_tracker', "## One frame's way") == set(), sorted(passed)
    assert len(passed) <= MOST_OF_THE_TRACKER, sorted(passed)
