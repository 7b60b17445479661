# SPDX-License-Identifier: Apache-2.0
"""Keys, tokens, cookies, origins: who comes in, and that nobody else learns anything."""

from __future__ import annotations

import json
import logging
import time

import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from gremsy_web.access import access_keys
from gremsy_web.access.access_keys import AccessKeys, KeyFileError, Role, keys_from
from gremsy_web.access.request_guard import RateLimit
from src.gremsy_web.test.web_stand_ins import CONTROL_KEY, KEYS, VIEW_KEY, Stand

WRONG = 'The key is missing or wrong: send it as `Authorization: Bearer KEY`, or sign in on the page.'
PAGE = {'X-Gremsy': '1'}


def bearer(key):
    return {'Authorization': f'Bearer {key}'}


@pytest.fixture
def kept():
    stand = Stand(KEYS)
    with stand.client:
        yield stand


def test_each_key_has_its_role_and_nothing_near_it_has():
    keys = keys_from({**KEYS, 'GREMSY_WEB_PUBLISH_KEY': 'publish-key-of-the-test'})
    assert [keys.role_of_key(key) for key in (CONTROL_KEY, VIEW_KEY, 'publish-key-of-the-test')] == [
        Role.CONTROL,
        Role.VIEW,
        Role.PUBLISH,
    ]
    for wrong in ('', CONTROL_KEY[:-1], CONTROL_KEY + 'x', CONTROL_KEY.upper(), '\ud800', 'x' * 100_000):
        assert keys.role_of(wrong, 0.0) is None
    assert CONTROL_KEY not in repr(keys)


def test_a_token_is_good_until_its_time_and_for_its_role_only():
    keys = keys_from(KEYS)
    token = keys.token(Role.VIEW, 1000.0)
    assert keys.role_of(token, 999.0) is Role.VIEW
    assert keys.role_of(token, 1000.0) is None
    payload, _, signature = token.partition('.')
    forged = AccessKeys(keys.digests, b'another').token(Role.CONTROL, 1000.0)
    for wrong in (
        payload,
        f'{payload}.',
        f'.{signature}',
        f'{payload}x.{signature}',
        forged,
        '.',
        f'{token}=',
        'a.b.c',
    ):
        assert keys.role_of(wrong, 0.0) is None, wrong
    assert keys_from({'GREMSY_WEB_KEY': 'another-key-of-the-test'}).role_of(token, 0.0) is None


def test_without_any_key_no_token_is_good():
    open_keys = keys_from({})
    assert open_keys.role_of(open_keys.token(Role.CONTROL, 1e12), 0.0) is None


@pytest.mark.parametrize(
    ('text', 'mode', 'sentence'),
    [
        (
            'control: 0123456789abcdef\n',
            0o644,
            'The keys in {path} can be read by others on this machine: run chmod 600 {path}.',
        ),
        (
            'control: short\n',
            0o600,
            '`control` of {path} is a key of 5 characters: use 16 or more, as `openssl rand -hex 16` makes them.',
        ),
        ('', 0o600, 'The keys file {path} holds no keys: write lines such as `control: KEY`.'),
        ('- a\n', 0o600, 'The keys file {path} holds no keys: write lines such as `control: KEY`.'),
        ('control: [', 0o600, 'The keys file {path} is not YAML: write lines such as `control: KEY`.'),
        (
            'control: 1234567890123456\n',
            0o600,
            'The keys file {path} has an entry that is not a key: use `control`, `view` and `publish`, each with a '
            'text (in quotes where it is all digits).',
        ),
        (
            'admin: 0123456789abcdef\n',
            0o600,
            'The keys file {path} has an entry that is not a key: use `control`, `view` and `publish`, each with a '
            'text (in quotes where it is all digits).',
        ),
    ],
)
def test_a_keys_file_that_cannot_be_used_ends_in_a_sentence(tmp_path, text, mode, sentence):
    path = tmp_path / 'keys.yaml'
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(KeyFileError) as caught:
        keys_from({}, str(path))
    assert str(caught.value) == sentence.format(path=path)


def test_a_keys_file_gives_keys_and_one_that_is_not_there_says_so(tmp_path):
    path = tmp_path / 'keys.yaml'
    path.write_text('control: key-out-of-the-file\n')
    path.chmod(0o600)
    assert keys_from({}, str(path)).role_of_key('key-out-of-the-file') is Role.CONTROL
    with pytest.raises(KeyFileError, match='cannot be read'):
        keys_from({}, str(tmp_path / 'none.yaml'))


