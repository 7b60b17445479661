# SPDX-License-Identifier: Apache-2.0
"""Parameter files as rcl reads them: sections by a node's name or by a pattern, and which of them are a node's own."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_common.parameters.unknown_parameters import is_truth_of_rclpy

# What a file's scalars become: rcl_yaml_param_parser's `get_value`, which is neither YAML 1.1 nor 1.2.
_TRUE = ('Y', 'y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON')
_FALSE = ('N', 'n', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF')
_INTEGER = re.compile(r'[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)')
_FLOAT = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?\.?(inf|Inf|INF)|\.?(nan|NaN|NAN)')
_STRING_TAG = 'tag:yaml.org,2002:str'

_PARAMETERS_KEY = 'ros__parameters'
_WILD = ('*', '**')
_FILE_WORD = '--params-file'
_VALUE_WORDS = ('-p', '--param')


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a file gives, and where.

    Attributes:
        truth_word: what stands there, or first in the list there, that YAML takes for true or false and many people do
            not, as `off`; empty for none.
    """

    value: object
    line: int
    truth_word: str


@dataclass(frozen=True, slots=True)
class Section:
    """What a file gives to the nodes of one name or pattern, which begins with a slash."""

    pattern: str
    line: int
    parameters: Mapping[str, Given]


def read_sections(path: Path) -> tuple[Section, ...]:
    """All sections, checked for what rcl would refuse, and for what it would take and not use.

    Raises:
        ParameterError: with file, line and reason.
    """
    text = ''
    try:
        text = path.read_text(encoding='utf-8')
        root = _composed(text)
    except OSError as error:
        raise ParameterError(f'The parameter file {path} cannot be read ({error.strerror}).') from error
    except UnicodeDecodeError as error:
        raise ParameterError(f'The parameter file {path} is no text in UTF-8: save it as such.') from error
    except yaml.MarkedYAMLError as error:
        raise ParameterError(f'{path}, {_why_no_yaml(error)}') from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = f'line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}'
        raise ParameterError(f'{path}, {place}: YAML does not allow the character that stands there.') from error
    except RecursionError as error:
        raise ParameterError(f'{path} nests deeper than a parameter file can: take brackets out.') from error
    if root is None:
        return ()
    try:
        return tuple(_sections('', root))
    except _Wrong as error:
        mark = error.node.start_mark
        raise ParameterError(f'{path}, line {mark.line + 1}: {error}') from error


def refuse_unreadable(words: Sequence[str]) -> None:
    """Raise the ParameterError of what rcl would not read of a command line, or misread: a file, or a `-p`."""
    for word, value in itertools.pairwise(words):
        if word == _FILE_WORD:
            read_sections(Path(value))
        elif word in _VALUE_WORDS:
            _refuse_unreadable_value(value)


