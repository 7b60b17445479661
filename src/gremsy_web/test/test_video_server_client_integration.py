# SPDX-License-Identifier: Apache-2.0
"""Video by way of our own origin: through the built-in video server, and through MediaMTX where one is on PATH."""

from __future__ import annotations

import threading

import httpx
import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from .test_video_answers_integration import FRAGMENT, OFFER, UNKNOWN, offer_of
from .video_rig import KnownPublisher, built_in, eventually, mediamtx
from .web_stand_ins import KEYS, VIEW_KEY, Stand

pytestmark = pytest.mark.integration


@pytest.fixture(scope='module', params=['built-in', 'mediamtx'])
def server(request, tmp_path_factory):
    one = built_in() if request.param == 'built-in' else mediamtx(tmp_path_factory.mktemp('mediamtx'))
    with one as running:
        yield running


@pytest.fixture
def front(server):
    """Our server before it; with keys, so that a viewer's is needed."""
    stand = Stand(KEYS, video_url=server.whep, video_api_url=server.control)
    with stand.serving() as port:
        stand.url = f'http://127.0.0.1:{port}/video'
        stand.headers = {'Authorization': f'Bearer {VIEW_KEY}'}
        yield stand


def test_who_watches_makes_the_encoder_begin_and_has_a_session_under_our_address(server, front):
    offer = offer_of()
    assert httpx.post(f'{front.url}/eo/whep', content=offer, headers=OFFER).status_code == 401
    published = []

    def encoder():
        # As the encoder does: it begins when it hears that somebody watches.
        eventually(lambda: ('watch', 'eo') in front.robot.asked)
        published.append(KnownPublisher(server, 'eo'))

    thread = threading.Thread(target=encoder)
    thread.start()
    answer = httpx.post(f'{front.url}/eo/whep', content=offer, headers={**OFFER, **front.headers}, timeout=20)
    thread.join(20)
    with published[0]:
        assert answer.status_code == 201, answer.text
        assert answer.headers['content-type'] == 'application/sdp'
        assert answer.text.startswith('v=0')
        location = answer.headers['location']
        assert location.startswith('/video/eo/whep/')
        assert ('watch', 'eo key') in front.robot.asked
        assert answer.headers['x-gremsy-video-times'] == 'stamp'
        session = f'{front.url.removesuffix("/video")}{location}'
        patched = httpx.patch(session, headers={**FRAGMENT, **front.headers}, content='')
        assert patched.status_code in (204, 400), patched.text
        before = front.robot.asked.count(('watch', 'eo'))
        eventually(lambda: front.robot.asked.count(('watch', 'eo')) >= before + 2)
        assert front.web.picture.video_server is None
        assert httpx.delete(session, headers=front.headers).status_code == 200
        again = httpx.delete(session, headers=front.headers)
        assert (again.status_code, again.json()) == (
            404,
            {'error': 'The video server answered 404: session not found.', 'field': None},
        )


def test_errors_are_in_our_form(server, front):
    def ask(method, path, headers=None, content=''):
        answer = httpx.request(
            method, f'{front.url}{path}', headers={**front.headers, **(headers or {})}, content=content, timeout=20
        )
        return answer.status_code, answer.json()['error']

    assert ask('POST', '/uv/whep', OFFER, 'v=0') == (
        404,
        "There is no video 'uv': there are eo, eo_overlay, ir, ir_overlay.",
    )
    assert ask('POST', '/eo/whep', {'Content-Type': 'text/plain'}, 'v=0') == (
        415,
        'The body must be an SDP offer: send `Content-Type: application/sdp`.',
    )
    # Waited for, in vain.
    assert ask('POST', '/ir/whep', OFFER, 'v=0') == (
        404,
        "The video server answered 404: no stream is available on path 'ir'.",
    )
    assert ask('DELETE', f'/eo/whep/{UNKNOWN}') == (404, 'The video server answered 404: session not found.')
    assert ask('DELETE', '/eo/whep/..%2f..%2fv3')[0] == 404
    assert ask('PUT', '/eo/whep') == (405, 'PUT is not possible at this address: /docs lists what is possible.')


def test_a_video_server_that_is_away_is_said():
    stand = Stand(video_url='http://127.0.0.1:9', video_api_url='http://127.0.0.1:9')
    with stand.serving() as port:
        answer = httpx.post(f'http://127.0.0.1:{port}/video/eo/whep', content='v=0', headers=OFFER, timeout=20)
        assert (answer.status_code, answer.json()['error']) == (
            503,
            'The video server does not answer: it is being started again, or `video_url` is wrong.',
        )
        eventually(lambda: 'it does not answer at http://127.0.0.1:9: ' in str(stand.web.picture.video_server))
