# SPDX-License-Identifier: Apache-2.0
"""`./gremsy bench NAME [--json FILE]`: runs a benchmark and prints one JSON object on its last line.

A benchmark is a module of this folder with a function `run(options) -> dict`; `arguments.BENCHMARKS` lists them. Every
object carries the machine and its load, so that figures of different days can be told apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module

from benchmarks.arguments import ALL, names_of, parse
from gremsy_bringup.report_summary import describe_machine
from gremsy_common.errors import SuiteError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or all of them; the exit status."""
    options = parse(arguments)
    results = {}
    for name in names_of(options.name):
        before = describe_machine()
        try:
            figures = import_module(f'benchmarks.{name}').run(options)
        except SuiteError as error:
            print(error, file=sys.stderr)
            return 1
        results[name] = {'benchmark': name, **figures, 'machine': before, 'load_after': describe_machine()['load_1min']}
    shown = results if options.name == ALL else results[options.name]
    line = json.dumps(shown)
    if options.json is not None:
        options.json.write_text(json.dumps(shown, indent=2) + '\n', encoding='utf-8')
    print(line)
    return 0


if __name__ == '__main__':
    sys.exit(main())
