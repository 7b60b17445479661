# SPDX-License-Identifier: Apache-2.0
"""`./gremsy bench [NAME] [--json FILE]`: runs a benchmark and prints one JSON object on its last line.

A benchmark is a module of this folder with a function `run(options) -> dict` and a first docstring line; `NAMES` lists
them. Every object carries the machine and its load, so that figures of different days can be told apart.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from gremsy_bringup.report_summary import describe_machine
from gremsy_common.errors import SuiteError

NAMES = ('detector', 'gimbal', 'loop', 'pointing', 'tracker')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or all of them; the exit status."""
    parser = argparse.ArgumentParser(prog='gremsy bench', description='Runs the benchmarks; see benchmarks/README.md.')
    parser.add_argument('name', nargs='?', choices=NAMES, help='which one (default: all)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write the object to this file')
    parser.add_argument('--duration', type=float, default=75.0, metavar='S', help='seconds of each run (default: 75)')
    parser.add_argument('--keep', type=Path, metavar='DIR', help='keep traces and plots in this folder')
    options = parser.parse_args(arguments)
    if not 5.0 <= options.duration <= 3600.0:
        parser.error(f'--duration is {options.duration:g}: use 5 .. 3600 seconds.')
    results = {}
    for name in (options.name,) if options.name else NAMES:
        before = describe_machine()
        try:
            figures = import_module(f'benchmarks.{name}').run(options)
        except SuiteError as error:
            print(error, file=sys.stderr)
            return 1
        results[name] = {'benchmark': name, **figures, 'machine': before, 'load_after': describe_machine()['load_1min']}
    shown = next(iter(results.values())) if options.name else results
    line = json.dumps(shown)
    if options.json is not None:
        options.json.write_text(json.dumps(shown, indent=2) + '\n', encoding='utf-8')
    print(line)
    return 0


if __name__ == '__main__':
    sys.exit(main())
