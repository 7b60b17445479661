# SPDX-License-Identifier: Apache-2.0
"""The README's tables say what there is: commands and who may send them, addresses of the video server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from gremsy_docs.generated_pages import openapi
from gremsy_web.http.request_bodies import RateBody
from gremsy_web.video_server.video_server_options import VideoServerOptions
from tools.test.document_tables import names, rows

DOCUMENT = 'src/gremsy_web/README.md'
# Who comes in, and who watches.
NO_COMMANDS = {'/api/session', '/video/{path}/whep'}


def commands() -> dict[str, tuple[str, str]]:
    """Columns by path; `/api/control/take`, `give` are two."""
    found = {}
    for first, lease, what in rows(DOCUMENT, '## What is where'):
        path = ''
        for name in names(first):
            path = name.removeprefix('POST ') if '/' in name else f'{path.rpartition("/")[0]}/{name}'
            found[path] = (lease, what)
    return found


def test_the_commands_are_those_of_the_api_and_take_the_lease_as_it_does():
    api = openapi()
    posts = {path: ways['post'] for path, ways in api['paths'].items() if 'post' in ways}
    told = commands()
    assert set(told) == set(posts) - NO_COMMANDS
    for path, (lease, _) in told.items():
        body = posts[path].get('requestBody', {}).get('content', {}).get('application/json', {}).get('schema', {})
        schema = api['components']['schemas'].get(str(body.get('$ref', '')).rpartition('/')[2], {})
        if path.startswith('/api/control/'):
            asked = ''  # it is the lease that these are about
        elif 'lease' in schema.get('properties', {}):
            asked = 'yes' if 'lease' in schema.get('required', ()) else 'to arm'
        else:
            asked = 'no'
        assert lease == asked, path


def test_the_time_to_live_of_a_rate_is_that_of_the_source():
    ttl_s = RateBody.model_fields['ttl_s']
    (longest_s,) = (each.le for each in ttl_s.metadata if hasattr(each, 'le'))
    assert f'({ttl_s.default:g} s, at most {longest_s:g} s)' in commands()['/api/gimbal/rate'][1]


def test_the_addresses_of_the_video_server_are_its_defaults():
    told = [
        (url.hostname, url.port)
        for row in rows(DOCUMENT, '## The built-in video server')
        for url in [urlsplit(names(row[0])[0])]
    ]
    options = VideoServerOptions()
    assert told == [(each.host, each.port) for each in (options.rtsp, options.whep, options.control)]
