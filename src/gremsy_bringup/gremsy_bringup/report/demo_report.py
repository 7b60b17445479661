# SPDX-License-Identifier: Apache-2.0
"""Everything that a run leaves for people: summary.json, pointing.png, and what the film is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from gremsy_bringup.demo.demo_options import DemoError, DemoOptions
from gremsy_bringup.demo.demo_session import DemoSession
from gremsy_bringup.report.report_figure import FigureUnavailable, draw
from gremsy_bringup.report.report_summary import describe_machine, describe_versions, summarise
from gremsy_bringup.report.trace_join import Run, join

# The rest is in summary.json.
_MOST_LOCKS = 4


def write_report(session: DemoSession, say: Callable[[str], None]) -> dict[str, Any]:
    """Read the traces of a stopped session, write summary and picture into its report folder; the summary.

    Raises:
        DemoError: where there is no room for it.
    """
    options = session.options
    run = join(session.events())
    summary = {
        'video': str(session.video),
        'target': options.target.word,
        'preset': options.preset,
        'headless': options.headless,
        **summarise(run, session.usage, session.restarts),
        'films': [_film(path) for path in sorted(session.report_dir.glob('demo*.mp4'))],
        'machine': describe_machine(),
        'versions': describe_versions(),
    }
    try:
        (session.report_dir / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')
        _draw(session, run, say)
    except OSError as error:
        raise DemoError(
            f'The report cannot be written to {session.report_dir} ({error.strerror}): make room there, or name '
            'another folder with `--report`.'
        ) from error
    return summary


def _draw(session: DemoSession, run: Run, say: Callable[[str], None]) -> None:
    name = session.video.name if session.video is not None else 'the footage'
    title = f'Following {session.options.target} in {name}, simulated payload "{session.options.preset}"'
    try:
        draw(run, session.report_dir / 'pointing.png', title)
    except FigureUnavailable as error:
        say(str(error))


def report_lines(summary: dict[str, Any], report_dir: Path) -> list[str]:
    """The run in a few lines."""
    fps, error, median = (summary[key] for key in ('fps', 'pointing_error_rms_deg', 'latency_ms_p50'))
    rate = '' if fps is None else f' at {fps:.1f} fps'
    files = ', '.join(sorted(path.name for path in report_dir.iterdir() if path.suffix in ('.json', '.png', '.mp4')))
    return [
        f'{_counted(summary["frames"], "frame")}{rate}, {_counted(summary["lock_count"], "lock")}',
        f'asked for {summary["target"]}, followed {_followed(summary)}',
        'pointing error: not measured, no target was followed for longer than 1.5 s'
        if error is None
        else f'pointing error, RMS from 1.5 s after each lock: {error:.2f} deg',
        'latency: not measured, no command rests on an image'
        if median is None
        else f'latency capture to wire: median {median:.0f} ms, p99 {summary["latency_ms_p99"]:.0f} ms',
        f'report in {report_dir}: {files}',
    ]


def _counted(number: int, of: str) -> str:
    return f'{number} {of}{"" if number == 1 else "s"}'


def next_steps(options: DemoOptions) -> list[str]:
    """What to try after this run, for a person at a terminal; nothing that was just done."""
    default = DemoOptions(options.report)
    steps = [
        (
            './gremsy demo --duration 0',
            'as long as you like: click in the browser on whom to follow',
            not options.headless,
        ),
        ('./gremsy demo --target largest', 'whom to follow: --help has the words', options.target == default.target),
        (
            './gremsy demo --preset realistic',
            'a payload with the faults of real ones',
            options.preset == default.preset,
        ),
        ('./gremsy demo --video FILE', 'in footage of your own', options.video is None),
        ('./gremsy init', 'for a gimbal and a camera of your own', True),
    ]
    left = [(command, what) for command, what, is_new in steps if is_new]
    width = max(len(command) for command, _ in left)
    return ['Next:', *(f'  {command:<{width}}  {what}' for command, what in left), 'README.md and docs/ have the rest.']


def _followed(summary: dict[str, Any]) -> str:
    """Who, in their order; a click in the page may have asked for others than the command line."""
    texts = []
    for lock in summary['locks'][:_MOST_LOCKS]:
        who = f'{lock["label"]} {lock["target_id"]}'.strip()
        asked = '' if lock['asked'] == summary['target'] else f', asked for {lock["asked"]}'
        texts.append(f'{who} ({lock["end_s"] - lock["begin_s"]:.0f} s{asked})')
    left = len(summary['locks']) - len(texts)
    return ', '.join([*texts, f'and {left} more'] if left else texts) or 'nobody'


def _film(path: Path) -> dict[str, Any]:
    """What a player will see; all zeros for a file that none opens."""
    capture = cv2.VideoCapture(str(path))
    try:
        number = int(capture.get(cv2.CAP_PROP_FOURCC))
        codec = number.to_bytes(4, 'little').decode('latin-1').strip('\0')
        return {
            'file': path.name,
            'codec': codec,
            'width': int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            'height': int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            'frames': int(capture.get(cv2.CAP_PROP_FRAME_COUNT)),
            'size_mb': round(path.stat().st_size / 1e6, 2),
        }
    finally:
        capture.release()
