# SPDX-License-Identifier: Apache-2.0
"""The demo's command line; the standard library alone, so that help needs nothing set up."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

PRESETS = ('ideal', 'gremsy', 'realistic', 'moving')


def parser(path: Callable[[str], Path] = Path) -> argparse.ArgumentParser:
    """The command line; `path` checks a path more closely where that can be done."""
    made = argparse.ArgumentParser(prog='./gremsy demo', description='Follows a person in real footage, closed loop.')
    made.add_argument('--video', metavar='FILE', help="footage to play (default: Debian's vtest.avi)")
    made.add_argument(
        '--target',
        metavar='WHICH',
        help="whom to follow: nearest (to the picture's centre), largest, class:NAME, largest:NAME, or a track by its "
        'number, as 7 (default: nearest)',
    )
    made.add_argument('--class', dest='target_class', metavar='NAME', help='what to follow (default: person)')
    made.add_argument(
        '--duration', type=_duration, default=60.0, metavar='S', help='seconds; 0 until Ctrl-C (default: 60)'
    )
    made.add_argument('--report', type=path, metavar='DIR', help='where the report goes (default: gremsy_report/TIME)')
    made.add_argument('--headless', action='store_true', help='no page, no overlay and no film: the bare loop')
    made.add_argument(
        '--preset', choices=PRESETS, default='ideal', help='how the simulated payload behaves (default: ideal)'
    )
    return made


def _duration(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds < 1e7:
        raise argparse.ArgumentTypeError(f"must be 0 (no limit) or a positive number of seconds, not '{text}'")
    return seconds
