# SPDX-License-Identifier: Apache-2.0
"""The arguments of the launch files and of `./gremsy run`: nav2's names, each default in this one place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterError, ParameterSpec, from_values, param, specs_of
from gremsy_common.parameters.parameter_forms import TextForm

# One level of a ROS name (REP-144 and rcl's validate_namespace).
_ROS_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*')


class ArgumentError(SuiteError):
    """A launch argument that cannot be used; the text names it."""


@dataclass(frozen=True)
class SuiteArguments:
    """What a user may say when starting the suite."""

    namespace: str = param('robot', doc="The robot's name: its nodes live in /<namespace> and /<namespace>/eo.")
    params_file: str = param(
        '', doc='Parameter file that wins over the shipped config/gremsy.yaml; empty for none.', form=TextForm.PATH
    )
    use_sim_time: bool = param(False, doc='Take the time from /clock.')
    log_level: str = param(
        'info', choices=('debug', 'info', 'warn', 'error', 'fatal'), doc='What the nodes log, at least.'
    )
    use_respawn: bool = param(True, doc='Start a process again when it dies.')
    composed: bool = param(
        True, doc='Camera, detector and tracker in one process, frames by reference; false: one process each.'
    )
    sim: bool = param(False, doc='Simulated payload and camera in place of hardware.')

    def check(self) -> None:
        """Names and files.

        Raises:
            ParameterError: naming the argument and the way out.
        """
        if not _ROS_NAME.fullmatch(self.namespace.strip('/')):
            raise ParameterError(
                f"Parameter `namespace` is '{self.namespace}', which ROS does not accept: "
                'use letters, digits and _, not beginning with a digit.'
            )
        if self.params_file and not Path(self.params_file).expanduser().is_file():
            raise ParameterError(f"Parameter `params_file` is '{self.params_file}': there is no such file.")

    @property
    def robot(self) -> str:
        """The robot's name without slashes at its ends."""
        return self.namespace.strip('/')


def as_text(value: object) -> str:
    """A default as launch files and command lines write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def from_texts(texts: Mapping[str, str]) -> SuiteArguments:
    """The arguments from what a launch file or a command line gives.

    Raises:
        ArgumentError: naming the first argument that is wrong.
    """
    specs = {spec.name: spec for spec in specs_of(SuiteArguments)}
    values = {name: _value(specs[name], text) if name in specs else text for name, text in texts.items()}
    try:
        return from_values(SuiteArguments, values)
    except ParameterError as error:
        raise ArgumentError(str(error).replace('Parameter `', 'Argument `').replace('parameter', 'argument')) from error


def from_command_line(words: Iterable[str]) -> SuiteArguments:
    """The arguments from words of the form `name:=value`, as `ros2 launch` takes them.

    Raises:
        ArgumentError: for a word of another form, and as `from_texts`.
    """
    texts = {}
    for word in words:
        name, found, text = word.partition(':=')
        if not found:
            names = ', '.join(spec.name for spec in specs_of(SuiteArguments))
            raise ArgumentError(f"'{word}' is not an argument: write name:=value with one of {names}.")
        texts[name] = text
    return from_texts(texts)


def argument_help() -> str:
    """One line per argument."""
    rows = []
    for spec in specs_of(SuiteArguments):
        choices = f' ({spec.meta.range_text})' if spec.meta.choices else ''
        default = as_text(spec.default) or "''"
        rows.append(f'  {spec.name}:={default}\n      {spec.meta.doc}{choices}')
    return '\n'.join(rows)


def usage() -> str:
    """What `./gremsy run --help` prints."""
    return f'usage: ./gremsy run [name:=value ...]\n\n{argument_help()}'


def _value(spec: ParameterSpec, text: str) -> object:
    if spec.type is not bool:
        return text
    truth = {'true': True, '1': True, 'yes': True, 'false': False, '0': False, 'no': False}
    if text.strip().lower() not in truth:
        raise ArgumentError(f"Argument `{spec.name}` is '{text}': use true or false.")
    return truth[text.strip().lower()]
