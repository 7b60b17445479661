# SPDX-License-Identifier: Apache-2.0
"""Camera, detector, tracker and recorder in one process, with a source that gives just what a test wants."""

import time

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from gremsy_bringup.film.recorder_node import RecorderNode
from gremsy_camera.errors import SourceError
from gremsy_camera.sources.source import Captured, SourceCounts, SourceInfo
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.detector_node import DetectorNode
from gremsy_tracker.tracker_node import TrackerNode

pytestmark = pytest.mark.integration

PERIOD_S = 0.05


class ScriptedSource:
    """Plays `picture()` 20 times a second; `broken` says why it does not open or read."""

    def __init__(self, picture, encoding='bgr8'):
        self.picture, self.encoding, self.broken, self.silent = picture, encoding, '', False
        self.others = {}
        self.frame_id = ''

    def open(self):
        if self.broken:
            raise SourceError(self.broken)
        image = self.picture()
        return SourceInfo(image.shape[1], image.shape[0], 20.0, None, 'when it was scripted', (('codec', 'script'),))

    def read(self, timeout_s):
        if self.broken:
            raise SourceError(self.broken)
        time.sleep(PERIOD_S)
        if self.silent:
            return None
        image = lock_read_only(self.picture().copy())
        return Captured(Frame(image, time.time_ns(), self.frame_id, self.encoding), None, 0, None)

    def counts(self):
        return SourceCounts(others=self.others)

    def close(self):
        pass


def infrared():
    """A hand's warmth before a wall: a few hundred counts of 65 536."""
    image = np.full((96, 128), 7000, np.uint16)
    image[30:60, 40:80] = 7400
    return image


def decoded(message):
    return cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED)


def contrast(image):
    """Between the warm hand and the wall."""
    return int(image[45, 60]) - int(image[5, 5])


def test_infrared_is_kept_raw_and_shown_through_a_gain(robot):
    raw, shown = robot.watch(Image, 'image_raw'), robot.watch(Image, 'image_mono8')
    compressed = robot.watch(CompressedImage, 'image_raw/compressed')
    overlay, detections = robot.watch(Image, 'overlay'), robot.watch(Detection2DArray, 'detections', 5)
    robot.play(ScriptedSource(infrared, 'mono16'))
    robot.start(DetectorNode, TrackerNode, RecorderNode)
    robot.until(lambda: raw and shown and compressed and len(overlay) > 5 and detections)
    assert (raw[0].encoding, raw[0].step, raw[0].is_bigendian) == ('mono16', 256, 0)
    np.testing.assert_array_equal(np.frombuffer(raw[0].data, '<u2').reshape(96, 128), infrared())
    assert shown[0].encoding == 'mono8'
    assert contrast(np.frombuffer(shown[0].data, np.uint8).reshape(96, 128)) > 200
    assert compressed[0].format == 'mono8; jpeg compressed mono8'
    assert contrast(decoded(compressed[0])) > 180
    assert overlay[-1].encoding == 'bgr8'
    picture = np.frombuffer(overlay[-1].data, np.uint8).reshape(96, 128, 3)
    # The upper byte alone would show 27 and 28.
    assert int(picture.max()) - int(picture.min()) > 200
    robot.stop()
    film = cv2.VideoCapture(str(robot.folder / 'film.mp4'))
    read, frame = film.read()
    assert read and frame.shape == (96, 128, 3)


def test_infrared_is_sent_without_loss_if_asked_for(robot):
    compressed = robot.watch(CompressedImage, 'image_raw/compressed')
    robot.play(ScriptedSource(infrared, 'mono16'))
    robot.start(compressed_format='png')
    robot.until(lambda: compressed)
    assert compressed[0].format == 'mono16; png compressed '
    np.testing.assert_array_equal(decoded(compressed[0]), infrared())


def test_colour_is_grey_on_image_mono8_and_nothing_is_made_unwatched(robot):
    robot.play(ScriptedSource(lambda: np.full((24, 32, 3), (200, 0, 0), np.uint8)))
    robot.start()
    status = robot.status()
    robot.until(lambda: status()[1].get('age of the newest frame (s)'))
    assert not robot.nodes[0]._outlets.watched
    shown = robot.watch(Image, 'image_mono8')
    robot.until(lambda: shown)
    # Rec. 601: blue counts for 0.114 of the brightness.
    assert (shown[0].encoding, set(shown[0].data)) == ('mono8', {23})


def test_a_size_that_changes_in_mid_stream_breaks_nothing(robot):
    size = [(96, 128)]
    source = ScriptedSource(lambda: np.random.default_rng(1).integers(0, 255, (*size[0], 3), np.uint8))
    infos, detections = robot.watch(CameraInfo, 'camera_info', 10), robot.watch(Detection2DArray, 'detections', 5)
    overlay = robot.watch(Image, 'overlay')
    robot.play(source)
    robot.start(DetectorNode, TrackerNode, RecorderNode, appearance_cue='true', visual_ego_motion='true')
    robot.until(lambda: infos and detections and overlay)
    for height, width in ((240, 320), (97, 55), (96, 128)):
        size[0] = (height, width)
        robot.until(lambda: (infos[-1].width, infos[-1].height) == (width, height))  # noqa: B023 asked at once
        # A horizontal field of 60 degrees at every width.
        assert infos[-1].k[0] == pytest.approx(width / 2 / np.tan(np.radians(30)))
        del overlay[:], detections[:]
        robot.until(lambda: len(detections) > 3 and overlay and overlay[-1].width == width)  # noqa: B023 asked at once
    for node in robot.nodes:
        wrong = {kind: count for kind, count in node.diagnostics.counters.items() if kind.endswith('errors') and count}
        assert set(wrong) <= ({'errors'} if node.get_name() == 'recorder' else set()), wrong
    # The film has one size, and what did not fit was said.
    assert robot.nodes[3].diagnostics.counters['overlay: another size'] > 0


def test_the_level_says_whether_frames_come_and_why_not(robot):
    source = ScriptedSource(lambda: np.zeros((24, 32, 3), np.uint8))
    source.others = {'packets lost': 3}
    robot.play(source)
    robot.start()
    status = robot.status()
    robot.until(lambda: status()[1].get('source state') == 'playing')
    robot.until(lambda: status()[0].level == DiagnosticStatus.OK)
    rows = status()[1]
    assert (rows['codec'], rows['packets lost'], rows['stamp is']) == ('script', '3', 'when it was scripted')
    assert 0.0 <= float(rows['age of the newest frame (s)']) < 40.0
    source.silent = True
    robot.until(lambda: status()[0].message.startswith('No image has come from `source` for '))
    assert status()[0].level == DiagnosticStatus.ERROR
    source.broken = 'The camera is away: plug it in.'
    robot.until(lambda: status()[0].message == 'The camera is away: plug it in.')
    source.silent, source.broken = False, ''
    robot.until(lambda: status()[1].get('source state') == 'playing')
    # It is over, and not to be warned of for ten seconds while frames come.
    assert not robot.nodes[0].diagnostics.recent_error
    robot.until(lambda: status()[0].level == DiagnosticStatus.OK)
