# SPDX-License-Identifier: Apache-2.0
"""Every command of the API, and what is wrong with a request, without ROS."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_web.robot.robot_picture import ModelAt, NodeState
from src.gremsy_web.test.web_stand_ins import FRAME_NS, PATIENCE_S, STAMP_NS, Stand

DISARMED = 'The gimbal is disarmed: arm it first (POST /api/arm).'
NOBODY = 'Nobody holds the controls: take them first (POST /api/control/take).'
COMMANDS = {
    '/api/target': {'nearest': True},
    '/api/target/release': {},
    '/api/target/pointing': {'on': True},
    '/api/camera/setpoint_source': {'camera': 'ir'},
    '/api/gimbal/rate': {'azimuth_rad_s': 0.1, 'tilt_rad_s': 0.0},
    '/api/gimbal/attitude': {'azimuth_rad': 0.1, 'tilt_rad': 0.0},
    '/api/gimbal/look_at': {'pixel': [640.0, 360.0]},
    '/api/gimbal/home': {},
    '/api/gimbal/mode': {'mode': 'lock'},
    '/api/gimbal/zoom': {'factor': 2.0},
    '/api/gimbal/focus': {},
}


@pytest.fixture
def stand():
    made = Stand()
    made.see()
    made.arm()
    with made.client:
        yield made


def error(answer):
    content = answer.json()
    assert set(content) == {'error', 'field'}, content
    return answer.status_code, content['error'], content['field']


def test_a_body_that_is_not_called_json_is_told_the_header(stand):
    for headers in ({}, {'Content-Type': 'application/x-www-form-urlencoded'}):
        answer = stand.client.post('/api/control/take', content='{}', headers=headers)
        sentence = 'The body must be a JSON object: send it with the header `Content-Type: application/json`.'
        assert error(answer) == (422, sentence, None)


@pytest.mark.parametrize('path', COMMANDS)
def test_what_can_move_something_takes_the_lease(stand, path):
    body = {**COMMANDS[path], 'lease': 'none'}
    assert error(stand.client.post(path, json=body)) == (409, NOBODY, 'lease')
    assert error(stand.client.post(path, json=COMMANDS[path])) == (422, '`lease` is missing.', 'lease')
    assert stand.robot.asked == []
    body['lease'] = stand.take()
    answer = stand.client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert stand.robot.asked


def test_each_command_asks_the_robot_for_just_that(stand):
    lease = stand.take(name='Ann')
    for path, body in {
        **COMMANDS,
        '/api/arm': {'armed': True},
        '/api/camera/record': {'on': False, 'camera': 'ir'},
        '/api/camera/snapshot': {},
    }.items():
        leased = {} if path in ('/api/camera/record', '/api/camera/snapshot') else {'lease': lease}
        assert stand.client.post(path, json={**body, **leased}).status_code == 200
    # On a busy machine the rate is sent again before the next command comes.
    told = [each for each in dict.fromkeys(stand.robot.asked) if each != ('rate', 0.0, 0.0)]
    # Of the newest frame's middle, where the gimbal looked 0.2 rad to the left.
    look = told.pop(6)
    assert look[0] == 'look' and look[1:] == pytest.approx((0.2, 0.0), abs=1e-9)
    assert told == [
        ('select', 'eo', 'nearest'),
        ('RELEASE', 'eo', True),
        ('ENABLE', 'eo', True),
        ('set', 'gimbal_driver', 'setpoint_source', 'ir'),
        ('rate', 0.1, 0.0),
        ('point', 0.1, 0.0),
        ('HOME', '', True),
        ('LOCK', '', True),
        ('zoom', 2.0),
        ('AUTOFOCUS', '', True),
        ('ARM', '', True),
        ('RECORD', 'ir', False),
        ('SNAPSHOT', 'eo', True),
    ]


def test_a_click_is_resolved_on_the_frame_that_was_seen(stand):
    lease, post = stand.take(), stand.client.post
    first = str(STAMP_NS)
    chosen = post('/api/target', json={'lease': lease, 'camera': 'eo', 'stamp_ns': first, 'pixel': [650, 350]})
    assert chosen.json() == {'done': True, 'text': 'Chosen: 7.', 'camera': 'eo', 'id': 7}
    looked = post('/api/gimbal/look_at', json={'lease': lease, 'stamp_ns': first, 'pixel': [640, 360]})
    assert looked.json()['azimuth_rad'] == pytest.approx(0.0, abs=1e-9)
    looked = post(
        '/api/gimbal/look_at', json={'lease': lease, 'stamp_ns': str(STAMP_NS + FRAME_NS), 'pixel': [640, 360]}
    )
    assert looked.json()['azimuth_rad'] == pytest.approx(0.1, abs=1e-9)
    assert post('/api/target', json={'lease': lease, 'id': 8}).json()['id'] == 8
    assert post('/api/target', json={'lease': lease, 'class': 'person'}).json()['text'] == 'Chosen: class:person.'


def test_a_look_that_releases_ends_what_would_turn_the_gimbal_back_and_nothing_else(stand):
    stand.picture.cameras['eo'].target_state = {'state': 'tracking', 'id': 7, 'label': 'person'}
    stand.picture.cameras['ir'].target_state = {'state': 'searching', 'id': None}
    body = {'lease': stand.take(), 'pixel': [640, 360]}

    def look(**more):
        stand.robot.asked.clear()
        answer = stand.client.post('/api/gimbal/look_at', json={**body, **more}).json()
        return [each[:2] for each in stand.robot.asked if each[0] in ('look', 'RELEASE')][1:], answer['released']

    assert look() == ([], '')
    # Without a word on whose tracker the driver takes, either may be it.
    assert look(release=True) == ([('RELEASE', 'eo'), ('RELEASE', 'ir')], 'person 7, the target')
    stand.picture.control = ControlState(True, 'tracker', 'follow', setpoint_topic='/robot/eo/gimbal/setpoint')
    assert look(release=True) == ([('RELEASE', 'eo')], 'person 7')
    stand.picture.cameras['eo'].target_state = {'state': 'idle', 'id': None}
    assert look(release=True) == ([], '')
    # What is refused releases nothing.
    stand.picture.cameras['eo'].target_state = {'state': 'tracking', 'id': 7, 'label': 'person'}
    stand.robot.asked.clear()
    outside = stand.client.post('/api/gimbal/look_at', json={**body, 'pixel': [9999, 0], 'release': True})
    assert outside.status_code == 422 and stand.robot.asked == []


def test_that_pointing_is_off_is_told_with_its_reason_and_it_is_enabled_again(stand):
    target = stand.client.get('/api/tracks').json()['target']
    assert (target['enabled'], target['still_because']) == (True, '')
    why = "the gimbal's azimuth turns against what it is asked to"
    stand.picture.cameras['eo'].target_state = {'state': 'tracking', 'id': 7, 'enabled': False, 'still_because': why}
    target = stand.client.get('/api/tracks').json()['target']
    assert (target['enabled'], target['still_because']) == (False, why)
    lease = stand.take()
    for on in (True, False):
        body = {'lease': lease, 'camera': 'ir', 'on': on}
        assert stand.client.post('/api/target/pointing', json=body).json() == {'done': True, 'text': 'Done.'}
        assert stand.robot.asked[-1] == ('ENABLE', 'ir', on)


def test_a_click_counts_in_the_pixels_of_the_frame_that_was_seen(stand):
    lease, post = stand.take(), stand.client.post
    later_ns = STAMP_NS + 3 * FRAME_NS
    smaller = CameraModel.from_horizontal_field(640, 480, 1.0)
    stand.picture.cameras['eo'].models.put(ModelAt(later_ns, smaller))
    stand.picture.attitudes.put(
        GimbalAttitude(later_ns, 'robot/gimbal_camera', quaternion_from_bearing(0.3, 0.0), np.zeros(3))
    )

    def look(stamp_ns, pixel, **more):
        return post('/api/gimbal/look_at', json={'lease': lease, 'stamp_ns': str(stamp_ns), 'pixel': pixel, **more})

    # The middle of each, whatever the camera is set to now.
    assert look(STAMP_NS, [640, 360], size=[1280, 720]).json()['azimuth_rad'] == pytest.approx(0.0, abs=1e-9)
    assert look(STAMP_NS, [1200, 700]).status_code == 200
    assert look(later_ns, [320, 240], size=[640, 480]).json()['azimuth_rad'] == pytest.approx(0.3, abs=1e-9)
    refused = look(later_ns, [320, 240], size=[1280, 720])
    assert (refused.status_code, refused.json()) == (
        409,
        {'error': 'The image of camera eo is 640x480 and not 1280x720: click again.', 'field': 'size'},
    )
    assert look(later_ns, [700, 400]).json()['field'] == 'pixel'
    assert look(0, [700, 400]).status_code == 422
    told = stand.client.get('/api/tracks').json()
    assert (told['width'], told['height'], told['stamp_ns']) == (1280, 720, str(STAMP_NS + 2 * FRAME_NS))
    state = stand.client.get('/api/status').json()['cameras']
    assert (state['eo']['width'], state['eo']['height'], state['ir']['width']) == (640, 480, None)


@pytest.mark.parametrize(
    ('path', 'body', 'said'),
    [
        (
            '/api/target',
            {'pixel': [1e6, 3]},
            (422, 'Pixel (1e+06, 3) is outside the image of 1280x720 of camera eo.', 'pixel'),
        ),
        (
            '/api/target',
            {'pixel': [1000, 700]},
            (422, 'No track is at pixel (1000, 700): click on a box, or within 40 px of one.', 'pixel'),
        ),
        (
            '/api/target',
            {'pixel': [650, 350], 'stamp_ns': '1000'},
            (409, 'The frame of stamp 1000 of camera eo is gone: those of the last 2 s are kept.', 'stamp_ns'),
        ),
        (
            '/api/target',
            {'pixel': [1, 2], 'camera': 'ir'},
            (409, 'No image has come from camera ir yet: wait for its picture.', 'camera'),
        ),
        (
            '/api/target',
            {'pixel': [1, 2], 'camera': 'uv'},
            (404, "There is no camera 'uv': the cameras are eo, ir.", 'camera'),
        ),
        ('/api/target', {'id': 99}, (404, 'No track of camera eo has the id 99 now.', 'id')),
        ('/api/target', {}, (422, 'Send exactly one of `pixel`, `id`, `class` and `nearest`.', 'pixel')),
        (
            '/api/target',
            {'id': 7, 'nearest': True},
            (422, 'Send exactly one of `pixel`, `id`, `class` and `nearest`.', 'pixel'),
        ),
        ('/api/target', {'id': 7.5}, (422, '`id` cannot be used: input should be a valid integer.', 'id')),
        ('/api/target', {'id': '7'}, (422, '`id` cannot be used: input should be a valid integer.', 'id')),
        (
            '/api/target',
            {'pixel': [1]},
            (422, '`pixel` cannot be used: list should have at least 2 items after validation, not 1.', 'pixel'),
        ),
        (
            '/api/target',
            {'pixel': [1, 'a']},
            (422, '`pixel.1` cannot be used: input should be a valid number.', 'pixel.1'),
        ),
        (
            '/api/target',
            {'nearest': True, 'stamp_ns': '-1'},
            (422, '`stamp_ns` cannot be used: input should be a valid integer.', 'stamp_ns'),
        ),
        (
            '/api/gimbal/rate',
            {'azimuth_rad_s': 1e9, 'tilt_rad_s': 0},
            (422, '`azimuth_rad_s` cannot be used: input should be less than or equal to 10.', 'azimuth_rad_s'),
        ),
        (
            '/api/gimbal/rate',
            {'azimuth_rad_s': 0, 'tilt_rad_s': 0, 'ttl_s': 3600},
            (422, '`ttl_s` cannot be used: input should be less than or equal to 1.', 'ttl_s'),
        ),
        (
            '/api/gimbal/mode',
            {'mode': 'party'},
            (422, "`mode` cannot be used: input should be 'follow', 'lock' or 'off'.", 'mode'),
        ),
        (
            '/api/gimbal/zoom',
            {'factor': True},
            (422, '`factor` cannot be used: input should be a valid number.', 'factor'),
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_asked_of_the_robot(stand, path, body, said):
    before = len(stand.robot.asked)
    assert error(stand.client.post(path, json={**body, 'lease': stand.take()})) == said
    assert len(stand.robot.asked) == before


@pytest.mark.parametrize(
    ('content', 'status', 'sentence'),
    [
        (b'{"lease": ', 400, 'The body is not JSON: Expecting value.'),
        (b'\xff\xfe\x00', 400, None),
        (b'[' * 30_000, 400, None),
        (b'null', 422, None),
        (b'"text"', 422, None),
        (b'', 422, 'The body is missing: send a JSON object.'),
        (b'{"lease": "x", "factor": NaN}', 422, '`factor` cannot be used: input should be a finite number.'),
        (b'{"lease": "x", "factor": -Infinity}', 422, '`factor` cannot be used: input should be a finite number.'),
        (b'{"lease": "x", "factor": 1e999}', 422, '`factor` cannot be used: input should be a finite number.'),
        (
            b'{"lease": "x", "factor": 2, "extra": 1}',
            422,
            'There is no field `extra` here: /docs lists the fields.',
        ),
        (
            b'{"lease": "' + b'x' * 200 + b'", "factor": 2}',
            422,
            '`lease` cannot be used: string should have at most 128 characters.',
        ),
    ],
)
def test_a_body_that_is_none_ends_in_a_sentence(stand, content, status, sentence):
    answer = stand.client.post('/api/gimbal/zoom', content=content, headers={'content-type': 'application/json'})
    said = error(answer)
    assert said[0] == status, said
    if sentence is not None:
        assert said[1] == sentence


def test_a_disarmed_gimbal_says_so_and_disarming_takes_no_lease(stand):
    stand.picture.control = type(stand.picture.control)(False, 'nobody')
    lease = stand.take()
    for path in ('/api/gimbal/rate', '/api/gimbal/attitude', '/api/gimbal/look_at'):
        body = {**COMMANDS[path], 'lease': lease}
        assert error(stand.client.post(path, json=body)) == (409, DISARMED, None)
    assert error(stand.client.post('/api/arm', json={'armed': True})) == (
        409,
        'an operator at 127.0.0.1 holds the controls, not this lease: take them over first.',
        'lease',
    )
    assert stand.client.post('/api/arm', json={'armed': False}).status_code == 200
    assert stand.robot.asked == [('ARM', '', False)]


def test_what_the_robot_refuses_or_does_not_answer_is_said(stand):
    lease = stand.take()
    stand.robot.refusal = 'Not armed: no telemetry.'
    assert error(stand.client.post('/api/arm', json={'armed': True, 'lease': lease})) == (
        409,
        'Not armed: no telemetry.',
        None,
    )
    stand.robot.away = True
    assert error(stand.client.post('/api/gimbal/stop')) == (
        503,
        'The service gimbal_driver/stop is not there: is its node running?',
        None,
    )


def test_a_lease_that_was_not_used_in_time_is_over():
    stand = Stand(lease_s=0.2)
    with stand.client:
        lease = stand.take()
        stand.client.post('/api/gimbal/rate', json={'lease': lease, 'azimuth_rad_s': 0.1, 'tilt_rad_s': 0, 'ttl_s': 1})
        deadline = time.monotonic() + PATIENCE_S
        while stand.client.get('/api/status').json()['control']['holder'] is not None:
            assert time.monotonic() < deadline
        assert error(stand.client.post('/api/gimbal/home', json={'lease': lease})) == (409, NOBODY, 'lease')
        # Nobody needs to take over from somebody who is gone.
        assert stand.take() != lease


def test_the_controls_are_taken_over_only_when_that_is_said(stand):
    first = stand.take(name='Ann\n\x00 of the crew')
    refused = stand.client.post('/api/control/take', json={})
    assert error(refused) == (
        409,
        'Ann of the crew holds the controls: ask for them, or send `take_over`: true.',
        'lease',
    )
    second = stand.take(take_over=True, name='Ben')
    assert error(stand.client.post('/api/gimbal/home', json={'lease': first})) == (
        409,
        'Ben holds the controls, not this lease: take them over first.',
        'lease',
    )
    assert stand.client.get('/api/status').json()['control'] == {'holder': 'Ben', 'you': False}
    assert stand.client.post('/api/control/give', json={'lease': second}).status_code == 200
    assert error(stand.client.post('/api/control/give', json={'lease': second})) == (409, NOBODY, 'lease')
    assert error(stand.client.post('/api/control/take', json={'live': 'none'})) == (
        404,
        'There is no live socket with that number: open /api/live first.',
        'live',
    )


def test_what_is_known_is_told(stand):
    tracks = stand.client.get('/api/tracks').json()
    assert (tracks['stamp_ns'], tracks['width'], tracks['height']) == (str(STAMP_NS + 2 * FRAME_NS), 1280, 720)
    assert tracks['tracks'][0] == {'id': 7, 'class': 'person', 'score': 0.9, 'box': [600.0, 300.0, 100.0, 120.0]}
    assert error(stand.client.get('/api/tracks?camera=ir')) == (
        503,
        'Nothing has been tracked by camera ir yet.',
        'camera',
    )
    assert [each['name'] for each in stand.client.get('/api/cameras').json()] == ['eo', 'ir']
    gimbal = stand.client.get('/api/gimbal').json()
    assert (gimbal['azimuth_rad'], gimbal['armed']) == (pytest.approx(0.2), True)
    assert stand.client.get('/api/nodes').json() == []
    jpeg = stand.client.get('/video/eo/jpeg')
    assert (jpeg.headers['content-type'], jpeg.headers['x-gremsy-stamp']) == ('image/jpeg', str(STAMP_NS))
    assert error(stand.client.get('/video/ir/jpeg'))[0] == 503
    assert error(stand.client.get('/video/uv/jpeg')) == (
        404,
        "There is no video 'uv': there are eo, eo_overlay, ir, ir_overlay.",
        'path',
    )


def test_a_snapshot_is_a_frame_and_what_was_seen_in_that_very_frame(stand):
    post = stand.client.post
    # Frames come of -1, 1 and 2; tracks are known of 0, 1 and 2.
    kept = post('/api/camera/snapshot', json={'camera': 'eo'}).json()
    stamp_ns = STAMP_NS + FRAME_NS
    assert (kept['stamp_ns'], kept['width'], kept['height']) == (str(stamp_ns), 1280, 720)
    assert kept['detections'] == [
        {'id': 7, 'class': 'person', 'score': 0.9, 'box': [600.0, 300.0, 100.0, 120.0]},
        {'id': 8, 'class': 'car', 'score': 0.9, 'box': [100.0, 100.0, 60.0, 140.0]},
    ]
    assert (kept['on_robot'], kept['text'], kept['not_seen_because']) == (True, 'Done.', '')
    picture = stand.client.get(kept['picture'])
    assert (picture.headers['content-type'], picture.content) == ('image/jpeg', b'picture of %d' % stamp_ns)
    # Without a detector the newest frame; without room on the robot's disk it is here all the same.
    stand.robot.stills, stand.robot.away = [1], True
    kept = post('/api/camera/snapshot', json={}).json()
    assert (kept['stamp_ns'], kept['detections']) == ('1', None)
    assert kept['not_seen_because'].startswith('No detections came for this frame')
    assert (kept['on_robot'], kept['text']) == (
        False,
        'The service {camera}/camera/snapshot is not there: is its node running?',
    )
    for number in range(2, 10):
        stand.robot.stills = [number]
        assert post('/api/camera/snapshot', json={}).status_code == 200
    assert stand.client.get('/api/camera/snapshot/eo/9.jpg').content == b'picture of 9'
    gone = 'This snapshot is gone: the last eight are kept.'
    assert error(stand.client.get(kept['picture'])) == (404, gone, 'name')
    assert error(stand.client.get('/api/camera/snapshot/uv/..%2f9.jpg'))[0] == 404
    assert error(post('/api/camera/snapshot', json={'camera': 'ir'})) == (
        503,
        'No picture comes from ir: is its camera running?',
        'camera',
    )


def test_what_the_camera_says_of_its_recording_is_told(stand):
    def told():
        return stand.client.get('/api/status').json()['cameras']['eo']['recording']

    assert told() is None
    rows = {
        'recording': 'going on',
        'recording to': 'a.mp4, a.mcap',
        'recording length (s)': '12.5',
        'recording size (MB)': '3.1',
    }
    stand.picture.on_node_state(NodeState('eo/camera', 0, '', rows, 0.0))
    assert told() == {'on': True, 'text': 'going on', 'to': 'a.mp4, a.mcap', 'seconds': 12.5, 'megabytes': 3.1}
    stand.picture.on_node_state(NodeState('eo/camera', 0, '', {'recording': 'none; last: a.mp4'}, 0.0))
    assert told() == {'on': False, 'text': 'none; last: a.mp4', 'to': '', 'seconds': None, 'megabytes': None}


def test_an_address_that_is_none_and_a_method_that_is_not_possible(stand):
    assert error(stand.client.get('/api/none')) == (
        404,
        'There is nothing at this address: /docs lists the addresses.',
        None,
    )
    assert error(stand.client.get('/api/gimbal/stop')) == (
        405,
        'GET is not possible at this address: /docs lists what is possible.',
        None,
    )


def test_the_description_loads_nothing_from_elsewhere(stand):
    page = stand.client.get('/docs').text
    assert '/api/gimbal/look_at' in page
    assert not re.search(r'https?://|<script', page)


def test_a_page_that_was_built_is_served_and_one_that_was_not_says_how(tmp_path):
    from starlette.testclient import TestClient

    from gremsy_web.http.web_application import make_application

    stand = Stand()
    (tmp_path / 'index.html').write_text('<!doctype html>the page')
    (tmp_path / 'app.js').write_text('1')
    client = TestClient(make_application(stand.web, tmp_path), base_url='http://127.0.0.1', client=('127.0.0.1', 1))
    assert client.get('/').text == '<!doctype html>the page'
    assert client.get('/app.js').status_code == 200
    assert client.get('/../web_application.py').status_code == 404
    assert client.get('/%2e%2e/web_application.py').status_code == 404
    bare = TestClient(make_application(stand.web, tmp_path / 'none'), base_url='http://127.0.0.1')
    assert bare.get('/').status_code == 503
    assert bare.get('/').text.startswith('The operator page is not built')


def test_settings_are_told_by_the_nodes_and_changed_by_who_holds_the_controls(stand):
    unknown = error(stand.client.get('/api/settings?node=eo/tracker'))
    assert unknown == (404, "There is no node 'eo/tracker': there are none.", 'node')
    stand.picture.on_node_state(NodeState('eo/tracker', 0, '', {}, 0.0))
    (told,) = stand.client.get('/api/settings?node=eo/tracker').json()
    assert told == {
        'name': 'gain_per_s',
        'type': 'float',
        'value': 2.0,
        'description': 'How quick.',
        'constraints': '',
        'read_only': False,
        'low': 0.0,
        'high': 10.0,
        'unit': '',
        'choices': [],
        'default': None,
    }
    change = {'node': 'eo/tracker', 'name': 'gain_per_s', 'value': 3}
    assert error(stand.client.post('/api/settings', json={**change, 'lease': 'none'})) == (409, NOBODY, 'lease')
    change['lease'] = stand.take()
    assert stand.client.post('/api/settings', json=change).status_code == 200
    assert stand.robot.asked == [('set', 'eo/tracker', 'gain_per_s', 3.0)]
    assert isinstance(stand.robot.asked[0][3], float)
    assert error(stand.client.post('/api/settings', json={**change, 'name': 'none'})) == (
        404,
        "The node eo/tracker has no parameter 'none'.",
        'name',
    )
    assert error(stand.client.post('/api/settings', json={**change, 'value': {'a': 1}}))[0] == 422


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_body_makes_a_fault_of_the_server(stand, data):
    """Anything in every field of every command: an answer in words, and never 500."""
    path = data.draw(
        st.sampled_from([*COMMANDS, '/api/arm', '/api/control/take', '/api/camera/record', '/api/session'])
    )
    fields = {'lease', 'camera', 'stamp_ns', 'pixel', 'id', 'class', 'armed', 'on', 'take_over', 'ttl_s', 'key', 'live'}
    body = {**COMMANDS.get(path, {})}
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(fields | set(body))), ANYTHING, max_size=4))
    content = json.dumps({**body, 'lease': stand.take(take_over=True), **changed}).encode('utf-8', 'surrogatepass')
    answer = stand.client.post(path, content=content, headers={'content-type': 'application/json', 'x-gremsy': '1'})
    assert answer.status_code < 500 or answer.status_code == 503, (path, body, changed, answer.text)
    if answer.status_code >= 400:
        assert answer.json()['error'].endswith('.')
