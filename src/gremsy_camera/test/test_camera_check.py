# SPDX-License-Identifier: Apache-2.0
"""The command on sources that are all known: a recorded device, files, and a camera that sees a lamp late."""

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from gremsy_camera.camera_parameters import CameraParameters
from gremsy_camera.check import camera_check
from gremsy_camera.check.blink_delay import BlinkDelay
from gremsy_camera.check.check_report import CheckResult, advice, losses_of, rows, snippet
from gremsy_camera.check.stream_figures import StreamMeasure
from gremsy_camera.errors import SourceError
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.live.live_reader import CaptureTime, LivePicture, LiveReader, TimeBase
from gremsy_camera.live.live_source import LiveSource
from gremsy_camera.sources import v4l2 as v4l2_source
from gremsy_camera.sources.source import Captured, SourceInfo
from gremsy_common.types.frame import Frame

from .recorded_cameras import HELLO_INFRARED, RecordedDevice, RecordedSystem

MS = 1_000_000
URI = 'rtsp://admin:pa55word@10.1.2.3/eo'


@pytest.fixture
def kernel_camera(monkeypatch):
    device = RecordedDevice(HELLO_INFRARED, period_ns=100_000_000)
    system = RecordedSystem(SystemClock(), {'/dev/video0': device})
    monkeypatch.setattr(v4l2_source, 'VideoSystem', lambda: system)
    return device


def test_a_camera_is_described(kernel_camera, capsys):
    assert camera_check.main(['/dev/video0?format=GREY', '--seconds', '1']) == 0
    lines = dict(line.split('  ', 1) for line in capsys.readouterr().out.splitlines() if '  ' in line)
    shown = {name.strip(): text.strip() for name, text in lines.items()}
    assert shown['works'].startswith('yes: ')
    assert shown['image'] == '640x360 mono8'
    assert shown['codec'] == 'GREY' and shown['reader'] == 'V4L2'
    assert shown['stamp is'] == 'V4L2 buffer time (start of exposure)'
    assert shown['losses'] == 'none'


def test_the_object_holds_the_same(kernel_camera, capsys):
    arguments = ['/dev/video0?format=GREY', '--seconds', '1', '--json', '--name', 'ir', '-p', 'frozen_after_s=0']
    assert camera_check.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['works'] and found['problem'] == '' and found['frames'] >= 5
    assert found['sizes'] == ['640x360 mono8'] and found['details']['codec'] == 'GREY'
    assert found['losses'] == {} and found['frames_missing'] == 0 and found['blink'] is None
    assert found['rate_hz'] == pytest.approx(10.0, rel=0.2)
    assert found['parameters'] == {'source': '/dev/video0?format=GREY', 'frozen_after_s': 0.0}


