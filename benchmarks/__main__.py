# SPDX-License-Identifier: Apache-2.0
"""`./gremsy bench NAME [--json FILE]`: runs a benchmark and prints one JSON object on its last line.

A benchmark is a room of this folder, whose `NAME_benchmark.py` has a function `run(options) -> dict`;
`arguments.BENCHMARKS` lists them. Every object carries the machine and its load, so that figures of different days can
be told apart.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.arguments import ALL, names_of, parse
from gremsy_bringup.report.report_summary import describe_machine
from gremsy_common.atomic_file import refuse_others, refuse_unwritable, write_whole
from gremsy_common.claims import domain_claim, isolated
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import given_path
from gremsy_common.status_line import StatusLine


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
    results, failed = {}, False
    for name in names_of(options.name):
        before = describe_machine()
        try:
            # Benchmarks write lines of their own.
            with StatusLine(sys.stderr, in_place=False).working(f'bench {name}'), domain_claim() as domain:
                os.environ.update(isolated(domain))
                figures = import_module(f'benchmarks.{name}.{name}_benchmark').run(options)
        except SuiteError as error:
            # Those of the others took minutes: they are kept.
            print(f'{name}: {error}' if options.name == ALL else error, file=sys.stderr)
            failed = True
            continue
        results[name] = {'benchmark': name, **figures, 'machine': before, 'load_after': describe_machine()['load_1min']}
    if not results:
        return 1
    shown = results if options.name == ALL else results[options.name]
    # First where nothing can go wrong: they took minutes.
    print(json.dumps(shown), flush=True)
    kept = options.json is None or _keep(options.json, shown)
    return 1 if failed or not kept else 0


def _keep(path: Path, shown: dict[str, Any]) -> bool:
    """Write the figures, their folder too; whether that was done."""
    try:
        refuse_file_of_others(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps(shown, indent=2) + '\n').encode())
    except SuiteError as error:
        print(error, file=sys.stderr)
        return False
    except OSError as error:
        print(f"'{path}' cannot be written ({error.strerror}): take the figures from above.", file=sys.stderr)
        return False
    return True


if __name__ == '__main__':
    sys.exit(main())
