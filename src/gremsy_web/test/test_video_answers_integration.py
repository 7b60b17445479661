# SPDX-License-Identifier: Apache-2.0
"""The answers of the built-in video server are MediaMTX's. What is expected here was seen from MediaMTX 1.20.1; where
one is on PATH, it is asked the same questions."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .video_rig import KnownPublisher, Server, Viewer, built_in, eventually, mediamtx, offer_of

pytestmark = pytest.mark.integration

OFFER = {'Content-Type': 'application/sdp'}
FRAGMENT = {'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*'}
UNKNOWN = '6f0c8f56-7b04-4c30-a8b9-5ab0dbb3ad4d'


@pytest.fixture(scope='module', params=['built-in', 'mediamtx'])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = built_in() if request.param == 'built-in' else mediamtx(tmp_path_factory.mktemp('mediamtx'))
    with one as running, KnownPublisher(running, 'eo'):
        eventually(lambda: httpx.get(f'{running.control}/v3/paths/get/eo').status_code == 200)
        yield running


def ask(
    server: Server, method: str, path: str, headers: dict[str, str] | None = None, body: str = ''
) -> httpx.Response:
    return httpx.request(method, f'{server.whep}{path}', headers=headers, content=body)


@pytest.mark.parametrize(
    ('method', 'path', 'headers', 'body', 'status', 'error'),
    [
        ('POST', '/no/whep', OFFER, 'v=0', 404, "no stream is available on path 'no'"),
        ('POST', '/eo/whep', {'Content-Type': 'text/plain'}, 'v=0', 400, 'invalid Content-Type'),
        ('POST', '/eo/whep', {}, '', 400, 'invalid Content-Type'),
        (
            'POST',
            '/e%20o/whep',
            OFFER,
            'v=0',
            400,
            'invalid path name: can contain only alphanumeric characters, underscore, dot, minus, slash (e o)',
        ),
        ('GET', '/eo/whep', {}, '', 405, 'method not allowed'),
        ('PUT', '/eo/whep', {}, '', 405, 'method not allowed'),
        ('PATCH', f'/eo/whep/{UNKNOWN}', FRAGMENT, '', 404, 'session not found'),
        ('PATCH', '/eo/whep/x', FRAGMENT, '', 400, 'invalid secret'),
        ('PATCH', f'/eo/whep/{UNKNOWN}', {'Content-Type': 'text/plain'}, '', 400, 'invalid Content-Type'),
        ('DELETE', f'/eo/whep/{UNKNOWN}', {}, '', 404, 'session not found'),
        ('DELETE', '/eo/whep/x', {}, '', 400, 'invalid secret'),
    ],
)
def test_refusals_are_those_of_mediamtx(server, method, path, headers, body, status, error):
    answer = ask(server, method, path, headers, body)
    assert (answer.status_code, answer.json()) == (status, {'status': 'error', 'error': error})
    assert answer.headers['Content-Type'] == 'application/json; charset=utf-8'


@pytest.mark.parametrize('body', ['garbage', 'v=0\r\nnonsense', 'v=', '\x00\xff', 'v=0\r\nm=video'])
def test_an_offer_that_is_none_is_refused(server, body):
    answer = ask(server, 'POST', '/eo/whep', OFFER, body)
    assert answer.status_code == 400
    assert answer.json()['status'] == 'error'
    assert answer.json()['error']


def test_an_offer_without_h264_is_refused(server):
    answer = ask(server, 'POST', '/eo/whep', OFFER, offer_of('video/VP8'))
    assert (answer.status_code, answer.json()['error']) == (400, 'codecs not supported by client')


@pytest.mark.parametrize(('method', 'path'), [('GET', f'/eo/whep/{UNKNOWN}'), ('POST', '/'), ('GET', '/favicon.ico')])
def test_other_addresses_are_not_found(server, method, path):
    assert ask(server, method, path).status_code == 404


@pytest.mark.parametrize('method', ['PUT', 'DELETE', 'POST'])
def test_the_control_api_takes_no_other_method(server, method):
    assert httpx.request(method, f'{server.control}/v3/paths/list').status_code in (404, 405)


def test_a_preflight_is_told_methods_and_headers(server):
    answer = ask(server, 'OPTIONS', '/eo/whep', {'Origin': 'http://x', 'Access-Control-Request-Method': 'POST'})
    assert (answer.status_code, answer.content) == (204, b'')
    assert answer.headers['Access-Control-Allow-Methods'] == 'OPTIONS, GET, POST, PATCH, DELETE'
    assert answer.headers['Access-Control-Allow-Headers'] == 'Authorization, Content-Type, If-Match'


def test_options_say_what_may_be_posted(server):
    answer = ask(server, 'OPTIONS', '/eo/whep')
    assert (answer.status_code, answer.headers['Accept-Post']) == (204, 'application/sdp')
    assert answer.headers['Access-Control-Expose-Headers'] == 'Accept-Post, Link'


def test_a_session_from_its_offer_to_its_end(server):
    answer = ask(server, 'POST', '/eo/whep?who=me', {'Content-Type': 'application/sdp; charset=utf-8'}, offer_of())
    assert (answer.status_code, answer.headers['Content-Type']) == (201, 'application/sdp')
    assert (answer.headers['ETag'], answer.headers['Accept-Patch']) == ('*', 'application/trickle-ice-sdpfrag')
    assert answer.headers['Access-Control-Expose-Headers'] == 'ETag, ID, Accept-Patch, Link, Location'
    assert uuid.UUID(answer.headers['ID'])
    place = re.fullmatch(r'(/eo/whep/([0-9a-f-]{36}))\?who=me', answer.headers['Location'])
    assert place is not None, answer.headers['Location']
    assert place[2] != answer.headers['ID']
    # All addresses are there at once, and it only sends.
    assert 'a=candidate:' in answer.text
    assert 'a=sendonly' in answer.text
    assert 'H264/90000' in answer.text
    assert 'VP8' not in answer.text
    readers = httpx.get(f'{server.control}/v3/paths/get/eo').json()['readers']
    fragment = 'a=ice-ufrag:x\r\na=ice-pwd:y\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n'
    candidate = 'a=candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host\r\n'
    if server.name == 'built-in':
        # MediaMTX counts a reader from when it is connected; here one that is still connecting is one already, so that
        # the publisher begins at once.
        assert readers == [{'type': 'webRTCSession', 'id': answer.headers['ID']}]
        # MediaMTX has ended sessions whose candidates come with another ufrag.
        assert ask(server, 'PATCH', place[1], FRAGMENT, fragment + candidate).status_code == 204
        assert ask(server, 'PATCH', place[1], FRAGMENT, fragment + 'a=candidate:x\r\n').status_code == 400
    deleted = ask(server, 'DELETE', place[1])
    assert (deleted.status_code, deleted.json()) == (200, {'status': 'ok'})
    again = ask(server, 'DELETE', place[1])
    assert (again.status_code, again.json()['error']) == (404, 'session not found')
    assert httpx.get(f'{server.control}/v3/paths/get/eo').json()['readers'] == []


def test_the_control_api_tells_of_a_path(server):
    path = httpx.get(f'{server.control}/v3/paths/get/eo').json()
    assert (path['name'], path['available'], path['ready'], path['online']) == ('eo', True, True, True)
    assert path['source']['type'] == 'rtspSession'
    assert path['tracks'] == ['H264']
    assert path['tracks2'][0]['codec'] == 'H264'
    assert path['inboundBytes'] > 0
    assert path['inboundFramesInError'] == 0
    assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d', path['availableTime'])
    listed = httpx.get(f'{server.control}/v3/paths/list').json()
    assert (listed['itemCount'], listed['pageCount']) == (1, 1)
    assert [each['name'] for each in listed['items']] == ['eo']


def test_the_control_api_knows_no_other_path(server):
    answer = httpx.get(f'{server.control}/v3/paths/get/no')
    assert (answer.status_code, answer.json()) == (404, {'status': 'error', 'error': 'path not found'})
    answer = httpx.get(f'{server.control}/v3/paths/list?itemsPerPage=0')
    assert (answer.status_code, answer.json()) == (400, {'status': 'error', 'error': 'invalid items per page'})


@pytest.fixture(scope='module')
def own_server() -> Iterator[Server]:
    options = ('--most-viewers', '3', '--ice-server', 'stun:stun.example:3478', '--ice-host', '203.0.113.7')
    with built_in(*options) as one, KnownPublisher(one, 'eo'):
        eventually(lambda: httpx.get(f'{one.control}/v3/paths/get/eo').status_code == 200)
        yield one


def test_no_foreign_page_may_read_the_answers(own_server):
    for method in ('OPTIONS', 'POST', 'GET'):
        answer = ask(own_server, method, '/eo/whep', {'Origin': 'http://evil.example', **OFFER}, 'x')
        assert 'Access-Control-Allow-Origin' not in answer.headers


@pytest.mark.parametrize('where', ['whep', 'control'])
def test_a_name_that_begins_to_mean_this_machine_is_refused(own_server, where):
    path = {'whep': '/eo/whep', 'control': '/v3/paths/list'}[where]
    for host, status in (('evil.example', 400), ('localhost', 200), ('127.0.0.1', 200)):
        method = 'OPTIONS' if where == 'whep' else 'GET'
        answer = httpx.request(method, f'{getattr(own_server, where)}{path}', headers={'Host': f'{host}:8889'})
        assert answer.status_code == (204 if (where, status) == ('whep', 200) else status)


def test_a_page_that_was_named_may(own_server):
    with built_in('--allow-origin', 'http://page.example') as server:
        answer = ask(server, 'POST', '/eo/whep', {'Origin': 'http://page.example', **OFFER}, 'x')
        assert answer.headers['Access-Control-Allow-Origin'] == 'http://page.example'
        answer = ask(server, 'POST', '/eo/whep', {'Origin': 'http://evil.example', **OFFER}, 'x')
        assert 'Access-Control-Allow-Origin' not in answer.headers


def test_viewers_are_told_the_servers_and_addresses_that_were_named(own_server):
    answer = ask(own_server, 'POST', '/eo/whep', OFFER, offer_of())
    assert answer.headers['Link'] == '<stun:stun.example:3478>; rel="ice-server"'
    own = re.search(r'a=candidate:\S+ 1 udp \d+ (?!127\.|203\.)[\d.]+ (\d+) typ host', answer.text)
    assert own is None or f' 203.0.113.7 {own[1]} typ host' in answer.text
    ask(own_server, 'DELETE', answer.headers['Location'])


def test_one_viewer_too_many_is_told_so(own_server):
    offer = offer_of()
    places = [ask(own_server, 'POST', '/eo/whep', OFFER, offer).headers['Location'] for _ in range(3)]
    answer = ask(own_server, 'POST', '/eo/whep', OFFER, offer)
    assert (answer.status_code, answer.json()['error']) == (
        503,
        '3 viewers are connected already: close one, or allow more.',
    )
    for place in places:
        assert ask(own_server, 'DELETE', place).status_code == 200


def test_a_body_that_never_ends_is_cut_off(own_server):
    answer = ask(own_server, 'POST', '/eo/whep', OFFER, 'v=0\r\n' + 'a=x\r\n' * 100_000)
    assert (answer.status_code, answer.json()['error']) == (413, 'the body is longer than 131072 bytes')


_OFFER = offer_of()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_offer_is_answered_or_refused_and_leaves_nothing(own_server, data):
    lines = _OFFER.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        change = data.draw(st.sampled_from(['drop', 'cut', 'twice', 'word']))
        if change == 'drop':
            lines.pop(index)
        elif change == 'cut':
            lines[index] = lines[index][: data.draw(st.integers(0, len(lines[index])))]
        elif change == 'twice':
            lines.insert(index, lines[index])
        else:
            lines[index] = lines[index].rpartition(' ')[0] + ' ' + data.draw(st.sampled_from(['', '-1', 'x', '9' * 30]))
    answer = ask(own_server, 'POST', '/eo/whep', OFFER, '\r\n'.join(lines) + '\r\n')
    assert answer.status_code in (201, 400), answer.text
    if answer.status_code == 201:
        assert ask(own_server, 'DELETE', answer.headers['Location']).status_code == 200
    else:
        assert answer.json()['error']
    assert httpx.get(f'{own_server.control}/v3/paths/get/eo').json()['readers'] == []


def test_a_viewer_sees_pictures(server):
    async def see() -> None:
        viewer = await Viewer(server, 'eo').open()
        await viewer.until(lambda: len(viewer.decoded) > 10)
        await viewer.close()

    asyncio.run(see())