def test_everything_but_health_and_the_page_needs_the_key(kept):
    paths = [
        path for path in kept.client.get('/openapi.json', headers=bearer(VIEW_KEY)).json()['paths'] if '{' not in path
    ]
    for path in [*paths, '/docs', '/openapi.json', '/video/eo/jpeg', '/video/eo/whep', '/api/nothing']:
        answer = kept.client.get(path)
        if path in ('/health', '/health/ready', '/api/session'):
            assert answer.status_code in (200, 503)
        else:
            assert (answer.status_code, answer.json()) == (401, {'error': WRONG, 'field': None}), path
    assert kept.client.get('/health/ready').json() == {'ready': False}
    assert 'parts' in kept.client.get('/health/ready', headers=bearer(VIEW_KEY)).json()


def test_a_wrong_key_and_none_have_the_same_answer(kept):
    answers = [
        kept.client.get('/api/status', headers=headers)
        for headers in (
            {},
            bearer('wrong'),
            bearer(CONTROL_KEY[:-1]),
            {'Authorization': f'Basic {CONTROL_KEY}'},
            bearer(''),
        )
    ]
    assert {(each.status_code, each.text) for each in answers} == {(401, answers[0].text)}


class Counted:
    """A module whose functions are written down when they are called."""

    def __init__(self, module, done):
        self.module, self.done = module, done

    def __getattr__(self, function):
        def call(*given, **more):
            self.done.append(function)
            return getattr(self.module, function)(*given, **more)

        return call


def test_a_wrong_key_takes_the_same_work_whatever_is_wrong_with_it(monkeypatch):
    """Work is counted: times on a busy machine say nothing."""
    keys, done = keys_from(KEYS), []
    token = keys.token(Role.CONTROL, 2e9)
    for name in ('hmac', 'hashlib'):
        monkeypatch.setattr(access_keys, name, Counted(getattr(access_keys, name), done))
    wrong = ('', 'wrong', CONTROL_KEY[:-1], 'x' + CONTROL_KEY[1:], CONTROL_KEY.upper(), token.swapcase(), token + 'A')
    work = set()
    for each in wrong:
        done.clear()
        assert keys.role_of(each, 1e9) is None
        work.add(tuple(done))
    assert len(work) == 1, work
    # Every key and the signature, one after another, whichever was nearest.
    assert work.pop().count('compare_digest') == len(keys.digests) + 1


