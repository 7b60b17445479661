# SPDX-License-Identifier: Apache-2.0
"""`./gremsy bench NAME [--json FILE]`: runs a benchmark and prints one JSON object on its last line.

A benchmark is a room of this folder, whose `NAME_benchmark.py` has a function `run(options) -> dict`;
`arguments.BENCHMARKS` lists them. Every object carries the machine and its load, so that figures of different days can
be told apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.arguments import ALL, names_of, parse
from gremsy_bringup.report.report_summary import describe_machine
from gremsy_common.atomic_file import refuse_others, refuse_unwritable, write_whole
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import given_path


def refuse_file_of_others(path: Path | None) -> None:
    """`--json` replaces nothing but figures of a benchmark; asked before the minutes that they take, too.

    Raises:
        NotOurs: naming what is in the way.
    """
    if path is not None:
        refuse_others(path, "file of a benchmark's figures", lambda there: _has_figures(json.loads(there.read_text())))


def _has_figures(content: dict[str, Any]) -> bool:
    one = content if 'benchmark' in content else next(iter(content.values()))
    return {'benchmark', 'machine'} <= set(one)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or all of them; the exit status."""
    options = parse(arguments, given_path)
    try:
        refuse_file_of_others(options.json)
        if options.json is not None:
            refuse_unwritable(options.json)
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    results = {}
    for name in names_of(options.name):
        before = describe_machine()
        try:
            figures = import_module(f'benchmarks.{name}.{name}_benchmark').run(options)
        except SuiteError as error:
            print(error, file=sys.stderr)
            return 1
        results[name] = {'benchmark': name, **figures, 'machine': before, 'load_after': describe_machine()['load_1min']}
    shown = results if options.name == ALL else results[options.name]
    # First where nothing can go wrong: they took minutes.
    print(json.dumps(shown), flush=True)
    return 0 if options.json is None else _keep(options.json, shown)


def _keep(path: Path, shown: dict[str, Any]) -> int:
    """Write the figures, its folder too; the exit status."""
    try:
        refuse_file_of_others(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(shown, indent=2) + '\n').encode())
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"'{path}' cannot be written ({error.strerror}): take the figures from above.", file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
