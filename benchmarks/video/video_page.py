# SPDX-License-Identifier: Apache-2.0
"""The operator's page in Debian's Chromium without a screen or a GPU, and what it painted."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.video.process_costs import cpu_s, descendants, name_of
from gremsy_camera.trial import burned_clock
from gremsy_common.errors import SuiteError

CHROMIUMS = ('/usr/bin/chromium', '/usr/bin/chromium-browser')
READER = Path(__file__).with_name('frame_reader.js')
_POLL_MS = 20.0
# Of a screen, and of Chromium where there is none.
REFRESH_S = 1 / 60
VIEWPORT = {'width': 1280, 'height': 800}


@dataclass(frozen=True, slots=True)
class DrawnBoxes:
    """What the page had drawn over a frame.

    Attributes:
        edges_px: where ink of the boxes crosses the row, in px of the picture.
        dashed: whether they are drawn as estimates.
    """

    edges_px: tuple[float, ...] = ()
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class PaintedFrame:
    """One frame that a page painted; times in s since 1970.

    Attributes:
        stamp_ns: the time burned into it; None where it could not be read.
        page_stamp_ns: the stamp that the page takes it to have; None where it does not know.
        received_s: when the page had it, decoded.
        painted_s: when it is on the screen.
        boxes: over it when it came to the screen.
        last_boxes: over it before the next frame came, which may have been drawn in between.
    """

    stamp_ns: int | None
    page_stamp_ns: int | None
    received_s: float | None
    painted_s: float
    boxes: DrawnBoxes
    last_boxes: DrawnBoxes

    @classmethod
    def of(cls, entry: dict[str, Any]) -> PaintedFrame:
        """From what `frame_reader.js` wrote down.

        What is drawn in one refresh is on the screen with the next, unless the page was too slow for it.
        """
        received = entry['received_ms']
        return cls(
            stamp_of_word(entry['word']),
            int(entry['stamp']) if entry['stamp'] else None,
            None if received is None else received * 1e-3,
            max(entry['called_ms'] * 1e-3, entry['refresh_ms'] * 1e-3 + REFRESH_S),
            DrawnBoxes(tuple(entry['edges']), entry['dashed']),
            DrawnBoxes(tuple(entry['last_edges']), entry['last_dashed']),
        )


def stamp_of_word(digits: str) -> int | None:
    """The burned clock's time in ns, from its 64 bits as 16 hexadecimal digits; None where they are damaged."""
    if not digits:
        return None
    time_us = burned_clock.time_of_word(int(digits, 16))
    return None if time_us is None else 1000 * time_us


class Tab:
    """A page that has been opened."""

    def __init__(self, page: Any, complaints: list[str]) -> None:
        self.page = page
        self.complaints = complaints

    def wait_for_frames(self, count: int, seconds: float = 20.0) -> None:
        """Until so many were painted.

        Raises:
            SuiteError: they were not.
        """
        # Not by wait_for_function, which the page's policy forbids as it compiles a text.
        until_s = time.monotonic() + seconds
        while self.page.evaluate('frameReader.seen.length') < count:
            if time.monotonic() > until_s:
                words = self.page.locator('.video-words').first.inner_text()
                raise SuiteError(
                    f"The video benchmark cannot go on: the page shows no picture, it says '{words}'. "
                    f'{" ".join(self.complaints[-3:])}'
                )
            self.page.wait_for_timeout(_POLL_MS)

    def watch(self, seconds: float) -> tuple[list[PaintedFrame], dict[str, Any], dict[str, Any]]:
        """What is painted during that, what WebRTC counted, and what the page counted of its boxes."""
        before, counts_before = self.stats(), self.counts()
        self.page.evaluate('void (frameReader.seen.length = 0)')
        self.page.wait_for_timeout(1000 * seconds)
        entries = self.page.evaluate('frameReader.seen')
        after, counts = self.stats(), self.counts()
        return [PaintedFrame.of(entry) for entry in entries], _less(after, before), _less(counts, counts_before)

    def stats(self) -> dict[str, Any]:
        """What WebRTC counts."""
        found: dict[str, Any] = self.page.evaluate('frameReader.stats()')
        return found

    def counts(self) -> dict[str, Any]:
        """What the page counts of its boxes."""
        found: dict[str, Any] = self.page.evaluate('gremsyPage.counts().eo ?? {}')
        return found

    def close(self) -> None:
        """The tab, and all that it knows."""
        self.page.context.close()


class Browser:
    """A Chromium that runs."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    def open(self, address: str) -> Tab:
        """A page in a window of its own, which knows nothing of those before."""
        page = self._chromium.new_context(viewport=VIEWPORT).new_page()
        complaints: list[str] = []
        page.on('console', lambda message: complaints.append(message.text))
        page.on('pageerror', lambda error: complaints.append(str(error)))
        page.add_init_script(path=str(READER))
        page.goto(address, wait_until='commit')
        return Tab(page, complaints)

    def windowed(self, display: str) -> contextlib.AbstractContextManager[Browser]:
        """Another one, with a window at the upper left corner of a display of X11."""
        return _launched(self._chromium.browser_type, display)

    def cpu_s(self) -> float:
        """CPU time of all its processes so far."""
        return sum(cpu_s(pid) for pid in descendants(os.getpid()) if 'chrom' in name_of(pid))

    @property
    def version(self) -> str:
        """Chromium's."""
        return str(self._chromium.version)


def why_no_browser() -> str | None:
    """In one sentence with the way out; None where there is one."""
    if importlib.util.find_spec('playwright') is None:
        return 'The video benchmark drives a browser by Playwright: run ./gremsy setup --extra page.'
    if not any(Path(each).exists() for each in CHROMIUMS):
        return 'The video benchmark needs Chromium: sudo apt-get install chromium.'
    return None


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, _launched(playwright.chromium) as launched:
        yield launched


@contextlib.contextmanager
def _launched(kind: Any, display: str | None = None) -> Iterator[Browser]:
    """Chromium as everybody starts it; `--disable-gpu` says what a machine without a GPU does anyway."""
    window = [] if display is None else ['--window-position=0,0']
    chromium = kind.launch(
        executable_path=next(each for each in CHROMIUMS if Path(each).exists()),
        args=['--no-sandbox', '--disable-gpu', *window],
        headless=display is None,
        env={**os.environ, **({} if display is None else {'DISPLAY': display})},
    )
    try:
        yield Browser(chromium)
    finally:
        chromium.close()


def _less(after: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Counts since before; what is no number is left out."""
    return {
        key: value - before.get(key, 0)
        for key, value in after.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and isinstance(before.get(key, 0), int | float)
    }
