# SPDX-License-Identifier: Apache-2.0
"""The browser that the tests of a module share, and the two robots that its tabs can be before."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gremsy_web
from src.gremsy_web.test.page_visits import Visit, chromium, open_tab, why_no_browser

BUILT = Path(gremsy_web.__file__).parent / 'page'
ROBOT = Path(__file__).parent / 'page_robot' / 'fake_robot.js'
# What the server sends.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


@pytest.fixture(scope='module')
def browser() -> Iterator[Any]:
    """Debian's Chromium. A machine without it skips the test with what brings it; with `CI` set it fails."""
    wanting = why_no_browser()
    if wanting:
        (pytest.fail if os.environ.get('CI') else pytest.skip)(wanting)
    with chromium() as found:
        yield found


class PageFolder(http.server.SimpleHTTPRequestHandler):
    """The built page's files, under the policy that the real server sends."""

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def end_headers(self) -> None:
        self.send_header('Content-Security-Policy', POLICY)
        super().end_headers()


@pytest.fixture(scope='module')
def address() -> Iterator[str]:
    """Of the page's files."""
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(PageFolder, directory=str(BUILT)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f'http://127.0.0.1:{server.server_address[1]}/'
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Visit]]:
    """Opens tabs before the robot of `fake_robot.js`; at the end the console of none may have said anything.

    `before` is JavaScript about `robot`, run ahead of the page; with `expected` other than 'plays' the video is not
    waited for; the rest is Playwright's `new_context`'s.
    """
    visits: list[Visit] = []

    def start(before: str = '', expected: str = 'plays', **options: Any) -> Visit:
        scripts = [ROBOT.read_text(encoding='utf-8'), f'{{ const robot = window.fakeRobot; {before} }}']
        found = open_tab(browser, *scripts, **options)
        visits.append(found)
        found.page.goto(address)
        if expected == 'plays':
            found.plays()
        return found

    yield start
    # Before the end, at which Chromium may complain of a frame that was on its way to the page.
    complaints = [complaint for each in visits for complaint in each.complaints]
    for each in visits:
        each.page.context.close()
    assert complaints == []


@pytest.fixture
def page_stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The real server with keys, armed, with single pictures of this moment (`page_stands`)."""
    pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')
    from src.gremsy_web.test.page_stands import PageStand
    from src.gremsy_web.test.web_stand_ins import KEYS

    made = PageStand(KEYS)
    with made.serving() as made.port:
        yield made
