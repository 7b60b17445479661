# SPDX-License-Identifier: Apache-2.0
"""The lamp's word on a real stream against that of the clock in the same pictures: neither knows of the other."""

import json
from statistics import median

import pytest

from gremsy_camera.check import camera_check
from gremsy_camera.check.stream_figures import StreamMeasure
from gremsy_camera.trial import burned_clock

pytest_plugins = ['gremsy_camera.trial.pytest_camera']
pytestmark = pytest.mark.integration
pytest.importorskip('av', reason='needs PyAV: ./gremsy setup --extra encode')


class ReadingTheClock(StreamMeasure):
    """Keeps by how much each stamp is off the time in its picture, ms."""

    errors: list[float]

    def see(self, captured, ros_ns, monotonic_ns):
        true_us = burned_clock.read(captured.frame.image)
        if true_us is not None:
            self.errors.append(true_us * 1e-3 - captured.frame.stamp_ns * 1e-6)
        super().see(captured, ros_ns, monotonic_ns)


@pytest.fixture
def check(run_camera, tmp_path, capsys, monkeypatch):
    lamp = tmp_path / 'lamp'
    lamp.write_text('0')

    def run(**options):
        errors = []
        monkeypatch.setattr(camera_check, 'StreamMeasure', type('Reading', (ReadingTheClock,), {'errors': errors}))
        camera = run_camera(lamp=str(lamp), width=320, height=240, **options)
        assert (
            camera_check.main([camera.uri, '--seconds', '10', '--blink', str(lamp), '--json', '-p', 'reader=pyav']) == 0
        )
        return json.loads(capsys.readouterr().out), median(errors)

    return run


def test_a_camera_that_stamps_after_its_encoder_is_found_out_by_a_lamp(check):
    # x264 with its defaults holds back pictures for look-ahead and B-frames, and then the time of sending is told.
    found, true_ms = check(codec='h264-b', stamps_after_encoder=True)
    assert true_ms < -100.0
    # This camera looks at the lamp for an instant a period: what lies between, up to 33 ms, it cannot see.
    assert found['blink']['offset_ms'] == pytest.approx(true_ms, abs=12.0)
    assert found['parameters']['stamp_offset_ms'] == pytest.approx(found['blink']['offset_ms'], abs=0.06)


def test_of_a_camera_that_stamps_as_it_looks_a_lamp_says_so(check):
    found, true_ms = check()
    assert true_ms == pytest.approx(0.0, abs=5.0)
    assert found['blink']['offset_ms'] == pytest.approx(0.0, abs=12.0)
