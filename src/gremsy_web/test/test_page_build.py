# SPDX-License-Identifier: Apache-2.0
"""The committed page is what its sources give, is small, and needs nothing from anywhere else."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import gremsy_web

SOURCES = Path(__file__).parents[1] / 'page'
BUILT = Path(gremsy_web.__file__).parent / 'page'
# What the page may weigh on its way to a phone at a robot's own access point.
MOST_BYTES = 150_000


@pytest.fixture
def tools() -> None:
    """What the sources are built with. A machine without it skips the test; with `CI` set it fails."""
    if shutil.which('node') is None or not (SOURCES / 'node_modules').is_dir():
        wanting = 'Needs ./gremsy setup --extra page, and npm ci in src/gremsy_web/page.'
        (pytest.fail if os.environ.get('CI') else pytest.skip)(wanting)


def node(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=SOURCES, capture_output=True, text=True, timeout=100)


@pytest.mark.usefixtures('tools')
def test_the_committed_page_is_what_the_sources_give(tmp_path: Path) -> None:
    done = node('node', 'build.mjs', str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in BUILT.iterdir()
    }, 'run `npm run build` in src/gremsy_web/page and commit what it wrote'


@pytest.mark.usefixtures('tools')
def test_the_sources_pass_the_type_checker() -> None:
    done = node('npx', '--no-install', 'tsc', '--noEmit')
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures('tools')
def test_the_logic_keeps_its_own_tests() -> None:
    done = node('npm', 'test')
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(re.findall(r'# pass (\d+)', done.stdout)[0]) >= 28


def test_the_page_is_small() -> None:
    assert sum(len(gzip.compress(path.read_bytes(), 9, mtime=0)) for path in BUILT.iterdir()) < MOST_BYTES


def test_the_page_asks_no_other_machine_for_anything() -> None:
    for name in ('index.html', 'page.css', 'page.js'):
        addresses = set(
            re.findall(r'(?:https?:)?//[\w.-]+\.\w+[^\s"\'`)]*', (BUILT / name).read_text(encoding='utf-8'))
        )
        # The names of SVG's elements, which are never fetched.
        assert addresses <= {'http://www.w3.org/2000/svg'}, name


def test_a_strict_content_security_policy_suffices() -> None:
    html = (BUILT / 'index.html').read_text(encoding='utf-8')
    assert re.findall(r'<script(?![^>]*\bsrc=)', html) == []
    assert re.findall(r'\s(?:style|on\w+)=', html) == []
    script = (BUILT / 'page.js').read_text(encoding='utf-8')
    assert 'innerHTML' not in script and 'eval(' not in script and 'new Function' not in script


def test_a_server_can_say_which_page_it_has() -> None:
    build = (BUILT / 'build.txt').read_text(encoding='ascii').strip()
    assert re.fullmatch('[0-9a-f]{12}', build)
    assert f'name="gremsy-build" content="{build}"' in (BUILT / 'index.html').read_text(encoding='utf-8')
