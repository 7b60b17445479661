# SPDX-License-Identifier: Apache-2.0
"""Parameters from the variables of docker/.env, under those of the robot's own file.

`python -m gremsy_bringup.deployment.environment_parameters FILE` writes them; `params_file:=FILE` takes them.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from gremsy_common.errors import SuiteError

Sections: TypeAlias = dict[str, dict[str, Any]]

_KEYS = Path('/run/secrets/gremsy_keys')
_ROBOT = Path('/config/my_robot.yaml')
# Of compose.yaml.
_IR, _RECORDING = 'ir', 'recording'
# Where a payload with an address of its own is, by its maker's manual: MAVLink, and the video of its first camera.
_LINK = 'udp://{}:14566'
_SOURCE = 'rtsp://{}:8554/payload'


class VariableError(SuiteError):
    """A variable that cannot be what it is for; the text names it."""


def parameters_of(
    environment: Mapping[str, str], robot: Mapping[str, Any], is_file: Callable[[Path], bool] = Path.is_file
) -> Sections:
    """Both as the content of one parameter file.

    Args:
        environment: Of the container; an empty variable counts as unset.
        robot: The content of the robot's own file, which wins over the environment.
        is_file: Whether a file is there.

    Raises:
        VariableError: For something else than a number.
    """
    said = {name: value for name, value in environment.items() if value}
    sections: Sections = {}

    def put(node: str, **values: object) -> None:
        kept = {name: value for name, value in values.items() if value is not None}
        if kept:
            sections.setdefault(node, {}).setdefault('ros__parameters', {}).update(kept)

    address = said.get('GREMSY_IP')
    profiles = said.get('COMPOSE_PROFILES', '').split(',')
    cameras = _cameras(said, profiles)
    put(
        '/**/gimbal_driver',
        link=said.get('GREMSY_LINK') or (_LINK.format(address) if address else None),
        # Those of another container too, which this one's launch does not know of.
        optical_frames=[f'{name}_optical_frame' for name in cameras] if cameras and _IR in profiles else None,
    )
    put(
        '/**/eo/camera',
        source=said.get('EO_SOURCE') or (_SOURCE.format(address) if address else None),
        horizontal_field_deg=_number(said, 'EO_FIELD_DEG', 1.0, 179.0),
    )
    put(
        '/**/ir/camera',
        source=said.get('IR_SOURCE'),
        horizontal_field_deg=_number(said, 'IR_FIELD_DEG', 1.0, 179.0),
    )
    put('/**/detector', model=said.get('MODEL'), engine_dir=said.get('ENGINES'))
    port = _number(said, 'PORT', 1, 65535)
    put(
        '/**/web',
        # Without a key the page keeps to this machine by itself.
        host='0.0.0.0',  # noqa: S104
        port=None if port is None else int(port),
        keys_file=str(_KEYS) if is_file(_KEYS) else None,
        cameras=cameras,
    )
    # The node does not know of a server that records.
    put('/**/stream', when='always' if _RECORDING in profiles else None)
    return _over(sections, robot)


def _cameras(said: Mapping[str, str], profiles: Sequence[str]) -> list[str] | None:
    """Those of this container, and `ir` where its own container runs."""
    named = [each.partition(':')[0] for each in said.get('CAMERAS', '').replace(',', ' ').split()]
    if _IR in profiles and 'ir' not in named:
        named = [*(named or ['eo']), 'ir']
    return named or None


def _number(said: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    if name not in said:
        return None
    try:
        value = float(said[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise VariableError(
            f'{name} is {said[name][:40]!r} in .env: give a number from {low:g} to {high:g}, or nothing.'
        )
    return value


def _over(sections: Sections, robot: Mapping[str, Any]) -> Sections:
    """The robot's own sections after ours and over them, since of two patterns the later one wins."""
    result = {node: {**content} for node, content in sections.items() if node not in robot}
    for node, content in robot.items():
        own = sections.get(node, {}).get('ros__parameters', {})
        # Namespaces may be nested, and then there are no parameters at this level.
        values = (content or {}).get('ros__parameters') or {}
        result[node] = {**(content or {}), 'ros__parameters': {**own, **values}} if own or values else content
    return result


def robot_file(path: Path) -> dict[str, Any]:
    """Its content; empty where there is no file.

    Raises:
        VariableError: It is not a parameter file.
    """
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise VariableError(f'{path} cannot be read ({error}): fix it, or remove it.') from error
    content = {} if content is None else content
    if not isinstance(content, dict) or not all(_is_section(each) for each in content.values()):
        raise VariableError(
            f'{path} is not a parameter file: write `/**/NODE:`, below it `ros__parameters:`, and below that the '
            'parameters.'
        )
    return content


def _is_section(content: object) -> bool:
    return content is None or (isinstance(content, dict) and isinstance(content.get('ros__parameters') or {}, dict))


def main(arguments: Iterable[str] | None = None) -> None:
    """Write them to the file that is named."""
    (target,) = sys.argv[1:] if arguments is None else arguments
    try:
        sections = parameters_of(os.environ, robot_file(Path(os.environ.get('ROBOT_FILE') or _ROBOT)))
    except SuiteError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    Path(target).write_text(yaml.safe_dump(sections, sort_keys=False), encoding='utf-8')


if __name__ == '__main__':
    main()
