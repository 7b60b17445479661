# SPDX-License-Identifier: Apache-2.0
"""The container's health, asked of the page's real server."""

import socket
import time

import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from gremsy_bringup.deployment.health_check import ask, key_of, main
from gremsy_web.robot.robot_picture import NodeState
from src.gremsy_web.test.web_stand_ins import CONTROL_KEY, KEYS, VIEW_KEY, Stand


@pytest.fixture
def stand():
    made = Stand(KEYS)
    with made.serving() as port:
        made.url = f'http://127.0.0.1:{port}'
        yield made


def heard(stand, name, seconds_ago=0.0, level=0, message=''):
    stand.picture.on_node_state(NodeState(name, level, message, {}, time.monotonic() - seconds_ago))


def test_an_unplugged_camera_is_not_the_containers_health(stand):
    heard(stand, 'robot/eo/camera', level=2, message='No camera at /dev/video0.')
    assert ask(stand.url, VIEW_KEY, everything=False) == ''
    wrong = ask(stand.url, VIEW_KEY, everything=True)
    assert 'node robot/eo/camera: No camera at /dev/video0.' in wrong
    assert 'camera eo: No image has come yet: is the camera node running?' in wrong


def test_a_process_that_says_nothing_is(stand):
    heard(stand, 'robot/gimbal_driver', seconds_ago=10.0)
    assert ask(stand.url, CONTROL_KEY, everything=False) == (
        'node robot/gimbal_driver: It has reported nothing for 10 s: is its process running?'
    )


def test_of_one_camera_only_its_pictures_are_asked_for(stand):
    heard(stand, 'robot/gimbal_driver', seconds_ago=10.0)
    said = 'camera ir: No image has come yet: is the camera node running?'
    assert ask(stand.url, VIEW_KEY, everything=False, camera='ir') == said
    stand.picture.cameras['ir'].frames.note(time.monotonic())
    assert ask(stand.url, VIEW_KEY, everything=False, camera='ir') == ''


def test_without_a_key_it_asks_for_life_only(stand):
    heard(stand, 'robot/gimbal_driver', seconds_ago=10.0)
    assert ask(stand.url, '', everything=False) == ''
    assert ask(stand.url, '', everything=True) == 'Not ready; a key (API_KEY) would tell why.'


def test_nobody_there_and_a_stranger_there_are_said(capsys, monkeypatch):
    for name in ('GREMSY_WEB_KEY', 'GREMSY_WEB_VIEW_KEY'):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(('127.0.0.1', 0)) as free:
        url = f'http://127.0.0.1:{free.getsockname()[1]}'
    assert ask(url, '', everything=False).startswith(f'The page does not answer at {url} (')
    with pytest.raises(SystemExit) as ended:
        main(['--url', url])
    assert ended.value.code == 1
    assert capsys.readouterr().out.startswith(f'The page does not answer at {url} (')


def test_a_healthy_one_ends_with_status_0(stand, capsys, monkeypatch):
    monkeypatch.setenv('GREMSY_WEB_KEY', CONTROL_KEY)
    main(['--url', stand.url])
    assert capsys.readouterr().out == ''


def test_the_key_is_of_the_environment_or_the_secret(tmp_path):
    keys = tmp_path / 'keys'
    assert key_of({}, keys) == ''
    keys.write_text('# mine\ncontrol: "control-key-0123456789"\nview: view-key-0123456789\n')
    assert key_of({}, keys) == 'view-key-0123456789'
    keys.write_text('control: "control-key-0123456789"\n')
    assert key_of({}, keys) == 'control-key-0123456789'
    assert key_of({'GREMSY_WEB_KEY': 'of-the-environment'}, keys) == 'of-the-environment'
    keys.write_bytes(b'\xff\xfe')
    assert key_of({}, keys) == ''
