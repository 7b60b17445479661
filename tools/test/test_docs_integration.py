# SPDX-License-Identifier: Apache-2.0
"""The documentation builds without a warning, and can be read from its folder by a machine without a network."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gremsy_docs.site_pages import REPOSITORY, scripts
from src.gremsy_web.test.page_visits import chromium, why_no_browser

pytestmark = pytest.mark.integration


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """The site, built as `./gremsy docs` builds it: every warning of MkDocs ends it."""
    if not os.environ.get('CI'):
        pytest.importorskip('material', reason='MkDocs is not set up: run ./gremsy docs once')
        if not all(script.is_file() for script in scripts()):
            pytest.skip('what the pages run is not set up: run ./gremsy docs once')
    folder = tmp_path_factory.mktemp('docs') / 'site'
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--config-file', str(REPOSITORY / 'mkdocs.yml')]
    path = os.pathsep.join([str(REPOSITORY / 'tools'), *filter(None, [os.environ.get('PYTHONPATH')])])
    built = subprocess.run(
        [*command, '--site-dir', str(folder)],
        env={**os.environ, 'PYTHONPATH': path, 'NO_MKDOCS_2_WARNING': '1'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_the_site_builds_without_a_warning(site):
    assert (site / 'index.html').is_file()
    packages = {path.parent.name for path in (REPOSITORY / 'src').glob('*/README.md')}
    assert packages == {path.stem for path in (site / 'packages').glob('*.html')}
    assert 'MAVLink' in (site / 'reference' / 'errors.html').read_text()


def test_a_reader_without_a_network_sees_the_diagrams_and_can_search(site):
    reason = why_no_browser()
    if reason:
        assert not os.environ.get('CI'), reason
        pytest.skip(reason)
    asked = []
    with chromium() as browser:
        page = browser.new_context(viewport={'width': 1300, 'height': 900}).new_page()
        page.on('request', lambda request: asked.append(request.url))
        page.add_init_script(
            "addEventListener('unhandledrejection', event => { window.broken = String(event.reason) })"
        )
        page.goto((site / 'architecture.html').as_uri())
        # The drawing is in a shadow root that no script sees into; until it is there, the source stands as text.
        drawn = "[...document.querySelectorAll('div.mermaid')].filter(each => each.clientHeight > 150).length"
        # What mermaid cannot read stays text, and is said.
        page.wait_for_function(f'{drawn} === 2 || window.broken', timeout=60_000)
        assert page.evaluate('window.broken') is None
        page.locator('input.md-search__input').fill('deadman')
        page.wait_for_selector('.md-search-result__item a', state='attached', timeout=60_000)
    assert [url for url in asked if not url.startswith(('file:', 'blob:', 'data:'))] == []