def sections_of(path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each section's pattern and its parameters by their full names; none of a file that cannot be used."""
    try:
        sections = read_sections(path)
    except ParameterError:
        return  # said where it is read to be used
    for section in sections:
        yield section.pattern, {name: given.value for name, given in section.parameters.items()}


def matches(pattern: str, node: str) -> bool:
    """`*` is one part of a name, `**` any number of them (rcl_yaml_param_parser)."""
    parts = [
        '(/[^/]+)*' if part == '**' else '/[^/]+' if part == '*' else f'/{re.escape(part)}'
        for part in pattern.split('/')[1:]
    ]
    return re.fullmatch(''.join(parts), node) is not None


def is_for_any_node(pattern: str) -> bool:
    """Whether its last part is no node's name."""
    return pattern.rpartition('/')[2] in _WILD


def named_for(node: str, words: Sequence[str], *, alone: bool) -> frozenset[str]:
    """The parameters that a command line gives to this node and not to whatever runs beside it.

    Args:
        node: its full name.
        words: of the command line, with its `--params-file` and `-p`.
        alone: whether it is the only node of its process, whose every `-p` is meant for it.
    """
    found: set[str] = set()
    for word, value in itertools.pairwise(words):
        if word == _FILE_WORD:
            for pattern, parameters in sections_of(Path(value)):
                if not is_for_any_node(pattern) and matches(pattern, node):
                    found.update(parameters)
        elif word in _VALUE_WORDS:
            whose, colon, name = value.partition(':=')[0].rpartition(':')
            if whose == node.rpartition('/')[2] if colon else alone:
                found.add(name)
    return frozenset(found)


def _refuse_unreadable_value(given: str) -> None:
    name, found, text = given.partition(':=')
    if not found or not name:
        raise ParameterError(f"'-p {given}' sets no parameter: write -p NAME:=VALUE.")
    try:
        node = _composed(text)
        if node is None:
            raise ParameterError(f"'-p {given}' has no value: write \"''\" for an empty text.")
        if isinstance(node, yaml.MappingNode):
            raise ParameterError(f"'-p {given}' gives a name with a value for a value: put it into quotes.")
        _value(name, node)
    except yaml.MarkedYAMLError as error:
        raise ParameterError(f"'-p {given}', {_why_no_yaml(error)}") from error
    except yaml.reader.ReaderError as error:
        raise ParameterError(f"'-p {name}:=...' has a character that YAML does not allow: leave it out.") from error
    except _Wrong as error:
        raise ParameterError(f"'-p {given}': {error}") from error


class _Wrong(Exception):
    """At that place of a file."""

    def __init__(self, node: yaml.Node, text: str) -> None:
        super().__init__(text)
        self.node = node


def _composed(text: str) -> yaml.Node | None:
    # libyaml's is ten times as fast on the suite's own file, and says less of what is wrong.
    fast = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    try:
        root: yaml.Node | None = yaml.compose(text, fast)
    except yaml.YAMLError:
        root = yaml.compose(text, yaml.SafeLoader)
    return root


def _why_no_yaml(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    begun = error.context_mark
    where = f' that begins in line {begun.line + 1}' if begun and mark and begun.line != mark.line else ''
    reason = ', '.join(part for part in (f'{error.context or ""}{where}', error.problem) if part)
    if '\\t' in reason:
        reason += ' (YAML is indented with spaces, never with tabs)'
    place = f'line {mark.line + 1}, column {mark.column + 1}' if mark else 'somewhere'
    return f'{place}: not YAML: {reason}.'


def _sections(name: str, node: yaml.Node, line: int = 1) -> Iterator[Section]:
    """Namespaces may be nested: `robot: {eo: {camera: {ros__parameters: ...}}}`."""
    if not isinstance(node, yaml.MappingNode):
        raise _Wrong(node, f'not a parameter file: write a node, as `/**/camera:`, below it `{_PARAMETERS_KEY}:`.')
    for key, inner in _pairs(node):
        if key.value == _PARAMETERS_KEY:
            if not name:
                raise _Wrong(key, f'there is no node above `{_PARAMETERS_KEY}:`: put its name there, as `/**/camera:`.')
            if not isinstance(inner, yaml.MappingNode):
                raise _Wrong(
                    key, f'`{_PARAMETERS_KEY}:` of `{name}` has no parameters below it: indent them further, as `a: 1`.'
                )
            yield Section(name, line, dict(_parameters('', inner)))
        elif isinstance(inner, yaml.MappingNode):
            yield from _sections(f'{name}/{key.value.strip("/")}', inner, key.start_mark.line + 1)
        elif not name or not inner.value:
            raise _Wrong(key, f'`{key.value}` has no `{_PARAMETERS_KEY}:` below it: indent that and the parameters.')
        else:
            raise _Wrong(
                key,
                f'`{name}` has `{key.value}` where `{_PARAMETERS_KEY}:` (with two _) belongs: put that in between.',
            )


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    lines: dict[str, int] = {}
    for key, inner in node.value:
        if not isinstance(key, yaml.ScalarNode) or not key.value:
            raise _Wrong(key, 'not a name of a node or parameter: use a word before the colon.')
        if key.value in lines:
            raise _Wrong(key, f'`{key.value}` is given twice, first in line {lines[key.value]}: keep one of them.')
        lines[key.value] = key.start_mark.line + 1
        if inner.start_mark.index < key.start_mark.index:
            raise _Wrong(key, f'`{key.value}` repeats another place (*NAME), which ROS does not accept: write it out.')
        yield key, inner


def _parameters(prefix: str, node: yaml.MappingNode) -> Iterator[tuple[str, Given]]:
    for key, inner in _pairs(node):
        name = f'{prefix}{key.value}'
        if isinstance(inner, yaml.MappingNode):
            yield from _parameters(f'{name}.', inner)
            continue
        value = _value(name, inner)
        scalars = [inner] if isinstance(inner, yaml.ScalarNode) else inner.value
        words = (each.value for each in scalars if isinstance(_scalar(each), bool))
        truth_word = next((word for word in words if word.lower() not in ('true', 'false')), '')
        yield name, Given(value, key.start_mark.line + 1, truth_word)


def _value(name: str, node: yaml.Node) -> object:
    value = _untyped(name, node)
    # rclpy's own words for it are an exception's name and its arguments, before any node is there to say it.
    if is_truth_of_rclpy(name.rpartition(':')[2]) and not isinstance(value, bool):
        raise _Wrong(node, f'`{name}` is {value!r}: use true or false.')
    return value


def _untyped(name: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        if not node.value and not node.style:
            raise _Wrong(node, f"`{name}` has no value: write '' for an empty text, or leave the line out.")
        return _scalar(node)
    values = []
    for each in node.value:
        if not isinstance(each, yaml.ScalarNode):
            raise _Wrong(each, f'`{name}` is a list of lists or of names with values, which ROS does not take.')
        values.append(_scalar(each))
    kinds = {type(each) for each in values}
    if kinds == {int, float}:
        raise _Wrong(node, f'`{name}` mixes whole numbers with others, which ROS does not take: write 1.0 for 1.')
    if len(kinds) > 1:
        raise _Wrong(node, f'`{name}` mixes kinds of values, which ROS does not take: put texts into quotes.')
    return values


def _scalar(node: yaml.ScalarNode) -> bool | int | float | str:
    text = str(node.value)
    if node.style in ("'", '"') or (node.tag == _STRING_TAG and node.style):
        return text
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        digits = text.lstrip('+-')
        base = 16 if digits[:2] in ('0x', '0X') else 8 if digits[:1] == '0' else 10
        value = int(text, base)
        if -(2**63) <= value < 2**63:
            return value
    if _FLOAT.fullmatch(text):
        number = float(re.sub(r'\.(?=[iInN])', '', text))
        if math.isfinite(number) or text[-1] in 'fFnN':
            return number
    return text
