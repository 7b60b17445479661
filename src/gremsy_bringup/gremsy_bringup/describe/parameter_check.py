# SPDX-License-Identifier: Apache-2.0
"""Whether a parameter file says what its author means: checked before anything is started, and by itself.

    ros2 run gremsy_bringup check my_robot.yaml [name:=value ...]

with the launch arguments that the file is for. Exit status 0: it can be used. 1: it cannot. 2: these arguments cannot.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gremsy_bringup.describe.camera_choice import CHOOSABLE_NODES
from gremsy_bringup.describe.parameter_layers import SectionFile, values_for
from gremsy_bringup.describe.suite_arguments import from_command_line
from gremsy_bringup.describe.system_description import (
    FOREIGN_LOGS,
    GIMBAL_DRIVER,
    WEB,
    SystemDescription,
    describe,
    joined,
)
from gremsy_bringup.supervise.process_spec import CONFIGURATION_ERROR_STATUS
from gremsy_common.errors import SuiteError, did_you_mean, near_to
from gremsy_common.parameters.parameter_fields import ParameterError, coerce, from_values, specs_of
from gremsy_common.parameters.parameter_sections import (
    Given,
    Section,
    is_for_any_node,
    matches,
    read_sections,
    sections_of,
)
from gremsy_common.parameters.unknown_parameters import is_of_rclpy, suite_nodes
from gremsy_common.parameters.words_without_ros import words_without_ros

_USAGE = 'usage: check FILE [name:=value ...]'
_ALLOW = 'allow_unknown_parameters:=true'
_NEAR_NAME = 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one place of a file.

    Attributes:
        sentence: with file, line and the way out.
        unknown: it names what this start has not, which may be another program's.
        harmless: it may well be meant so: a camera that is started by itself elsewhere.
    """

    sentence: str
    unknown: bool = False
    harmless: bool = False


def refuse_wrong(description: SystemDescription) -> tuple[str, ...]:
    """What the user should hear of the parameter file of a start.

    Raises:
        ParameterError: with the first sentence of what keeps it from being used.
    """
    arguments = description.arguments
    if not arguments.params_file:
        return ()
    findings = list(check(Path(arguments.params_file).expanduser(), description))
    allowed = arguments.allow_unknown_parameters
    wrong = [each for each in findings if not (each.harmless or (each.unknown and allowed))]
    if wrong:
        more = f' ({len(wrong) - 1} more: `ros2 run gremsy_bringup check` names them.)' if len(wrong) > 1 else ''
        way_out = f' {_ALLOW} starts without it.' if wrong[0].unknown else ''
        raise ParameterError(f'{wrong[0].sentence}{way_out}{more}')
    return tuple(each.sentence for each in findings)


def check(path: Path, description: SystemDescription) -> Iterator[Finding]:
    """All that is wrong with a file for this start, in the order of its lines."""
    try:
        sections = read_sections(path)
    except ParameterError as error:
        yield Finding(str(error))
        return
    nodes = _nodes_of(description)
    wrong = False
    for section in sections:
        for finding in _of_section(path, section, nodes, description):
            wrong = wrong or not finding.harmless
            yield finding
    if not wrong:
        yield from _of_combinations(path, description)


def _nodes_of(description: SystemDescription) -> Mapping[str, type[Any]]:
    """The parameters of each node that these cameras may have, by full name, started or not."""
    kinds = suite_nodes()
    robot, cameras = description.namespace, description.arguments.camera_choices
    names = [joined(robot, each.name) for each in (GIMBAL_DRIVER, WEB, FOREIGN_LOGS)]
    names += [joined(robot, camera.name, node) for camera in cameras for node in CHOOSABLE_NODES]
    return {name: kinds[name.rpartition('/')[2]] for name in names if name.rpartition('/')[2] in kinds}


def _of_section(
    path: Path, section: Section, nodes: Mapping[str, type[Any]], description: SystemDescription
) -> Iterator[Finding]:
    at = f'{path}, line {section.line}'
    hit = [name for name in nodes if matches(section.pattern, name)]
    if hit:
        # What stands for nodes of any name may be for one of the suite that is of no camera here.
        kinds = suite_nodes() if is_for_any_node(section.pattern) else {name: nodes[name] for name in hit}
        for name, value in section.parameters.items():
            yield from _of_parameter(path, section.pattern, name, value, kinds)
        return
    namespace, _, last = section.pattern.rpartition('/')
    if _is_of_another_camera(section.pattern, description):
        cameras = description.arguments.cameras
        yield Finding(f'{at}: `{section.pattern}` is of no camera of this start (cameras:={cameras}).', harmless=True)
        return
    node = last if last in suite_nodes() else near_to(last, suite_nodes())
    fitting = [name for name in nodes if name.rpartition('/')[2] == node]
    if '*' in namespace and node is not None and node != last:
        fitting = [f'{namespace}/{node}']
    meant = next(iter(get_close_matches(section.pattern, fitting, 1, 0.0)), None)
    way_out = f'did you mean `{meant}`?' if meant else f'the nodes here are {", ".join(sorted(nodes))}.'
    yield Finding(f'{at}: no node of this start is `{section.pattern}`: {way_out}', unknown=True)


