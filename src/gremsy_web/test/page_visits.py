# SPDX-License-Identifier: Apache-2.0
"""A visitor of the operator's page, in Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).parents[3]
CHROMIUM = next((path for path in ('/usr/bin/chromium', '/usr/bin/chromium-browser') if Path(path).exists()), None)
# Where screenshots are kept; the closing lines of the tests say it.
SHOTS = Path(os.environ.get('GREMSY_ARTEFACTS') or _REPOSITORY / '.gremsy' / 'artefacts') / 'page'
AXE = Path(__file__).parents[1] / 'page' / 'node_modules' / 'axe-core' / 'axe.min.js'


def why_no_browser() -> str:
    """What is wanting to visit the page, and what brings it; empty where nothing is."""
    if CHROMIUM is None:
        return 'There is no Chromium: apt-get install chromium fonts-dejavu-core.'
    if importlib.util.find_spec('playwright') is None:
        return 'There is no playwright: ./gremsy setup --extra page.'
    return ''


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Names instead of addresses, as every browser gives them to pages that may not use the camera: not turned off.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox', '--disable-gpu'])
        yield browser
        browser.close()


# A note is on the screen until the next one, which may come at once.
_NOTES = """
window.notesSaid = [];
new MutationObserver(() => {
  const words = document.querySelector('.note')?.textContent ?? '';
  if (words !== '' && words !== window.notesSaid.at(-1)) window.notesSaid.push(words);
}).observe(document, { childList: true, characterData: true, subtree: true });
"""


def open_tab(browser: Any, *scripts: str, **options: Any) -> Visit:
    """A tab of its own profile, not yet anywhere; each page that it opens runs the scripts first.

    Args:
        browser: of `chromium`.
        scripts: JavaScript.
        options: of Playwright's `new_context`.
    """
    page = browser.new_context(**{'viewport': {'width': 1440, 'height': 900}, **options}).new_page()
    complaints: list[str] = []
    page.on('console', lambda message: complaints.append(f'{message.type}: {message.text}'))
    page.on('pageerror', lambda error: complaints.append(f'error: {error}'))
    for script in (_NOTES, *scripts):
        page.add_init_script(script)
    return Visit(page, complaints)


class Visit:
    """One tab before the robot."""

    def __init__(self, page: Any, complaints: list[str]) -> None:
        self.page = page
        self.complaints = complaints

    def robot(self, script: str) -> Any:
        return self.page.evaluate(f'(() => {{ const robot = window.fakeRobot; {script} }})()')

    def sent(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.robot('return robot.sent') if each['type'] == kind]

    def asked(self, path: str) -> list[dict[str, Any]]:
        return [each for each in self.robot('return robot.asked') if each['path'] == path]

    def until(self, check: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = check()
            if found:
                return found
            self.page.wait_for_timeout(50)
        raise AssertionError(f'{what} did not happen in {seconds} s')

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate('gremsyPage.counts()')
        return found

    def plays(self) -> None:
        self.until(lambda: self.counts().get('eo', {}).get('matched', 0) > 3, 'the video')
        self.until(lambda: not self.locked('The picture is old, so controls are locked.'), 'a fresh picture')

    def said(self, words: str) -> str:
        """The note that has these words, when it has been shown."""
        script = '(words) => notesSaid.find((note) => note.includes(words))'
        found: str = self.until(lambda: self.page.evaluate(script, words), f'the note "{words}"')
        return found

    def locked(self, words: str) -> bool:
        return bool(self.page.locator('.lock-words').inner_text() == words)

    def take(self) -> None:
        self.page.get_by_role('button', name='Take control').click()
        self.page.get_by_role('button', name='Give back').wait_for()

    def box(self, number: int) -> tuple[float, float]:
        """The middle of an object on the screen."""
        x, y, width, height = self.robot(f'return robot.boxes.find((one) => one.id === {number}).box')
        return self.at(x + width / 2, y + height / 2)

    def at(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a pixel of the camera's 1280 x 720 is on the screen."""
        area = self.page.locator('.picture.is-main').bounding_box()
        scale = min(area['width'] / 1280, area['height'] / 720)
        left = area['x'] + (area['width'] - 1280 * scale) / 2
        top = area['y'] + (area['height'] - 720 * scale) / 2
        return left + x_px * scale, top + y_px * scale

    def faults(self) -> list[tuple[str, list[str]]]:
        """What axe finds wrong with what is shown now; nothing where there is no axe, which CI never lacks."""
        if not AXE.exists():
            assert not os.environ.get('CI'), 'There is no axe-core: npm ci in src/gremsy_web/page.'
            return []
        # Past the page's policy, as a test's tool may.
        self.page.evaluate(f'(() => {{ {AXE.read_text(encoding="utf-8")} }})()')
        found = self.page.evaluate('axe.run()')['violations']
        return [(each['id'], [node['html'] for node in each['nodes']]) for each in found]

    def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SHOTS / f'{name}.png'))
