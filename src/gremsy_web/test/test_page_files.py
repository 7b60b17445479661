# SPDX-License-Identifier: Apache-2.0
"""How the page's files go out: compressed, kept as long as they may be, under a policy with nothing inline."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

import gremsy_web
from src.gremsy_web.test.web_stand_ins import Stand

BUILT = Path(gremsy_web.__file__).parent / 'page'
BUILD = (BUILT / 'build.txt').read_text(encoding='ascii').strip()


@pytest.fixture
def client() -> Iterator:
    stand = Stand()
    with stand.client:
        yield stand.client


def test_what_is_named_by_its_build_is_kept_for_good_and_the_rest_is_asked_about(client) -> None:
    kept = {path: client.get(path).headers['cache-control'] for path in ('/', '/page.js', '/icon.svg')}
    assert kept == dict.fromkeys(kept, 'no-cache')
    for path in ('/page.js', '/page.css'):
        assert client.get(f'{path}?{BUILD}').headers['cache-control'] == 'public, max-age=31536000, immutable'
        # Another page's name, as after an update: what comes is ours, and must not be kept as that one's.
        assert client.get(f'{path}?0123456789ab').headers['cache-control'] == 'no-cache'


def test_the_page_loads_its_parts_by_the_name_of_the_build(client) -> None:
    loaded = re.findall(r'(?:src|href)="([^"]+)"', client.get('/').text)
    assert sorted(loaded) == ['icon.svg', f'page.css?{BUILD}', f'page.js?{BUILD}']


def test_a_page_that_has_not_changed_is_not_sent_again(client) -> None:
    tag = client.get('/').headers['etag']
    answer = client.get('/', headers={'If-None-Match': tag})
    assert (answer.status_code, answer.content, answer.headers['cache-control']) == (304, b'', 'no-cache')


@pytest.mark.parametrize('name', ['index.html', 'page.js', 'page.css'])
def test_files_are_compressed_for_who_takes_it(client, name: str) -> None:
    content = (BUILT / name).read_bytes()
    with client.stream('GET', f'/{name}', headers={'Accept-Encoding': 'gzip'}) as answer:
        raw = b''.join(answer.iter_raw())
        headers = dict(answer.headers)
    assert headers['content-encoding'] == 'gzip' and headers['vary'] == 'Accept-Encoding'
    assert gzip.decompress(raw) == content and len(raw) < len(content)
    plain = client.get(f'/{name}', headers={'Accept-Encoding': 'identity'})
    assert 'content-encoding' not in plain.headers and plain.content == content


def test_what_only_some_may_see_is_in_no_cache(client) -> None:
    for path in ('/api/status', '/metrics', '/docs', '/openapi.json', '/api/nothing'):
        assert client.get(path).headers['cache-control'] == 'no-store'


def test_nothing_inline_is_allowed_but_the_style_of_the_description_by_its_digest(client) -> None:
    policy = client.get('/').headers['content-security-policy']
    assert policy == (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    docs = client.get('/docs')
    (style,) = re.findall(r'<style>(.*?)</style>', docs.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert docs.headers.get_list('content-security-policy') == [
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ]