def _is_of_another_camera(pattern: str, description: SystemDescription) -> bool:
    """Whether it is in order, and of a camera that is started by itself, as a container each.

    One whose name differs by a letter from a camera of this start is a misspelt one; by a digit, it is the next one.
    """
    namespace, _, node = pattern.rpartition('/')
    around, _, camera = namespace.rpartition('/')
    robot = description.namespace
    if node not in CHOOSABLE_NODES or '*' in camera or not matches(f'{around}/{camera}', joined(robot, camera)):
        return False
    names = [each.name for each in description.arguments.camera_choices]
    near = get_close_matches(camera, names, 1, _NEAR_NAME)
    return not near or near[0].rstrip('0123456789') == camera.rstrip('0123456789') != ''


def _of_parameter(
    path: Path, pattern: str, name: str, given: Given, kinds: Mapping[str, type[Any]]
) -> Iterator[Finding]:
    """`kinds` are those of the nodes that it is for, by name."""
    at = f'{path}, line {given.line}'
    specs = [spec for kind in dict.fromkeys(kinds.values()) for spec in specs_of(kind) if spec.name == name]
    if not specs and not is_of_rclpy(name):
        yield Finding(f'{at}: {_unknown(pattern, name, kinds)}', unknown=True)
    for spec in specs:
        try:
            coerce(spec, given.value)
        except ParameterError as error:
            sentence = str(error)
            if given.truth_word:
                has, first = ('has', given.value[0]) if isinstance(given.value, list) else ('is', given.value)
                sentence = (
                    f'Parameter `{name}` {has} {given.truth_word}, which YAML takes for {str(first).lower()}: '
                    f"put it into quotes, as '{given.truth_word}'."
                )
            yield Finding(f'{at}: {sentence}')
            return


def _unknown(pattern: str, name: str, kinds: Mapping[str, type[Any]]) -> str:
    known = sorted({spec.name for kind in kinds.values() for spec in specs_of(kind)})
    owner = next((node for node, kind in suite_nodes().items() for spec in specs_of(kind) if spec.name == name), None)
    otherwise = 'take the line out, config/gremsy.yaml has all that there are.'
    if owner is not None:
        otherwise = f'it is one of `/**/{owner}`.'
    return f'`{pattern}` has no parameter `{name}`: {did_you_mean(name, known, otherwise)}'


def _of_combinations(path: Path, description: SystemDescription) -> Iterator[Finding]:
    """What each node of this start would refuse of all its parameters together."""
    kinds = suite_nodes()
    given = [
        section
        for layer in description.parameters
        for section in (layer.sections.items() if isinstance(layer, SectionFile) else sections_of(layer))
    ]
    for name in (node for process in description.processes for node in process.node_names):
        kind = kinds.get(name.rpartition('/')[2])
        if kind is None:
            continue
        known = {spec.name for spec in specs_of(kind)}
        try:
            from_values(kind, {each: value for each, value in values_for(name, given).items() if each in known})
        except ParameterError as error:
            yield Finding(f'{path}: {name}: {error}')


def main(arguments: Sequence[str] | None = None) -> None:
    """Say what is wrong with a file."""
    words = words_without_ros(sys.argv[1:] if arguments is None else arguments)
    if {'-h', '--help'} & set(words):
        print(f'{_USAGE}\n\n{__doc__}', end='')
        sys.exit(0)
    if not words or not words[0] or ':=' in words[0] or words[0].startswith('-'):
        print(f'check needs a parameter file first: {_USAGE}', file=sys.stderr)
        sys.exit(CONFIGURATION_ERROR_STATUS)
    try:
        description = describe(from_command_line([f'params_file:={words[0]}', *words[1:]]))
    except SuiteError as error:
        print(error, file=sys.stderr)
        sys.exit(CONFIGURATION_ERROR_STATUS)
    findings = list(check(Path(words[0]).expanduser(), description))
    for each in findings:
        print(each.sentence)
    if any(not each.harmless for each in findings):
        sys.exit(1)
    print(f'{words[0]} can be used with these arguments.')


if __name__ == '__main__':
    main()