def test_a_file_is_checked_like_a_camera(make_video, capsys):
    assert camera_check.main([str(make_video(20, 20.0)), '--seconds', '1', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['stamp_is'] == 'when the frame was due to play' and found['rate_hz'] == pytest.approx(20.0, rel=0.1)


@pytest.mark.parametrize(
    ('arguments', 'status', 'sentence'),
    [
        (['/dev/video99'], 1, 'There is no camera /dev/video99: this machine has'),
        (['/dev/null'], 2, '/dev/null is not a V4L2 device: this machine has'),
        (['/no/such.mp4'], 2, 'There is no file or folder /no/such.mp4: check the path of `source`.'),
        (['x.mp4', '-p', 'transport'], 2, '-p transport has no value: write -p NAME=VALUE, such as -p transport=udp.'),
        (['x.mp4', '-p', 'speed=1'], 2, 'There is no parameter `speed`: the parameters are autostart,'),
        (['x.mp4', '-p', 'reader=vlc'], 2, "Parameter `reader` is 'vlc': use one of auto, pyav, gstreamer, opencv."),
    ],
)
def test_what_does_not_work_is_one_sentence_and_a_status(arguments, status, sentence, capsys):
    assert camera_check.main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == '' and captured.err.startswith(sentence) and captured.err.count('\n') == 1


def test_a_wrong_command_line_ends_with_two(capsys):
    with pytest.raises(SystemExit) as raised:
        camera_check.main(['x.mp4', '--seconds', 'long'])
    assert raised.value.code == 2
    assert "give a number from 1 to 3600, not 'long'" in capsys.readouterr().err


def test_ctrl_c_shows_what_was_found_until_then(make_video):
    run = 'from gremsy_camera.check.camera_check import main; raise SystemExit(main())'
    video = str(make_video(20, 20.0))
    with subprocess.Popen(
        [sys.executable, '-c', run, video, '--seconds', '600', '--json'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONUNBUFFERED': '1'},
    ) as process:
        try:
            assert 'starts again' in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=20.0)
        finally:
            process.kill()
    assert process.returncode == 130
    assert json.loads(output)['frames'] > 0 and 'Traceback' not in errors


class LampCamera(LiveReader):
    """A camera that looks at a lamp (a file) and stamps its pictures too late; or at nothing."""

    def __init__(self, context, lamp, late_ms, base):
        super().__init__('The camera', context)
        self._lamp, self._late_ns, self._base = lamp, late_ms * MS, base
        self.info = SourceInfo(64, 36, 50.0, details=(('reader', 'made up'),))

    def open(self):
        return self.info

    def read(self, timeout_s):
        time.sleep(0.02)
        taken_ns = time.monotonic_ns()
        lit = self._lamp.read_text() not in ('0', '')
        image = np.random.default_rng(taken_ns).integers(50, 60, (36, 64, 3), np.uint8)
        image[10:13, 20:23] += np.uint8(150 * lit)
        capture = CaptureTime(taken_ns + self._late_ns, TimeBase.MONOTONIC, 'its encoder') if self._base else None
        # What has been on its way for as long as its stamp is late.
        time.sleep(max(0.0, self._late_ns / 1e9))
        return LivePicture(lambda: image, 'bgr8', 64, 36, time.monotonic_ns(), capture, None)

    def counts(self):
        return {}

    def close(self):
        pass


@pytest.fixture
def lamp_camera(monkeypatch, tmp_path):
    lamp = tmp_path / 'brightness'
    lamp.write_text('0')

    def make(late_ms, tells=True):
        monkeypatch.setattr(
            camera_check,
            'create_source',
            lambda text, context: LiveSource(LampCamera(context, lamp, late_ms, tells)),
        )
        return str(lamp)

    return make


def test_stamps_that_are_late_are_measured_with_a_lamp(lamp_camera, capsys):
    lamp = lamp_camera(40)
    assert camera_check.main([URI, '--seconds', '5', '--blink', lamp, '--json', '-p', 'stamp_offset_ms=5']) == 0
    found = json.loads(capsys.readouterr().out)
    # The 5 that it was opened with are in the stamps: -45 more.
    assert found['blink']['offset_ms'] == pytest.approx(-45.0, abs=12.0)
    assert found['parameters']['stamp_offset_ms'] == pytest.approx(-40.0, abs=12.0)
    assert found['blink']['place'] == pytest.approx([0.33, 0.32], abs=0.05)


def test_the_way_to_here_is_measured_where_the_camera_tells_nothing(lamp_camera, capsys):
    lamp = lamp_camera(40, tells=False)
    assert camera_check.main([URI, '--seconds', '5', '--blink', lamp, '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['stamp_is'] == 'arrival'
    assert found['parameters']['transport_delay_ms'] == pytest.approx(40.0, abs=12.0)
    assert 'stamp_offset_ms' not in found['parameters']


def test_a_lamp_that_cannot_be_switched_ends_it(lamp_camera, capsys):
    lamp_camera(0)
    assert camera_check.main([URI, '--seconds', '5', '--blink', '/no/lamp']) == 2
    assert capsys.readouterr().err.startswith('The lamp /no/lamp cannot be switched (No such file or directory): ')


def captured(index, stamp_ns, work_ns=5 * MS):
    return Captured(Frame(np.zeros((4, 6), np.uint8), stamp_ns, 'eo', 'mono8'), None, work_ns, None)


def test_delay_jitter_and_gaps_are_what_they_are():
    measure = StreamMeasure()
    offset_ns = 1_790_000_000_000_000_000
    # Every 40 ms, taken 30 ms before it is finished, but for two pictures that never came and one that is 10 ms late.
    for index in [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]:
        late_ns = 10 * MS if index == 9 else 0
        taken_ns = index * 40 * MS
        measure.see(
            captured(index, offset_ns + taken_ns),
            offset_ns + taken_ns + 30 * MS + late_ns,
            taken_ns + 30 * MS + late_ns,
        )
    figures = measure.figures(0.5)
    assert (figures.frames, figures.sizes) == (10, ('6x4 mono8',))
    assert figures.delay_ms_p50 == 30.0 and figures.work_ms_p50 == 5.0
    assert figures.delay_ms_p95 == pytest.approx(35.5)
    assert figures.frames_missing == 2 and figures.stamps_ahead == 0
    assert figures.longest_gap_ms == 120.0 and figures.stamp_jitter_ms_p95 == 0.0
    assert figures.jitter_ms_p95 == pytest.approx(10.0)
    assert figures.rate_hz == pytest.approx(9 / 0.44, abs=0.01)


def test_stamps_in_the_future_are_counted():
    measure = StreamMeasure()
    for index in range(4):
        measure.see(captured(index, index * 40 * MS + 9 * MS), index * 40 * MS, index * 40 * MS)
    assert measure.figures(0.2).stamps_ahead == 4


def result(**values):
    measure = StreamMeasure()
    for index in range(5):
        measure.see(captured(index, index * 40 * MS), index * 40 * MS + 30 * MS, index * 40 * MS + 30 * MS)
    info = SourceInfo(6, 4, 25.0, None, values.pop('stamp_source', 'RTCP sender reports'), values.pop('details', ()))
    parameters = CameraParameters(source=URI, **values.pop('parameters', {}))
    return CheckResult(URI, 'eo', info, measure.figures(0.2), values.pop('lost', {}), 0, '', parameters, **values)


def test_credentials_are_named_and_not_shown():
    found = result(parameters={'server_url': 'rtsp://me:secret@10.1.2.9:8554/eo', 'transport': 'tcp'})
    shown = json.dumps([rows(found), advice(found), snippet(found), camera_check.as_object(found)])
    assert 'pa55word' not in shown and 'secret' not in shown.replace('secrets_file', '') and 'admin' not in shown
    assert yaml.safe_load(snippet(found)) == {
        '/**/eo/camera': {
            'ros__parameters': {
                'source': 'rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.1.2.3/eo',
                'transport': 'tcp',
                'server_url': 'rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.1.2.9:8554/eo',
            }
        }
    }
    assert advice(found) == [
        'User name and password are not in the lines below: set CAMERA_USER and CAMERA_PASSWORD in the environment of '
        'the node, or in a file of mode 600 that `secrets_file` names.',
        'Pointing is impossible without the field of view: add `horizontal_field_deg` from the data sheet of the '
        'camera, or `calibration_file`.',
    ]
    assert len(advice(result(parameters={'horizontal_field_deg': 60.0}))) == 1


def test_what_is_missing_for_a_counted_reason_is_counted_once():
    figures = result().figures
    missing = dataclasses.replace(figures, frames_missing=5)
    counted = dataclasses.replace(result(lost={'frames dropped by the driver': 3}), figures=missing)
    assert losses_of(counted) == {
        'frames dropped by the driver': 3,
        'frames missing by their stamps, for no reason that was counted': 2,
    }
    assert losses_of(dataclasses.replace(counted, lost={'frames dropped by the driver': 5})) == {
        'frames dropped by the driver': 5
    }


def test_what_the_lamp_told_is_in_the_lines_and_a_small_offset_is_not():
    off = BlinkDelay(-281 * MS, 3 * MS, 0.97, (0.5, 0.25))
    found = result(blinked=True, blink=off)
    assert rows(found)['lamp'] == (
        'seen at 50 % across and 25 % down: stamps are off by -281.0 ms, uncertain by 3.0 ms'
    )
    assert yaml.safe_load(snippet(found))['/**/eo/camera']['ros__parameters']['stamp_offset_ms'] == -281.0
    right = result(blinked=True, blink=BlinkDelay(2 * MS, 1 * MS, 0.97, (0.5, 0.25)))
    assert 'stamp_offset_ms' not in snippet(right)


@pytest.mark.parametrize(
    ('values', 'begins'),
    [
        ({'stamp_source': 'arrival'}, 'The camera reports no capture time, so stamps are late by the time'),
        ({'blinked': True}, 'The lamp was not seen in the picture: point the camera at it,'),
        (
            {'details': (('B-frames', 'yes: they add delay'),)},
            'The stream has B-frames, which wait for later pictures:',
        ),
        ({'lost': {'packets lost': 3}}, 'Packets are lost: `transport: tcp` has them sent again.'),
    ],
)
def test_each_finding_has_its_advice(values, begins):
    assert advice(result(**values))[0].startswith(begins)


@pytest.mark.parametrize(('announced_hz', 'said'), [(25.0, False), (20.0, False), (50.0, True)])
def test_a_rate_below_the_announced_one_has_its_advice_and_a_higher_one_none(announced_hz, said):
    found = result(parameters={'horizontal_field_deg': 60.0})
    found = dataclasses.replace(found, info=dataclasses.replace(found.info, rate_hz=announced_hz))
    sentence = (
        'Only 25.0 of the announced 50.0 Hz arrive: the exposure may be too long for more, or the link or the decoder '
        'too slow.'
    )
    assert (sentence in advice(found)) is said and len(advice(found)) == 1 + said


def test_a_source_that_breaks_meanwhile_is_opened_again_and_counted(monkeypatch, capsys):
    opened = itertools.count()

    class Breaking(LampCamera):
        def open(self):
            self._reads = 0
            next(opened)
            return self.info

        def read(self, timeout_s):
            self._reads += 1
            if self._reads > 20:
                raise SourceError('The camera fell over.')
            time.sleep(0.01)
            image = np.full((36, 64, 3), self._reads, np.uint8)
            return LivePicture(lambda: image, 'bgr8', 64, 36, time.monotonic_ns(), None, None)

    monkeypatch.setattr(
        camera_check, 'create_source', lambda text, context: LiveSource(Breaking(context, None, 0, False))
    )
    camera_check.main([URI, '--seconds', '3', '--json'])
    found = json.loads(capsys.readouterr().out)
    assert found['losses']['times opened again'] >= 2 and next(opened) >= 3
