# SPDX-License-Identifier: Apache-2.0
"""What is on a screen, seen from outside the browser: the memory of a virtual one (Xvfb), a thousand times a second.

Inside the browser nobody can see which refresh a video and what is drawn over it come with. Here both are read from the
same memory, at the same time: the burned clock, and the lines of the boxes.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_progress import report
from benchmarks.video.painted_frames import NEAR_PX, percentile, read_truth
from benchmarks.video.video_page import Browser, Tab
from benchmarks.video.video_processes import BUILT_IN, running_chain
from benchmarks.video.video_scene import HEIGHT, WIDTH
from gremsy_camera.trial import burned_clock
from gremsy_common.errors import SuiteError

Bytes = NDArray[np.uint8]

_SCREEN_WIDTH, _SCREEN_HEIGHT = 1280, 900
_LOOK_EVERY_S = 0.001
# While a picture is being copied to the screen its upper part is newer than the rest: 3 ms of 33 are left out.
_SETTLED_S = 0.003
_WARM_S = 4.0
# As in frame_reader.js; a line is brighter than both of its dark edges by that much.
_ROW, _BAND, _CONTRAST = 420, 10, 30
_FOUND_SHARE, _NEIGHBOURS = 0.7, 6


@dataclass(frozen=True, slots=True)
class PicturePlacement:
    """Where the picture is on the screen: its upper left corner and its scale, in px of the screen."""

    left: float
    top: float
    scale: float

    @classmethod
    def of(cls, tab: Tab) -> PicturePlacement:
        """The page's, in a window at the screen's upper left corner."""
        box = tab.page.locator('.picture.is-main').bounding_box()
        bars = tab.page.evaluate('outerHeight - innerHeight')
        scale = min(box['width'] / WIDTH, box['height'] / HEIGHT)
        left = box['x'] + (box['width'] - WIDTH * scale) / 2
        return cls(left, bars + box['y'] + (box['height'] - HEIGHT * scale) / 2, scale)

    def clock(self, screen: Bytes) -> bytes:
        """The clock's bits, a byte each."""
        middles = (np.arange(burned_clock.CELLS_A_SIDE) + 0.5) * burned_clock.CELL_PX * self.scale
        rows, columns = (np.round(middles + start).astype(int) for start in (self.top, self.left))
        return (screen[rows[:, np.newaxis], columns, 1] > 125).tobytes()

    def lines(self, band: Bytes) -> list[float]:
        """Where lines of boxes cross the band, px of the picture."""
        row = band.max(axis=0).astype(int)
        side = np.maximum(np.minimum(row[1:-5], row[:-6]), np.minimum(row[5:-1], row[6:]))
        at = np.flatnonzero(row[3:-3] - side > _CONTRAST) + 3
        groups = np.split(at, np.flatnonzero(np.diff(at) > 3) + 1) if len(at) else []
        # The band begins with the whole px that the picture's left edge is in.
        shift = round(self.left) - self.left
        return [(float(group.mean()) + 0.5 + shift) / self.scale for group in groups]

    def band(self, screen: Bytes) -> Bytes:
        """The rows in which the lines are looked for, one colour."""
        top, left = round(self.top + _ROW * self.scale), round(self.left)
        return screen[top : top + _BAND, left : round(self.left + WIDTH * self.scale), 2].copy()


@dataclass(frozen=True, slots=True)
class ScreenReading:
    """What was on the screen: since when that picture was (s since 1970), its stamp, the lines over it."""

    since_s: float
    stamp_ns: int
    lines_px: tuple[float, ...]


def measure(chromium: Browser, folder: Path, seconds: float) -> dict[str, Any]:
    """`screen_...`: a Chromium with a window, on a virtual screen."""
    if shutil.which('Xvfb') is None:
        return {'screen_unavailable': 'Xvfb is not installed: sudo apt-get install xvfb'}
    report('on a virtual screen ...')
    with (
        virtual_screen(folder) as (display, screen),
        running_chain(folder / 'run', BUILT_IN) as chain,
        chromium.windowed(display) as windowed,
    ):
        tab = windowed.open(chain.page)
        tab.wait_for_frames(3)
        tab.page.wait_for_timeout(1000 * _WARM_S)
        seen = _look(screen, PicturePlacement.of(tab), tab, seconds)
        tab.close()
        chain.end('robot')
        truth = read_truth(chain.truth)
    return {'screen_unavailable': None, **figures(seen, truth)}


