# SPDX-License-Identifier: Apache-2.0
"""Joining traces and drawing the report, on a run whose truth is known because it is made here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gremsy_bringup.demo.demo_options import DemoOptions
from gremsy_bringup.report import report_figure
from gremsy_bringup.report.demo_report import next_steps, report_lines
from gremsy_bringup.report.report_figure import FigureUnavailable, draw
from gremsy_bringup.report.report_summary import describe_machine, describe_versions, summarise
from gremsy_bringup.report.trace_join import STAGES, join, settled, true_error_rad
from gremsy_bringup.report.trace_tail import LiveView, TraceTail
from gremsy_bringup.supervise.child_process import ProcessUsage, usage_of
from gremsy_tracker.lock.target_request import TargetRequest

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000


def azimuth(seconds: float) -> float:
    return math.radians(15) * math.sin(2 * math.pi * 0.1 * seconds)


def made_run(duration_s: float = 20.0, offset_rad: float = 0.01) -> list[dict[str, Any]]:
    """30 fps, every second frame detected; a target from 2 s to 8 s and another from 10 s on, `offset_rad` off axis."""
    events: list[dict[str, Any]] = []
    rng = np.random.default_rng(7)
    for index in range(int(duration_s * 30)):
        seconds = index / 30
        stamp = START_NS + int(seconds * 1e9)
        true = {'azimuth_rad': azimuth(seconds), 'tilt_rad': -0.05, 'zoom': 1.0}
        events.append({'kind': 'frame', 'stamp_ns': stamp, 'at_ns': stamp + 3 * MS, 'render_ns': 3 * MS, **true})
        if index % 2:
            continue
        inference = int(rng.normal(48, 3) * MS)
        seen = stamp + 15 * MS + inference
        events.append(
            {
                'kind': 'detection',
                'stamp_ns': stamp,
                'at_ns': seen,
                'arrived_ns': stamp + 3 * MS,
                'taken_ns': stamp + 12 * MS,
                'preprocess_ns': 2 * MS,
                'inference_ns': inference,
                'decode_ns': MS,
                'count': 3,
            }
        )
        following = 2 <= seconds < 8 or seconds >= 10
        target = {
            'target_id': None,
            'label': '',
            'asked': 'nearest:person',
            'azimuth_rad': None,
            'tilt_rad': None,
            'error_rad': None,
            'box_px': None,
        }
        if following:
            place = {'azimuth_rad': azimuth(seconds) + offset_rad / math.cos(-0.05), 'tilt_rad': -0.05}
            named = {'target_id': 4 if seconds < 9 else 9, 'label': 'person', 'asked': target['asked']}
            target = {**named, **place, 'error_rad': offset_rad, 'box_px': [0, 0, 9, 9]}
        state = 'tracking' if following else 'searching'
        events.append({'kind': 'track', 'stamp_ns': stamp, 'at_ns': seen + MS, 'state': state, 'tracks': 3, **target})
        if following:
            events.append({'kind': 'setpoint', 'stamp_ns': stamp, 'at_ns': seen + MS, 'fresh': True})
            for repeat in (3, 23):
                wire = seen + repeat * MS
                events.append({'kind': 'command', 'stamp_ns': stamp, 'at_ns': wire, 'wire_ns': wire})
    return events


def test_locks_are_the_runs_of_images_with_one_target() -> None:
    run = join(made_run())
    assert [(lock.target_id, round((lock.begin_ns - START_NS) * 1e-9, 1)) for lock in run.locks] == [
        (4, 2.0),
        (9, 10.0),
    ]


def test_a_target_handed_over_to_another_id_is_a_new_lock() -> None:
    events = [
        {'kind': 'track', 'stamp_ns': n, 'at_ns': n, 'state': 'tracking', 'target_id': 1 + n // 5} for n in range(10)
    ]
    assert [(lock.target_id, lock.begin_ns, lock.end_ns) for lock in join(events).locks] == [(1, 0, 4), (2, 5, 9)]


@pytest.mark.parametrize(('after_s', 'counts'), [(1.45, False), (1.55, True)], ids=['just_before', 'just_after'])
def test_error_counts_from_one_and_a_half_seconds_after_the_lock(after_s: float, counts: bool) -> None:
    run = join(made_run())
    nearest = int(np.argmin(np.abs((run.target.stamps_ns - START_NS) * 1e-9 - (2.0 + after_s))))
    assert bool(settled(run.target, run.locks)[nearest]) is counts


def test_true_error_is_the_angle_between_estimate_and_true_axis() -> None:
    run = join(made_run(offset_rad=0.01))
    errors = true_error_rad(run)[run.target.following]
    assert errors == pytest.approx(0.01, abs=1e-9)


def test_stages_sum_to_the_latency_and_only_the_first_command_counts() -> None:
    stages = join(made_run()).stages
    parts = sum(stages.parts[name] for name in STAGES)
    assert stages.latency - parts == pytest.approx(0, abs=1e-6)
    assert stages.overhead == pytest.approx(stages.latency - 3 - 9 - stages.parts['inference'])


def test_the_summary_of_a_known_run_says_what_was_put_in() -> None:
    summary = summarise(join(made_run()), {'loop': ProcessUsage(300.04, 12.345)}, {'loop': 1})
    assert summary['fps'] == pytest.approx(30, abs=0.01)
    assert summary['detections_per_s'] == pytest.approx(15, abs=0.01)
    assert summary['pointing_error_rms_deg'] == pytest.approx(math.degrees(0.01), abs=1e-3)
    assert summary['seen_error_rms_deg'] == summary['pointing_error_rms_deg']
    assert summary['latency_ms_p50'] == pytest.approx(66, abs=1.5)
    assert summary['slot_wait_ms_p50'] == 9.0
    assert summary['following_fraction'] == pytest.approx(0.8, abs=0.01)
    assert (summary['rss_mb'], summary['restarts']) == ({'loop': 300.0}, {'loop': 1})


def test_a_run_that_ended_before_it_began_is_a_summary_of_nothing() -> None:
    summary = summarise(join([]), {}, {})
    assert (summary['frames'], summary['lock_count']) == (0, 0)
    assert summary['fps'] is summary['latency_ms_p50'] is summary['pointing_error_rms_deg'] is None
    json.dumps({**summary, 'machine': describe_machine(), 'versions': describe_versions()}, allow_nan=False)


@pytest.mark.parametrize('events', [made_run(), []], ids=['a run', 'nothing'])
def test_the_picture_is_a_png_of_readable_size(events: list[dict[str, Any]], tmp_path: Path) -> None:
    pytest.importorskip('matplotlib', reason='matplotlib is an optional extra')
    draw(join(events), tmp_path / 'pointing.png', 'A made run')
    image = cv2.imread(str(tmp_path / 'pointing.png'))
    assert image is not None
    assert min(image.shape[:2]) > 1000


def test_an_error_beyond_the_scale_has_an_arrow_and_its_size_in_words() -> None:
    figure = pytest.importorskip('matplotlib.figure', reason='matplotlib is an optional extra')
    events = made_run()
    far = next(each for each in events if each['kind'] == 'track' and each['target_id'] is not None)
    far['azimuth_rad'] += math.radians(30)  # beside the 0.57 that it is off
    for changed, arrows in ((events, [(2.0, '31')]), (made_run(), [])):
        axis = figure.Figure().subplots()
        report_figure._draw_error(axis, join(changed), START_NS)
        marks = [line for line in axis.get_lines() if line.get_marker() == '^']
        drawn = [
            (round(x, 1), str(line.get_label()).split(' up to ')[1][:2]) for line in marks for x in line.get_xdata()
        ]
        assert drawn == arrows


def test_the_closing_lines_say_in_words_that_nothing_was_followed(tmp_path: Path) -> None:
    nothing = {'frames': 176, 'lock_count': 0, 'fps': 29.9, 'target': '7', 'locks': []} | dict.fromkeys(
        ('pointing_error_rms_deg', 'latency_ms_p50', 'latency_ms_p99')
    )
    assert report_lines(nothing, tmp_path)[:4] == [
        '176 frames at 29.9 fps, 0 locks',
        'asked for 7, followed nobody',
        'pointing error: not measured, no target was followed for longer than 1.5 s',
        'latency: not measured, no command rests on an image',
    ]
    assert report_lines(nothing | {'frames': 1, 'fps': None, 'lock_count': 1}, tmp_path)[0] == '1 frame, 1 lock'
    followed = nothing | {
        'lock_count': 2,
        'pointing_error_rms_deg': 0.4123,
        'latency_ms_p50': 66,
        'latency_ms_p99': 90.5,
    }
    assert report_lines(followed, tmp_path)[2:4] == [
        'pointing error, RMS from 1.5 s after each lock: 0.41 deg',
        'latency capture to wire: median 66 ms, p99 90 ms',
    ]


def test_the_closing_lines_say_who_was_followed_and_who_had_been_asked_for(tmp_path: Path) -> None:
    summary = summarise(join(made_run(20.0)), {}, {}) | {'target': 'nearest:person'}
    assert report_lines(summary, tmp_path)[1] == 'asked for nearest:person, followed person 4 (6 s), person 9 (10 s)'
    clicked = summary['locks'][0] | {'asked': '4'}
    summary['locks'] = [clicked, *summary['locks'][1:] * 5]
    assert report_lines(summary, tmp_path)[1] == (
        'asked for nearest:person, followed person 4 (6 s, asked for 4), person 9 (10 s), person 9 (10 s), '
        'person 9 (10 s), and 2 more'
    )


def test_what_to_try_next_is_not_what_was_just_done() -> None:
    commands = ['--duration 0', '--target largest', '--preset realistic', '--video FILE']
    first = '\n'.join(next_steps(DemoOptions(Path('report'))))
    assert all(f'./gremsy demo {each}  ' in first for each in commands)
    tried = DemoOptions(Path('report'), Path('a.avi'), TargetRequest(track_id=7), headless=True, preset='realistic')
    assert next_steps(tried) == [
        'Next:',
        '  ./gremsy init  for a gimbal and a camera of your own',
        'README.md and docs/ have the rest.',
    ]


def test_without_matplotlib_the_way_to_the_picture_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(report_figure.__dict__['__builtins__'], '__import__', _no_matplotlib)
    with pytest.raises(FigureUnavailable) as caught:
        draw(join([]), tmp_path / 'pointing.png', '')
    assert str(caught.value) == (
        'The picture of the run needs matplotlib, which is not installed: run `./gremsy setup --extra report`.'
    )


def _no_matplotlib(name: str, *rest: Any, **more: Any) -> Any:
    if name.startswith('matplotlib'):
        raise ImportError(name)
    return _real_import(name, *rest, **more)


_real_import = __import__


def test_the_tail_gives_each_event_once_and_waits_for_unfinished_lines(tmp_path: Path) -> None:
    tail = TraceTail(tmp_path)
    assert tail.poll() == []
    path = tmp_path / 'robot.eo.camera-1.jsonl'
    path.write_text('{"kind": "frame", "stamp_ns": 1}\n{"kind": "fra')
    assert tail.poll() == [{'kind': 'frame', 'stamp_ns': 1}]
    with path.open('a') as file:
        file.write('me", "stamp_ns": 2}\n')
    assert tail.poll() == [{'kind': 'frame', 'stamp_ns': 2}]
    assert tail.poll() == []


def test_the_status_tells_of_the_last_seconds_only() -> None:
    view = LiveView()
    for event in made_run(9.5):
        view.add(event)
    status = view.status()
    assert status.fps == pytest.approx(30, abs=0.1)
    assert status.detections_per_s == pytest.approx(15, abs=0.1)
    assert (status.state, status.target_id, status.error_deg) == ('searching', None, None)
    assert status.latency_ms == pytest.approx(66, abs=5)


def test_stops_which_rest_on_no_image_are_no_latency() -> None:
    view = LiveView()
    for event in made_run(9.5):
        view.add(event)
        if event['kind'] == 'frame':
            stop_ns = event['stamp_ns'] + 5 * MS
            view.add({'kind': 'command', 'stamp_ns': stop_ns, 'wire_ns': stop_ns + MS})
    assert view.status().latency_ms == pytest.approx(66, abs=5)


def test_the_status_line_has_every_figure_in_its_place() -> None:
    view = LiveView()
    assert view.status().line() == ('starting  -          error     - deg  latency   - ms   0.0 fps   0.0 detections/s')
    for event in made_run(4.0, offset_rad=math.radians(0.5)):
        view.add(event)
    line = view.status().line()
    assert line.startswith('asked for nearest:person, tracking  person 4   error  0.50 deg  latency ')
    assert line.endswith(' ms  30.0 fps  15.0 detections/s')


def test_usage_of_this_process_is_known_and_of_a_dead_one_is_none() -> None:
    import os

    used = usage_of(os.getpid())
    assert used is not None
    assert used.peak_rss_mb > 10
    assert used.cpu_s > 0
    assert usage_of(2**22 + 1) is None
