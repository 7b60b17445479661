# SPDX-License-Identifier: Apache-2.0
"""Discovery against answers on loopback, in the form that ONVIF's Application Programmer's Guide shows (5.2)."""

import json
import socket
import threading
import time

import pytest

from gremsy_camera.check import camera_check, camera_finding
from gremsy_camera.check.camera_finding import FoundCameras, NetworkCamera, find_network_cameras, found_lines
from gremsy_camera.v4l2.camera_list import FoundCamera

ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch>
<d:Types>dn:NetworkVideoTransmitter</d:Types>
<d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/hardware/D1-566
 onvif://www.onvif.org/name/{name} onvif://www.onvif.org/location/country/china</d:Scopes>
<d:XAddrs>{addresses}</d:XAddrs><d:MetadataVersion>10</d:MetadataVersion>
</d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"""


@pytest.fixture
def network():
    """Answers what is put into it, on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera:
        camera.bind(('127.0.0.1', 0))
        camera.settimeout(5.0)
        asked, answers = [], []

        def serve():
            data, sender = camera.recvfrom(65507)
            asked.append(data.decode())
            for answer in answers:
                camera.sendto(answer, sender)

        thread = threading.Thread(target=serve)

        def find(*given, wait_s=0.5):
            answers.extend(given)
            thread.start()
            found = find_network_cameras(camera.getsockname(), wait_s)
            thread.join(5.0)
            return found, asked[0]

        yield find


def test_a_camera_that_answers_is_found_by_its_name(network):
    answer = ANSWER.format(name='Front%20door', addresses='http://192.168.1.24/onvif/device http://[fe80::1]/onvif')
    found, asked = network(answer.encode(), answer.encode())
    assert found == [NetworkCamera('192.168.1.24', 'Front door', 'D1-566')]
    assert '<d:Types>n:NetworkVideoTransmitter</d:Types>' in asked and '/discovery/Probe</w:Action>' in asked


def test_what_is_no_answer_is_passed_over(network):
    wrong = [b'', b'\xff\xfe', b'<XAddrs></XAddrs>', b'<XAddrs>http://[::</XAddrs>', b'<' * 60_000]
    rude = ANSWER.format(name='%1b%5b2J' + 'x' * 200, addresses='http://10.0.0.7/').encode()
    found, _ = network(*wrong, rude)
    assert found == [NetworkCamera('10.0.0.7', '[2J' + 'x' * 77, 'D1-566')]


def test_nobody_answers_within_its_time(network):
    begin = time.monotonic()
    found, _ = network(wait_s=0.2)
    assert found == [] and time.monotonic() - begin < 5.0


def test_each_camera_has_a_line_that_begins_with_its_source():
    kernel = [
        FoundCamera('/dev/video0', 'HD Webcam', '/dev/v4l/by-id/usb-HD', ('MJPG to 1920x1080 at 30 Hz',)),
        FoundCamera('/dev/video2', 'Other', '/dev/video2', denied_to='video'),
    ]
    assert found_lines(FoundCameras(kernel, [NetworkCamera('10.1.2.3', 'Mast', 'D1')])) == [
        '/dev/v4l/by-id/usb-HD  HD Webcam: MJPG to 1920x1080 at 30 Hz',
        '/dev/video2  Other: no permission: sudo usermod -aG video $USER, and log in again',
        'rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.1.2.3/…  Mast D1: its path is in its manual',
    ]


def test_nothing_found_is_said_and_is_no_success(monkeypatch, capsys):
    monkeypatch.setattr(camera_finding, 'found_cameras', list)
    monkeypatch.setattr(camera_finding, 'find_network_cameras', list)
    assert camera_check.main(['--find']) == 1
    assert capsys.readouterr().out == (
        'No camera was found: neither /dev/video*, nor one that answers ONVIF discovery.\n'
    )


def test_a_machine_without_network_still_lists_its_own(monkeypatch, capsys):
    def unreachable():
        raise OSError(101, 'Network is unreachable')

    monkeypatch.setattr(camera_finding, 'found_cameras', lambda: [FoundCamera('/dev/video0', 'HD', '/dev/video0')])
    monkeypatch.setattr(camera_finding, 'find_network_cameras', unreachable)
    assert camera_check.main(['--find', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each['path'] for each in found['cameras']] == ['/dev/video0'] and found['network_cameras'] == []
    assert found['problem'] == 'The network could not be searched (Network is unreachable).'


def test_without_a_source_there_is_nothing_to_check(capsys):
    with pytest.raises(SystemExit) as raised:
        camera_check.main([])
    assert raised.value.code == 2
    assert (
        'name a source, as rtsp://... or /dev/video0, or --find the cameras that there are' in capsys.readouterr().err
    )
