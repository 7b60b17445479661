# SPDX-License-Identifier: Apache-2.0
"""The operator's page in a real browser, measured: age of the picture, whose boxes are on it, starts, and cost.

A simulated camera pans and burns its clock into every picture; the stream node encodes, a video server hands on, and
Chromium paints: what it painted is read back from its pixels. No detector runs: the boxes are true ones. The API is
asked while the whole demo runs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.video import encoder_costs, glass_to_glass, video_starts, virtual_screen
from benchmarks.video.api import api_figures
from benchmarks.video.video_page import Browser, browser, why_no_browser
from gremsy_common.errors import SuiteError

_LONGEST_RUN_S = 10.0
# Each of a module of its own: (browser, an empty folder, seconds of a run) -> figures, under names of their own.
_GROUPS: tuple[Callable[[Browser, Path, float], dict[str, Any]], ...] = (
    encoder_costs.measure,
    glass_to_glass.measure,
    video_starts.measure,
    virtual_screen.measure,
    api_figures.measure,
)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of the issue, flat."""
    wanting = why_no_browser()
    if wanting:
        raise SuiteError(wanting)
    seconds = min(options.duration, _LONGEST_RUN_S)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix='gremsy-bench-') as scratch, browser() as chromium:
        figures['chromium'] = chromium.version
        for group in _GROUPS:
            folder = Path(scratch) / group.__module__.rpartition('.')[2]
            folder.mkdir()
            figures |= group(chromium, folder, seconds)
    return figures