def test_wrong_keys_end_in_a_wait_and_a_good_one_still_comes_in(kept):
    statuses = [kept.client.get('/api/status', headers=bearer(f'wrong {number}')).status_code for number in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[-1] == 429
    assert kept.client.get('/api/status', headers=bearer(CONTROL_KEY)).status_code == 200


def test_who_may_only_look_may_stop_but_not_move(kept):
    assert kept.client.get('/api/gimbal', headers=bearer(VIEW_KEY)).status_code == 200
    refused = kept.client.post('/api/control/take', json={}, headers=bearer(VIEW_KEY))
    assert (refused.status_code, refused.json()['error']) == (
        403,
        'This key may only view: use one with the role `control`.',
    )
    assert kept.client.post('/api/gimbal/stop', headers=bearer(VIEW_KEY)).status_code == 200
    assert kept.robot.asked == [('STOP', '', True)]


def test_the_page_signs_in_once_and_its_cookie_needs_its_header(kept):
    refused = kept.client.post('/api/session', json={'key': 'wrong'}, headers=PAGE)
    assert (refused.status_code, refused.json()) == (401, {'error': WRONG, 'field': 'key'})
    signed = kept.client.post('/api/session', json={'key': CONTROL_KEY}, headers=PAGE)
    assert signed.json() == {'role': 'control'}
    cookie = signed.headers['set-cookie']
    assert 'HttpOnly' in cookie and 'SameSite=strict' in cookie and CONTROL_KEY not in cookie
    assert kept.client.get('/api/status').status_code == 200
    forged = kept.client.post('/api/control/take', json={})
    assert forged.status_code == 403
    assert (
        forged.json()['error'] == 'A request with a cookie needs the header `X-Gremsy: 1`, which only our page sends.'
    )
    assert kept.client.post('/api/control/take', json={}, headers=PAGE).status_code == 200
    kept.client.delete('/api/session', headers=PAGE)
    assert kept.client.get('/api/status').status_code == 401


@pytest.mark.parametrize(
    'origin', ['http://evil.example', 'null', '', 'http://[::1', 'http://127.0.0.1:80', 'https://evil.example:6783']
)
def test_the_page_of_another_site_gets_nothing_done(kept, origin):
    answer = kept.client.post('/api/gimbal/stop', headers={**bearer(CONTROL_KEY), 'Origin': origin})
    assert answer.status_code == 403
    assert 'access-control-allow-origin' not in answer.headers
    assert kept.robot.asked == []
    own = kept.client.post('/api/gimbal/stop', headers={**bearer(CONTROL_KEY), 'Origin': 'http://127.0.0.1:6783'})
    assert own.status_code == 200


@pytest.mark.parametrize('order', [1, -1])
def test_a_foreign_origin_beside_our_own_gets_nothing_done(kept, order):
    origins = ['http://127.0.0.1:6783', 'http://evil.example'][::order]
    headers = [*bearer(CONTROL_KEY).items(), *(('Origin', origin) for origin in origins)]
    assert kept.client.post('/api/gimbal/stop', headers=headers).status_code == 403


def test_of_several_keys_the_last_counts(kept):
    right, wrong = bearer(CONTROL_KEY)['Authorization'], 'Bearer wrong'
    for keys, status in (((wrong, right), 200), ((right, wrong), 401)):
        headers = [('Authorization', key) for key in keys]
        assert kept.client.get('/api/status', headers=headers).status_code == status, keys


@pytest.mark.parametrize(
    ('host', 'status'),
    [
        ('localhost:1', 200),
        ('[::1]:6783', 200),
        ('127.0.0.1', 200),
        ('evil.example', 403),
        ('', 403),
        ('127.0.0.1.evil.example', 403),
        ('[', 403),
        ('[::1', 403),
    ],
)
def test_without_a_key_only_this_machine_by_its_own_name_comes_in(host, status):
    stand = Stand()
    with stand.client:
        assert stand.client.get('/api/gimbal', headers={'Host': host}).status_code == status


def test_every_answer_carries_the_headers_that_keep_the_page_to_itself(kept):
    for path in ('/health', '/api/status', '/nothing'):
        headers = kept.client.get(path).headers
        assert headers['x-content-type-options'] == 'nosniff'
        assert "default-src 'self'" in headers['content-security-policy']


def test_no_secret_is_logged(kept, caplog):
    caplog.set_level(logging.DEBUG)
    kept.client.post('/api/session', json={'key': CONTROL_KEY}, headers=PAGE)
    kept.client.get('/api/status', headers=bearer(VIEW_KEY))
    assert CONTROL_KEY not in caplog.text and VIEW_KEY not in caplog.text


def test_a_huge_body_and_one_that_claims_to_be_are_refused(kept):
    sentence = 'The body is larger than 65536 bytes, which is the limit.'
    huge = json.dumps({'key': 'x' * 70_000})
    for content in (huge, iter([huge.encode()[:40_000], huge.encode()[40_000:]])):
        answer = kept.client.post('/api/gimbal/zoom', content=content, headers=bearer(CONTROL_KEY))
        assert (answer.status_code, answer.json()) == (413, {'error': sentence, 'field': None})


def test_an_address_that_asks_too_often_waits():
    stand = Stand(requests_per_s=5.0)
    # However slow this machine is, nothing fills up meanwhile.
    stand.web.requests._per_s = 0.0
    with stand.client:
        statuses = [stand.client.get('/health').status_code for _ in range(15)]
        assert statuses[:10] == [200] * 10
        assert statuses[-1] == 429
        assert stand.client.post('/api/gimbal/home', json={'lease': 'x'}).status_code == 429
        # The stop goes through all the same.
        assert [stand.client.post('/api/gimbal/stop').status_code for _ in range(5)] == [200] * 5
    assert stand.robot.asked == [('STOP', '', True)] * 5


def test_the_buckets_fill_again_and_are_forgotten_with_their_addresses():
    limit = RateLimit(2.0, 3.0)
    assert [limit.allows('a', 0.0) for _ in range(4)] == [True, True, True, False]
    assert limit.allows('b', 0.0)
    assert [limit.allows('a', 0.5), limit.allows('a', 0.5)] == [True, False]
    for number in range(5000):
        limit.allows(str(number), 1.0)
    assert len(limit._buckets) == 4096


def test_media_server_asks_for_its_publishers_and_readers():
    def asks(stand, **body):
        given = {'ip': '127.0.0.1', 'user': '', 'password': '', 'token': '', 'path': 'eo', 'id': None, **body}
        return stand.client.post('/api/video/auth', json=given).status_code

    stand = Stand({**KEYS, 'GREMSY_WEB_PUBLISH_KEY': 'publish-key-of-the-test'})
    with stand.client:
        # First without anything, as RTSP asks twice: that must be refused.
        assert asks(stand, action='publish') == 401
        assert asks(stand, action='publish', password=CONTROL_KEY) == 401
        assert asks(stand, action='publish', password='publish-key-of-the-test') == 204
        assert asks(stand, action='read') == 401
        assert asks(stand, action='read', token='publish-key-of-the-test') == 401
        assert asks(stand, action='read', token=stand.web.keys.token(Role.VIEW, time.time() + 60.0)) == 204
        assert ('watch', 'eo') in stand.robot.asked
        assert asks(stand, action='api') == 204
        assert asks(stand, action='api', ip='10.0.0.9') == 401
    stand = Stand()
    with stand.client:
        assert asks(stand, action='publish') == 204
        assert asks(stand, action='publish', ip='10.0.0.9') == 401
        assert asks(stand, action='read') == 204
