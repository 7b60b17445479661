# SPDX-License-Identifier: Apache-2.0
"""Writes config/gremsy.yaml from the parameter dataclasses: every parameter, its default, unit, range and meaning.

python -m gremsy_bringup.describe.config_template            # rewrite it in a source checkout
python -m gremsy_bringup.describe.config_template --check    # exit status 1 if it is out of date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from gremsy_bringup.describe.system_description import GIMBAL_DRIVER, LOOP, STREAM, WEB
from gremsy_common.atomic_file import NotOurs, refuse_others
from gremsy_common.parameters.parameter_docs import DOCUMENTED, yaml_template
from gremsy_common.parameters.parameter_forms import given_path

_HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Every parameter of the suite with its default, written by `python -m gremsy_bringup.describe.config_template`.
# Do not edit it: put what you want to be different into a file of your own and give it as params_file:=FILE, which wins
# over this one.
"""


def template() -> str:
    """The whole file, node by node in the order of a frame's way."""
    places = {node_name: (module, name) for _, node_name, module, name in DOCUMENTED}
    sections = []
    for node in (*LOOP, STREAM, GIMBAL_DRIVER, WEB):
        module, name = places[node.name]
        sections.append(yaml_template(node.name, getattr(import_module(module), name)))
    return '\n'.join([_HEAD.rstrip('\n'), *sections])


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite or check the file of a source checkout."""
    parser = argparse.ArgumentParser(description='Writes config/gremsy.yaml from the parameter declarations.')
    parser.add_argument('--check', action='store_true', help='change nothing; exit status 1 if it is out of date')
    parser.add_argument('--file', type=given_path, default=Path('src/gremsy_bringup/config/gremsy.yaml'))
    options = parser.parse_args(arguments)
    new = template()
    stale = not options.file.exists() or options.file.read_text(encoding='utf-8') != new
    if stale and not options.check:
        try:
            refuse_others(options.file, 'template of this tool', lambda there: there.read_text().startswith(_HEAD))
        except NotOurs as error:
            sys.exit(str(error))
        options.file.write_text(new, encoding='utf-8')
    if stale:
        print(f'{"Out of date" if options.check else "Rewritten"}: {options.file}')
    sys.exit(1 if stale and options.check else 0)


if __name__ == '__main__':
    main()
