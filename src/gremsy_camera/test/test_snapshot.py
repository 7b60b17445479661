# SPDX-License-Identifier: Apache-2.0
"""Snapshots read back bit by bit, and what stands beside them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gremsy_camera.errors import RecordingError
from gremsy_camera.recording.snapshot import snapshot_path, write_snapshot
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from gremsy_common.types.frame import Frame
from gremsy_common.types.gimbal_state import GimbalAttitude

MS = 1_000_000
# 2023-11-14 22:13:20.123 UTC.
STAMP_NS = 1_700_000_000_123_456_789
CAMERA = CameraModel.from_horizontal_field(64, 48, 1.0)


def frame(encoding='bgr8') -> Frame:
    generator = np.random.default_rng(1)
    if encoding == 'mono16':
        return Frame(generator.integers(0, 65536, (48, 64), np.uint16), STAMP_NS, 'robot/eo_optical_frame', encoding)
    shape = (48, 64) if encoding == 'mono8' else (48, 64, 3)
    return Frame(generator.integers(0, 256, shape, np.uint8), STAMP_NS, 'robot/eo_optical_frame', encoding)


def attitude(stamp_ns: int, w: float) -> GimbalAttitude:
    return GimbalAttitude(stamp_ns, 'robot/eo_frame', np.array([w, 0.0, 0.0, (1 - w * w) ** 0.5]), np.zeros(3))


def path_of(folder: Path, shown: Frame, wanted='png') -> Path:
    return snapshot_path(folder, '{robot}_{camera}_{time}', '/robot/eo', shown, wanted)


@pytest.mark.parametrize('encoding', ['bgr8', 'mono8', 'mono16'])
def test_a_png_is_the_frame_to_the_bit(tmp_path, encoding):
    shown = frame(encoding)
    path = path_of(tmp_path, shown)
    assert path == tmp_path / 'robot_eo_20231114T221320.123Z.png'
    write_snapshot(path, shown, CAMERA, None, ())
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert read.dtype == shown.image.dtype and (read == shown.image).all()


def test_colours_of_another_order_are_put_right(tmp_path):
    shown = frame('rgb8')
    write_snapshot(tmp_path / 'it.png', shown, CAMERA, None, ())
    assert (cv2.imread(str(tmp_path / 'it.png')) == shown.image[:, :, ::-1]).all()


def test_infrared_of_the_other_byte_order_is_read_right(tmp_path):
    shown = frame('mono16')
    turned = Frame(shown.image.astype('>u2'), STAMP_NS, 'ir', 'mono16')
    write_snapshot(tmp_path / 'it.png', turned, CAMERA, None, ())
    assert (cv2.imread(str(tmp_path / 'it.png'), cv2.IMREAD_UNCHANGED) == shown.image).all()


def test_a_jpeg_where_it_is_asked_for_but_not_of_16_bits(tmp_path):
    assert path_of(tmp_path, frame(), 'jpeg').suffix == '.jpg'
    assert path_of(tmp_path, frame('mono16'), 'jpeg').suffix == '.png'
    path = path_of(tmp_path, frame(), 'jpeg')
    write_snapshot(path, frame(), CAMERA, None, ())
    assert path.read_bytes()[:3] == b'\xff\xd8\xff'


def test_what_is_known_of_the_moment_stands_beside_it(tmp_path):
    near, far = attitude(STAMP_NS + 5 * MS, 0.6), attitude(STAMP_NS - 50 * MS, 1.0)
    path = path_of(tmp_path, frame())
    boxes = np.array([[1.0, 2.0, 11.0, 5.5]])
    seen = Tracks(STAMP_NS, 'eo', boxes, np.array([0.75]), np.array(['person']), np.array([7], np.int64))
    write_snapshot(path, frame(), CAMERA, 2.5, (far, near), seen)
    assert json.loads(path.with_suffix('.json').read_text()) == {
        'picture': path.name,
        'stamp_ns': STAMP_NS,
        'stamp_utc': '2023-11-14T22:13:20.123457+00:00',
        'frame_id': 'robot/eo_optical_frame',
        'encoding': 'bgr8',
        'zoom': 2.5,
        'detections': [{'id': 7, 'class': 'person', 'score': 0.75, 'box': [1.0, 2.0, 10.0, 3.5]}],
        'camera': {
            'width': 64,
            'height': 48,
            'focal_px': [pytest.approx(32 / np.tan(0.5))] * 2,
            'centre_px': [31.5, 23.5],  # As camera_info and OpenCV count: (0, 0) is the centre of the first pixel.
            'distortion': [],
            'fisheye': False,
        },
        'attitude': {
            'stamp_ns': STAMP_NS + 5 * MS,
            'frame_id': 'robot/eo_frame',
            'level_from_camera_wxyz': [0.6, 0.0, 0.0, 0.8],
        },
    }


def test_what_is_not_known_is_null_and_not_made_up(tmp_path):
    unknown = CameraModel(64, 48, 0.0, 0.0, 0.0, 0.0)
    path = path_of(tmp_path, frame())
    write_snapshot(path, frame(), unknown, None, (attitude(STAMP_NS - 201 * MS, 1.0),))
    beside = json.loads(path.with_suffix('.json').read_text())
    assert [beside[each] for each in ('zoom', 'camera', 'attitude', 'detections')] == [None] * 4


def test_nothing_is_written_over(tmp_path):
    first = path_of(tmp_path, frame())
    first.write_text('mine')
    second = path_of(tmp_path, frame())
    assert second.name == 'robot_eo_20231114T221320.123Z-2.png'
    second.with_suffix('.json').write_text('mine too')
    assert path_of(tmp_path, frame()).name == 'robot_eo_20231114T221320.123Z-3.png'
    with pytest.raises(RecordingError) as refused:
        write_snapshot(first, frame(), CAMERA, None, ())
    assert str(refused.value) == (
        f"The snapshot '{first}' cannot be written (File exists): make room, or name another folder in `record_dir`."
    )
    assert first.read_text() == 'mine'


def test_a_folder_that_is_gone_is_said(tmp_path):
    with pytest.raises(RecordingError) as refused:
        write_snapshot(tmp_path / 'gone' / 'it.png', frame(), CAMERA, None, ())
    assert str(refused.value) == (
        f"The snapshot '{tmp_path / 'gone' / 'it.png'}' cannot be written (No such file or directory): make room, or "
        'name another folder in `record_dir`.'
    )
