# SPDX-License-Identifier: Apache-2.0
"""Page server, driver and simulated payload as they run on a robot; what happened is read from the payload's truth."""

from __future__ import annotations

import re
import sys
import threading
import time

import cv2
import httpx
import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from sensor_msgs.msg import CompressedImage

from gremsy_common.ros import topics
from gremsy_common.ros.messages.camera_info_messages import StampedCamera
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from src.gremsy_gimbal_driver.test.ros_bench import Process, approx, scene
from src.gremsy_web.test.web_stand_ins import Talk

pytestmark = pytest.mark.integration

PATIENCE_S = 30.0


class Web:
    """The node's process, and requests to it."""

    def __init__(self, stage):
        self.stage = stage
        words = (
            '--ros-args',
            '-r',
            '__ns:=/robot',
            '-p',
            'port:=0',
            '-p',
            'lease_s:=60.0',
            '-p',
            'video_api_url:=http://127.0.0.1:9',
        )
        self.process = Process(stage.folder / 'web.log', sys.executable, '-m', 'gremsy_web.web_node', *words)
        self.until(lambda: re.search(r'The page is at http://127\.0\.0\.1:(\d+)/', self.process.said))
        self.port = int(re.search(r'127\.0\.0\.1:(\d+)/', self.process.said)[1])
        self.http = httpx.Client(base_url=f'http://127.0.0.1:{self.port}', timeout=10.0)

    def until(self, true):
        deadline = time.monotonic() + PATIENCE_S
        while not (value := true()):
            assert time.monotonic() < deadline, self.process.said
            time.sleep(0.02)
        return value

    def post(self, path, status=200, **body):
        answer = self.http.post(f'/api/{path}', json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def gimbal(self):
        return self.http.get('/api/gimbal').json()

    def hears_driver(self):
        return 'gimbal_driver' in [each['name'] for each in self.http.get('/api/nodes').json()]

    def warning(self):
        parts = self.http.get('/health/ready').json()['parts']
        return next(each['warning'] for each in parts if each['name'] == 'node web')

    def take(self):
        return self.post('control/take', take_over=True)['lease']

    def arm(self, lease):
        self.until(lambda: self.http.post('/api/arm', json={'armed': True, 'lease': lease}).status_code == 200)
        self.until(lambda: self.gimbal()['armed'])


@pytest.fixture(scope='module')
def web(tmp_path_factory):
    with scene(tmp_path_factory.mktemp('web')) as stage:
        stage.start()
        made = Web(stage)
        try:
            yield made
            made.process.end()
        finally:
            made.process.kill()
        stage.end()


def test_what_the_robot_says_is_told(web):
    web.until(lambda: web.gimbal()['azimuth_rad'] is not None and web.gimbal()['limits'])
    assert web.gimbal()['limits'] == {'azimuth': [-3.0, 3.0], 'tilt': [-0.7854, 1.5708]}
    web.until(web.hears_driver)
    parts = {each['name']: each['ready'] for each in web.http.get('/health/ready').json()['parts']}
    assert parts['node gimbal_driver'] and parts['gimbal link']
    assert not parts['camera eo'] and not parts['video server']
    assert 'gremsy_ready{part="gimbal link"} 1' in web.http.get('/metrics').text
    # The test's own user could ask for rates beside it, which is no matter while the page asks for none.
    web.until(lambda: 'The video server cannot be used' in web.warning())
    assert 'is also published' not in web.warning()


class NumberedFrames:
    """Twenty frames a second as grey as their number; every third is seen 80 ms later, with a box at its number."""

    def __init__(self, node):
        self._node = node
        self._camera = CameraModel.from_horizontal_field(64, 48, 1.0)

        def publisher(topic):
            return node.create_publisher(topic.message_type, f'eo/{topic.name}', 10)

        self._topics = (topics.IMAGE_COMPRESSED, topics.CAMERA_INFO, topics.TRACKS)
        self._picture, self._info, self._tracks = (publisher(each) for each in self._topics)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        seen, number = [], 0
        while not self._end.wait(0.05):
            number = (number + 1) % 16
            now = self._node.get_clock().now()
            _, jpeg = cv2.imencode('.jpg', np.full((48, 64, 3), 16 * number, np.uint8))
            picture = CompressedImage(format='bgr8; jpeg compressed bgr8', data=jpeg.tobytes())
            picture.header.stamp = now.to_msg()
            self._picture.publish(picture)
            self._info.publish(topics.CAMERA_INFO.to_message(StampedCamera(now.nanoseconds, 'eo', self._camera)))
            if number % 3 == 0:
                seen.append((time.monotonic() + 0.08, now.nanoseconds, number))
            while seen and seen[0][0] <= time.monotonic():
                _, stamp_ns, of = seen.pop(0)
                box = np.array([[of, 2.0, of + 10.0, 12.0]])
                tracks = Tracks(stamp_ns, 'eo', box, np.ones(1), np.array(['person']), np.array([of], np.int64))
                self._tracks.publish(topics.TRACKS.to_message(tracks))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()
        for each in (self._picture, self._info, self._tracks):
            self._node.destroy_publisher(each)


def test_a_snapshot_shows_the_frame_that_its_detections_are_of(web):
    with NumberedFrames(web.stage.user.node):
        web.until(lambda: web.http.get('/api/tracks').status_code == 200)
        for _ in range(3):
            kept = web.post('camera/snapshot')
            picture = web.http.get(kept['picture']).content
            pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
            number = round(float(pixels.mean()) / 16)
            assert [each['id'] for each in kept['detections']] == [number]
            assert kept['detections'][0]['box'] == [number, 2.0, 10.0, 10.0]
            assert (kept['width'], kept['height']) == (64, 48) == pixels.shape[1::-1]
            assert not kept['on_robot'] and 'eo/camera/snapshot is not there' in kept['text']


def test_settings_are_the_nodes_own(web):
    lease = web.take()
    web.until(web.hears_driver)
    told = web.http.get('/api/settings?node=gimbal_driver')
    assert told.status_code == 200, told.text
    settings = {each['name']: each for each in told.json()}
    ttl = settings['time_to_live_s']
    assert (ttl['type'], ttl['value'], ttl['low'], ttl['high']) == ('float', 0.2, 0.05, 2.0)
    assert ttl['description'] == 'How long a rate command moves the gimbal after its arrival.'
    assert (ttl['unit'], ttl['default'], ttl['read_only'], ttl['constraints']) == ('s', 0.2, True, '0.05 .. 2')
    assert (settings['mode']['choices'], settings['mode']['read_only']) == (['follow', 'lock', 'mapping'], False)
    fixed = web.post('settings', 409, lease=lease, node='gimbal_driver', name='time_to_live_s', value=1)
    assert '`time_to_live_s`' in fixed['error']
    web.post('settings', lease=lease, node='gimbal_driver', name='mode', value='lock')
    refused = web.post('settings', 409, lease=lease, node='gimbal_driver', name='mode', value='party')
    assert refused['error'] == "Parameter `mode` is 'party': use one of follow, lock, mapping."
    web.post('settings', lease=lease, node='gimbal_driver', name='mode', value='follow')


def test_a_rate_moves_the_gimbal_for_its_time_to_live_and_a_goal_is_reached(web):
    payload, lease = web.stage.payload, web.take()
    web.post('gimbal/stop')
    web.until(lambda: not web.gimbal()['armed'])
    web.post('gimbal/rate', 409, lease=lease, azimuth_rad_s=0.5, tilt_rad_s=0.0)
    web.arm(lease)
    before = payload.angles[0]
    web.post('gimbal/rate', lease=lease, azimuth_rad_s=0.5, tilt_rad_s=0.0, ttl_s=0.6)
    web.until(lambda: payload.speed > 0.3)
    web.until(lambda: payload.speed < 2e-3)
    # 0.5 rad/s for 0.6 s, and no more than the driver's own time to live (0.2 s) beyond.
    assert 0.1 < payload.angles[0] - before < 0.45
    web.until(lambda: 'is also published by /robot/user' in web.warning())
    web.post('gimbal/attitude', lease=lease, azimuth_rad=0.3, tilt_rad=-0.2)
    web.until(lambda: payload.angles == approx((0.3, -0.2), 0.03) and payload.speed < 2e-3)
    web.post('gimbal/home', lease=lease)
    web.until(lambda: payload.angles == approx((0.0, 0.0), 0.03) and payload.speed < 2e-3)
    web.post('gimbal/zoom', lease=lease, factor=2.0)
    web.until(lambda: web.gimbal()['zoom'] == pytest.approx(2.0, abs=0.1))
    web.post('gimbal/mode', lease=lease, mode='lock')
    web.until(lambda: web.gimbal()['mode'] == 'lock')
    web.post('gimbal/mode', lease=lease, mode='follow')


def test_a_stop_of_anybody_ends_a_drag_of_another(web):
    payload, lease = web.stage.payload, web.take()
    web.arm(lease)
    with Talk(web.port) as driver, Talk(web.port) as other:
        driver.say('take', take_over=True)
        driver.until('control')
        driver.say('rate', azimuth_rad_s=-0.5, tilt_rad_s=0.0)
        while payload.speed < 0.3:
            driver.say('rate', azimuth_rad_s=-0.5, tilt_rad_s=0.0)
            time.sleep(0.03)
        other.say('stop')
        assert other.until('done')['for'] == 'stop'
        # The drag goes on being sent; a gimbal that was stopped is disarmed, so it moves nothing any more.
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            driver.say('rate', azimuth_rad_s=-0.5, tilt_rad_s=0.0)
            time.sleep(0.03)
        assert payload.speed < 2e-3
        assert web.gimbal()['armed'] is False


def test_who_vanishes_in_mid_drag_stops_the_gimbal(web):
    payload, lease = web.stage.payload, web.take()
    web.arm(lease)
    driver = Talk(web.port)
    driver.say('take', take_over=True)
    driver.until('control')
    while payload.speed < 0.3:
        driver.say('rate', azimuth_rad_s=0.5, tilt_rad_s=0.0)
        time.sleep(0.03)
    assert payload.speed > 0.3
    driver.vanish()
    web.until(lambda: payload.speed < 2e-3)
    web.until(lambda: web.http.get('/api/status').json()['control']['holder'] is None)
    # It may move again for the next one, armed as it is.
    assert web.gimbal()['armed'] is True


def test_the_server_that_ends_leaves_the_gimbal_at_rest_and_a_driver_that_is_gone_is_said(web):
    payload, lease = web.stage.payload, web.take()
    web.arm(lease)
    web.post('gimbal/rate', lease=lease, azimuth_rad_s=0.3, tilt_rad_s=0.0, ttl_s=1.0)
    web.until(lambda: payload.speed > 0.2)
    web.stage.node.end()
    web.until(
        lambda: (
            web.http.post('/api/gimbal/stop').json()
            == {'error': 'The service gimbal_driver/stop is not there: is its node running?', 'field': None}
        )
    )
    web.until(lambda: payload.speed < 2e-3)
    answer = web.http.get('/health/ready')
    assert answer.status_code == 503
    web.stage.add_node(next(iter(payload.uris.values())))
    web.until(lambda: web.http.post('/api/gimbal/stop').status_code == 200)
