# SPDX-License-Identifier: Apache-2.0
"""The benchmarks by name and their command line; the standard library alone, so that help needs nothing set up."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Groups of pyproject.toml that every benchmark takes, for videos and plots.
COMMON_GROUPS = ('encode', 'report')
ALL = 'all'
# Of the simulated payload, those that `loop` reports.
LOOP_PRESETS = ('ideal', 'realistic', 'moving')


@dataclass(frozen=True)
class Benchmark:
    """What it measures, how long that takes, and what it installs beyond COMMON_GROUPS."""

    measures: str
    minutes: str
    groups: tuple[str, ...] = ()
    installs: str = 'nothing more'


BENCHMARKS = {
    'camera': Benchmark('network cameras: true stamps, quick returns, what a stream costs beside OpenCV', '13 min'),
    'detector': Benchmark(
        "what the detector adds to its model's bare run, beside Ultralytics' own predict",
        '4 min',
        ('ultralytics',),
        'torch and Ultralytics (AGPL-3.0), 2.8 GB to download',
    ),
    'faults': Benchmark(
        'every fault for real: how soon the gimbal stops, what keeps running, how soon everything has recovered',
        '20 min',
        ('precision', 'record', 'web'),
        'onnx and what the page needs, 40 MB to download',
    ),
    'gimbal': Benchmark('the gimbal driver: command to wire, ends of motion, parsing, reconnecting', '1.5 min'),
    'loop': Benchmark('the composed demo: a frame to the wire, pointing at real people, what it costs', '5 min'),
    'network': Benchmark(
        'what a base station receives from two robots over a network that loses packets; root', '5 min'
    ),
    'pointing': Benchmark('the pointing core beside tuned P, PI, PID and move-and-wait laws', '4 min'),
    'tracker': Benchmark(
        'the tracker beside other Python trackers: what an update costs, identities kept',
        '4 min',
        ('peers',),
        'trackers, norfair, trackeval and motmetrics, 20 MB to download',
    ),
    'transport': Benchmark('images from node to node, in one process and between two', '3 min'),
    'video': Benchmark(
        "the operator's page in Chromium: how old its picture is, whose boxes are on it, what it costs; its API",
        '10 min',
        ('page', 'web'),
        "Playwright and what serves the page, 60 MB to download; Chromium is the machine's",
    ),
}


def overview() -> str:
    """What there is, for someone who named none."""
    lines: list[str] = []
    for name, each in BENCHMARKS.items():
        lines += [f'  {name:<9} {each.measures} ({each.minutes})', f'            installs {each.installs}']
    lines += [
        f'  {ALL:<9} all of these, one after another, with what they install',
        '',
        'Each installs PyAV and matplotlib as well. ./gremsy setup --clean removes what was installed.',
    ]
    return '\n'.join(lines)


def names_of(name: str) -> tuple[str, ...]:
    """The benchmarks that a name on the command line means."""
    return tuple(BENCHMARKS) if name == ALL else (name,)


def groups_of(name: str) -> tuple[str, ...]:
    """The groups of packages that it takes."""
    more = (group for each in names_of(name) for group in BENCHMARKS[each].groups)
    return tuple(dict.fromkeys((*COMMON_GROUPS, *more)))


def parser(path: Callable[[str], Path] = Path) -> argparse.ArgumentParser:
    """The command line, with the overview as its help; `path` checks a path more closely where that can be done."""
    made = argparse.ArgumentParser(
        prog='./gremsy bench',
        usage='./gremsy bench NAME [--json FILE] [--duration S] [--keep DIR] [--only FAULT] '
        '[--soak [--minutes MIN] | --fuzz] [--offline] [--starts N] [--preset PRESET] [--gpu]',
        description=overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument('name', choices=(*BENCHMARKS, ALL), metavar='NAME', help='one of the above')
    made.add_argument('--json', type=path, metavar='FILE', help='also write the object to this file')
    made.add_argument('--duration', type=float, default=75.0, metavar='S', help='seconds of each run (default: 75)')
    made.add_argument('--keep', type=path, metavar='DIR', help='keep traces and plots in this folder')
    made.add_argument(
        '--only', action='append', default=[], metavar='FAULT', help='of `faults`: this one; may be repeated'
    )
    made.add_argument(
        '--offline', action='store_true', help='of `loop`: in invented time with the real detector, from ten places'
    )
    made.add_argument('--starts', type=int, default=10, metavar='N', help='with --offline: so many (default: 10)')
    made.add_argument('--gpu', action='store_true', help='of `detector`: on an NVIDIA GPU, by ONNX Runtime with CUDA')
    made.add_argument('--preset', choices=LOOP_PRESETS, help='of `loop`: on this payload alone')
    made.add_argument(
        '--soak',
        action='store_true',
        help='of `faults`: inject none, run for --minutes, record what every process uses',
    )
    made.add_argument('--minutes', type=float, default=30.0, metavar='MIN', help='of --soak (default: 30)')
    made.add_argument('--fuzz', action='store_true', help='of `faults`: damaged input of every kind, for --duration')
    return made


def parse(arguments: Sequence[str] | None = None, path: Callable[[str], Path] = Path) -> argparse.Namespace:
    """The command line; ends the program where it is wrong."""
    made = parser(path)
    options = made.parse_args(arguments)
    if not 5.0 <= options.duration <= 3600.0:
        made.error(f'--duration is {options.duration:g}: use 5 .. 3600 seconds.')
    if not 0.2 <= options.minutes <= 1440.0:
        made.error(f'--minutes is {options.minutes:g}: use 0.2 .. 1440 minutes.')
    if not 1 <= options.starts <= 100:
        made.error(f'--starts is {options.starts}: use 1 .. 100.')
    return options