def figures(seen: Sequence[ScreenReading], truth: Mapping[int, Sequence[float]]) -> dict[str, Any]:
    """How old pictures were when they came to the screen, and for which share of the time whose boxes were on them."""
    since = {each.stamp_ns: each.since_s for each in reversed(seen)}
    old_ms = [(at_s - stamp * 1e-9) * 1e3 for stamp, at_s in since.items()]
    stamps = sorted(truth)
    index = {stamp: number for number, stamp in enumerate(stamps)}
    whose = Counter(
        _whose(each.lines_px, stamps, index[each.stamp_ns], truth) for each in seen if truth.get(each.stamp_ns)
    )
    looks = sum(whose.values())
    shares = {name: round(whose[name] / looks, 4) if looks else None for name in ('own', 'another', 'unclear')}
    return {
        'screen_glass_to_glass_ms_p50': percentile(old_ms, 50),
        'screen_glass_to_glass_ms_p95': percentile(old_ms, 95),
        'screen_frames': len(since),
        **{f'screen_boxes_{name}': share for name, share in shares.items()},
    }


def _whose(lines: Sequence[float], stamps: Sequence[int], index: int, truth: Mapping[int, Sequence[float]]) -> str:
    near = sorted(range(max(0, index - _NEIGHBOURS), min(len(stamps), index + 3)), key=lambda each: abs(each - index))
    for each in near:
        if _are_those(lines, truth[stamps[each]]):
            return 'own' if each == index else 'another'
    return 'unclear'


def _are_those(lines: Sequence[float], edges: Sequence[float]) -> bool:
    """Most of them: on a bright wall some lines cannot be seen."""
    found = sum(any(abs(line - edge) <= NEAR_PX + 1 for line in lines) for edge in edges)
    return bool(edges) and found >= _FOUND_SHARE * len(edges)


def _look(screen: Bytes, place: PicturePlacement, tab: Tab, seconds: float) -> list[ScreenReading]:
    found: list[ScreenReading] = []
    stop = threading.Event()

    def look() -> None:
        last, since_s, stamp_ns = b'', 0.0, None
        while not stop.wait(_LOOK_EVERY_S):
            bits = place.clock(screen)
            now_s = time.time()
            if bits != last:
                time_us = burned_clock.time_of_word(int(''.join(str(bit) for bit in bits), 2))
                last, since_s, stamp_ns = bits, now_s, None if time_us is None else 1000 * time_us
            if stamp_ns is None or now_s - since_s < _SETTLED_S:
                continue
            band = place.band(screen)
            if place.clock(screen) == last:
                found.append(ScreenReading(since_s, stamp_ns, tuple(place.lines(band))))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    tab.page.wait_for_timeout(1000 * seconds)
    stop.set()
    thread.join()
    return found


@contextlib.contextmanager
def virtual_screen(folder: Path) -> Iterator[tuple[str, Bytes]]:
    """Its display's name, and its pixels as they are now, (height, width, 4)."""
    reading, writing = os.pipe()
    words = ['Xvfb', '-displayfd', str(writing), '-screen', '0', f'{_SCREEN_WIDTH}x{_SCREEN_HEIGHT}x24']
    process = subprocess.Popen(
        [*words, '-fbdir', str(folder), '-nolisten', 'tcp'], pass_fds=[writing], stderr=subprocess.DEVNULL
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            display = answer.readline().strip()
        if not display:
            raise SuiteError('The video benchmark cannot go on: Xvfb does not start.')
        with (
            (folder / 'Xvfb_screen0').open('rb') as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as memory,
        ):
            yield f':{display}', pixels_of(memory)
    finally:
        process.terminate()
        process.wait()


def pixels_of(memory: mmap.mmap | bytes) -> Bytes:
    """The pixels of an X window dump of 32 bits a pixel (XWDFile.h), not copied."""
    head = struct.unpack('>25I', memory[:100])
    size, width, height, line_bytes, colours = head[0], head[4], head[5], head[12], head[19]
    return np.ndarray((height, width, 4), np.uint8, memory, size + 12 * colours, (line_bytes, 4, 1))
