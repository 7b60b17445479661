# SPDX-License-Identifier: Apache-2.0
"""Everything that a run leaves for people: summary.json, pointing.png, and what the film is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from gremsy_bringup.demo.demo_session import DemoSession
from gremsy_bringup.report.report_figure import FigureUnavailable, draw
from gremsy_bringup.report.report_summary import describe_machine, describe_versions, summarise
from gremsy_bringup.report.trace_join import join


def write_report(session: DemoSession, say: Callable[[str], None]) -> dict[str, Any]:
    """Read the traces of a stopped session, write summary and picture into its report folder; the summary."""
    options = session.options
    run = join(session.events())
    summary = {
        'video': str(session.video),
        'target_class': options.target_class,
        'preset': options.preset,
        'headless': options.headless,
        **summarise(run, session.usage, session.restarts),
        'films': [_film(path) for path in sorted(session.report_dir.glob('demo*.mp4'))],
        'machine': describe_machine(),
        'versions': describe_versions(),
    }
    (session.report_dir / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')
    name = session.video.name if session.video is not None else 'the footage'
    title = f'Following a {options.target_class} in {name}, simulated payload "{options.preset}"'
    try:
        draw(run, session.report_dir / 'pointing.png', title)
    except FigureUnavailable as error:
        say(str(error))
    return summary


def report_lines(summary: dict[str, Any], report_dir: Path) -> list[str]:
    """The run in a few lines."""
    fps, error, median = (summary[key] for key in ('fps', 'pointing_error_rms_deg', 'latency_ms_p50'))
    rate = '' if fps is None else f' at {fps:g} fps'
    files = ', '.join(sorted(path.name for path in report_dir.iterdir() if path.suffix in ('.json', '.png', '.mp4')))
    return [
        f'{summary["frames"]} frames{rate}, {summary["lock_count"]} locks',
        'pointing error: not measured, no target was followed for longer than 1.5 s'
        if error is None
        else f'pointing error, RMS from 1.5 s after each lock: {error:g} deg',
        'latency: not measured, no target was followed'
        if median is None
        else f'latency capture to wire: median {median:g} ms, p99 {summary["latency_ms_p99"]:g} ms',
        f'report in {report_dir}: {files}',
    ]


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
