# SPDX-License-Identifier: Apache-2.0
"""The README's table and the YAML template of a parameter dataclass: written from the declaration, never by hand.

python -m gremsy_common.parameters.parameter_docs            # rewrite the tables in every package's README
python -m gremsy_common.parameters.parameter_docs --check    # exit status 1 if one is out of date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml

from gremsy_common.parameters.parameter_fields import ParameterSpec, specs_of

_BEGIN = '<!-- parameters of {name}: written by gremsy_common.parameters.parameter_docs -->'
_END = '<!-- end of parameters -->'

# README, node name, module and class of the parameters.
DOCUMENTED = (
    ('gremsy_camera', 'camera', 'gremsy_camera.camera_parameters', 'CameraParameters'),
    ('gremsy_camera', 'stream', 'gremsy_camera.stream_parameters', 'StreamParameters'),
    ('gremsy_detector', 'detector', 'gremsy_detector.detector_parameters', 'DetectorParameters'),
    ('gremsy_tracker', 'tracker', 'gremsy_tracker.tracker_parameters', 'TrackerParameters'),
    (
        'gremsy_gimbal_driver',
        'gimbal_driver',
        'gremsy_gimbal_driver.gimbal_driver_parameters',
        'GimbalDriverParameters',
    ),
    ('gremsy_web', 'web', 'gremsy_web.web_parameters', 'WebParameters'),
    ('gremsy_bringup', 'foreign_logs', 'gremsy_bringup.logs.foreign_logs_parameters', 'ForeignLogsParameters'),
    ('gremsy_bringup', 'recorder', 'gremsy_bringup.film.recorder_parameters', 'RecorderParameters'),
)


def type_name(spec: ParameterSpec) -> str:
    """`float`, `list of str` ..."""
    if get_origin(spec.type) is tuple:
        return f'list of {get_args(spec.type)[0].__name__}'
    return str(spec.type.__name__)


def markdown_table(parameters: type[Any]) -> str:
    """One row per parameter: name, type, unit, range, default, live, meaning."""
    lines = [
        '| parameter | type | unit | range | default | live | meaning |',
        '|---|---|---|---|---|---|---|',
    ]
    for spec in specs_of(parameters):
        cells = [
            f'`{spec.name}`',
            type_name(spec),
            spec.meta.unit,
            spec.meta.range_text,
            f'`{yaml_value(spec.default)}`',
            'yes' if spec.meta.live else '',
            spec.meta.doc,
        ]
        lines.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |')
    return '\n'.join(lines)


def yaml_template(node_name: str, parameters: type[Any]) -> str:
    """A parameter file section with every default and a comment a line."""
    lines = [f'/**/{node_name}:', '  ros__parameters:']
    for spec in specs_of(parameters):
        notes = ', '.join(spec.meta.notes)
        lines.append(f'    # {spec.meta.doc}{f" [{notes}]" if notes else ""}')
        lines.append(f'    {spec.name}: {yaml_value(spec.default)}')
    return '\n'.join(lines) + '\n'


def with_table(readme: str, node_name: str, table: str) -> str:
    """The README text with the table between its two marks replaced.

    Raises:
        ValueError: when the marks are not there.
    """
    begin = _BEGIN.format(name=node_name)
    head, found, rest = readme.partition(begin)
    _, closed, tail = rest.partition(_END)
    if not found or not closed:
        raise ValueError(f"The README has no '{begin}' ... '{_END}' for the parameters of {node_name}: add both lines.")
    return f'{head}{begin}\n\n{table}\n\n{_END}{tail}'


def yaml_value(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=10_000).removesuffix('\n...\n').strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite or check the tables of a source checkout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--check', action='store_true', help='change nothing; exit status 1 if a table is out of date')
    parser.add_argument('--source', type=Path, default=Path('src'), help='folder of the packages (default: src)')
    options = parser.parse_args(arguments)
    stale = []
    for package, node_name, module, name in DOCUMENTED:
        path = options.source / package / 'README.md'
        text = path.read_text(encoding='utf-8')
        new = with_table(text, node_name, markdown_table(getattr(import_module(module), name)))
        if new != text:
            stale.append(str(path))
            if not options.check:
                path.write_text(new, encoding='utf-8')
    if stale:
        print(('Out of date: ' if options.check else 'Rewritten: ') + ', '.join(stale))
    sys.exit(1 if stale and options.check else 0)


if __name__ == '__main__':
    main()
