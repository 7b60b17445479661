# SPDX-License-Identifier: Apache-2.0
"""docker/compose.sim.yaml from outside, as browsers and other machines see it: health, page, API, video, its end.

Started by Docker, where that is there, and by buildah; or one that runs already, named by GREMSY_STACK_URL and, where
it has a key, GREMSY_STACK_KEY, which is not ended. That one may be a robot, and its gimbal is turned.
"""

import asyncio
import itertools
import json
import os
import time

import httpx
import pytest
from websockets.sync.client import connect

from gremsy_common.claims import domain_claim
from tools.test.stacks import Stack, by_buildah, by_docker, why_no_docker

av = pytest.importorskip('av', reason='the viewer decodes with it: ./gremsy setup --extra encode,web')
from src.gremsy_web.test.video_rig import Server, Viewer

URL = os.environ.get('GREMSY_STACK_URL')
PATIENCE_S = 90.0

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(1800)]


@pytest.fixture(scope='module', params=['running'] if URL else ['docker', 'buildah'])
def stack(request, tmp_path_factory):
    if request.param == 'running':
        yield Stack((URL.rstrip('/'),), os.environ.get('GREMSY_STACK_KEY', ''), None)
        return
    with domain_claim() as domain:
        if request.param == 'buildah':
            builder, image = request.getfixturevalue('builder'), request.getfixturevalue('sim_image')
            with by_buildah(builder, image, domain, tmp_path_factory.mktemp('stack')) as running:
                yield running
            return
        reason = why_no_docker()
        if reason:
            pytest.skip(reason)
        with by_docker(domain) as running:
            yield running


@pytest.fixture
def api(stack):
    headers = {'Authorization': f'Bearer {stack.key}'} if stack.key else {}
    with httpx.Client(base_url=stack.origins[0], headers=headers, trust_env=False, timeout=10.0) as client:
        yield client


def until(true, why=lambda: ''):
    """What it returns as soon as that is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := true()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.2)
    return found


def did(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_all_of_it_gets_ready(api):
    assert did(api.get('/health'))
    until(lambda: api.get('/health/ready').status_code == 200, lambda: api.get('/health/ready').text)
    parts = {part['name'] for part in did(api.get('/health/ready'))['parts']}
    assert {'camera eo', 'detector eo', 'gimbal link', 'video server'} <= parts


def test_each_port_has_the_whole_page(stack, api):
    pages = [httpx.get(f'{origin}/', trust_env=False) for origin in stack.origins]
    assert {page.status_code for page in pages} == {200}
    assert len({page.text for page in pages}) == 1 and '<html' in pages[0].text
    for origin in stack.origins:
        assert did(httpx.get(f'{origin}/api/status', headers=api.headers, trust_env=False))['robot']
        assert 'javascript' in httpx.get(f'{origin}/page.js', trust_env=False).headers['content-type']


def test_who_has_no_key_learns_that_it_lives_and_no_more(stack):
    if not stack.key:
        pytest.skip('It has no key.')
    with httpx.Client(base_url=stack.origins[0], trust_env=False) as stranger:
        assert stranger.get('/health').status_code == 200
        assert 'parts' not in stranger.get('/health/ready').json()
        for path in ('/api/status', '/api/tracks', '/video/eo/jpeg', '/metrics'):
            assert stranger.get(path).status_code == 401, path
        assert stranger.post('/api/control/take', json={}).status_code == 401


def test_the_numbers_are_there_for_prometheus(api):
    text = api.get('/metrics').text
    assert 'gremsy_ready 1' in text and 'gremsy_gimbal_armed' in text


def test_the_video_comes_by_whep(stack, api):
    async def watch():
        server = Server('the stack', 0, f'{stack.origins[0]}/video', '', 0)
        viewer = await Viewer(server, 'eo', dict(api.headers)).open()
        try:
            assert viewer.status == 201, viewer.error
            await viewer.until(lambda: len(viewer.decoded) >= 30, PATIENCE_S)
        finally:
            ended = await viewer.close()
        return viewer.decoded, ended

    decoded, ended = asyncio.run(watch())
    assert ended in (200, 204)
    assert all(later > before for before, later in itertools.pairwise(decoded))


def test_a_picture_comes_without_whep(api):
    picture = api.get('/video/eo/jpeg')
    assert picture.status_code == 200 and picture.content.startswith(b'\xff\xd8')
    assert int(picture.headers['x-gremsy-stamp']) > 0


def test_tracks_come_live_each_of_a_later_image(stack):
    address = stack.origins[-1].replace('http', 'ws', 1)
    with connect(f'{address}/api/live', proxy=None) as socket:
        socket.send(json.dumps({'type': 'auth', 'key': stack.key}))
        stamps = []
        deadline = time.monotonic() + PATIENCE_S
        while len(stamps) < 10:
            assert time.monotonic() < deadline
            message = json.loads(socket.recv(timeout=PATIENCE_S))
            if message['type'] == 'tracks':
                assert message['camera'] == 'eo'
                stamps.append(int(message['stamp_ns']))
    assert all(later > before for before, later in itertools.pairwise(stamps))


def test_it_turns_by_hand_and_rests_when_it_is_stopped(api):
    lease = did(api.post('/api/control/take', json={'take_over': True}))['lease']
    before = did(api.get('/api/gimbal'))['azimuth_rad']
    did(api.post('/api/arm', json={'lease': lease, 'armed': True}))
    until(lambda: did(api.get('/api/gimbal'))['armed'])

    def turned():
        did(api.post('/api/gimbal/rate', json={'lease': lease, 'azimuth_rad_s': 0.3, 'tilt_rad_s': 0.0, 'ttl_s': 1.0}))
        return did(api.get('/api/gimbal'))['azimuth_rad'] > before + 0.1

    until(turned)
    did(api.post('/api/gimbal/stop', json={}))
    until(lambda: not did(api.get('/api/gimbal'))['armed'])
    # A gimbal has mass; after that it stays where it is.
    until(lambda: abs(did(api.get('/api/gimbal'))['rate'][0]) < 0.01)
    rests = did(api.get('/api/gimbal'))['azimuth_rad']
    time.sleep(1.0)
    assert did(api.get('/api/gimbal'))['azimuth_rad'] == pytest.approx(rests, abs=0.005)
    did(api.post('/api/control/give', json={'lease': lease}))


def test_it_follows_whom_the_operator_chooses(api):
    def follows():
        seen = did(api.get('/api/tracks'))
        if not seen['tracks']:
            return False
        # The last one, since the suite takes the nearest by itself.
        number = seen['tracks'][-1]['id']
        lease = did(api.post('/api/control/take', json={'take_over': True}))['lease']
        if api.post('/api/target', json={'lease': lease, 'id': number}).status_code == 404:
            # Gone meanwhile.
            return False
        time.sleep(0.5)
        target = did(api.get('/api/tracks'))['target']
        return target['id'] == number and target['state'] == 'tracking'

    until(follows, lambda: api.get('/api/tracks').text)


def test_what_is_asked_wrongly_is_answered_in_a_sentence(api):
    answer = api.post('/api/gimbal/rate', json={'azimuth_rad_s': 1e9})
    assert answer.status_code == 422 and set(answer.json()) == {'error', 'field'}
    assert api.get('/api/nothing').json()['error']


def test_it_ends_when_it_is_told_to(stack):
    """Last in this file: what `docker compose stop` and a boot do."""
    if stack.end is None:
        pytest.skip('Somebody else runs it.')
    ended = stack.end()
    assert set(ended) == {'mediamtx', 'gremsy', 'web-ui'}
    # 137: it did not hear, and was killed.
    assert ended['gremsy'] == 0 and 137 not in ended.values(), ended
    with pytest.raises(httpx.ConnectError):
        httpx.get(f'{stack.origins[0]}/health', trust_env=False)
