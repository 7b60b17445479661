# SPDX-License-Identifier: Apache-2.0
"""The arguments of the launch files and of `./gremsy run`: nav2's names, each default in this one place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from gremsy_bringup.describe.camera_choice import TRACKER, CameraChoice, cameras_from
from gremsy_common.parameters.parameter_fields import ParameterError, param, specs_of
from gremsy_common.parameters.parameter_forms import TextForm
from gremsy_common.parameters.parameter_texts import as_text, with_texts

# One level of a ROS name (REP-144 and rcl's validate_namespace).
_ROS_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*')


@dataclass(frozen=True)
class SuiteArguments:
    """What a user may set when starting the suite."""

    DECLARES: ClassVar[str] = 'Argument'

    namespace: str = param(
        'robot',
        'Namespace of the robot, for its driver; each camera is in <namespace>/<camera>. It is relative to a '
        'pushed namespace unless it begins with /; / is the root.',
    )
    cameras: str = param(
        'eo',
        'The cameras, separated by spaces or commas, each with its whole loop or, after a colon, only some nodes, '
        "as in 'eo ir:camera'; none for no camera.",
    )
    setpoint_source: str = param(
        '', "Camera whose tracker moves the gimbal at first; if empty, params_file's, else the first with a tracker."
    )
    gimbal: bool = param(True, 'Start the gimbal driver; false for cameras without a gimbal.')
    params_file: str = param(
        '', 'Parameter file that wins over the shipped config/gremsy.yaml; empty for none.', form=TextForm.PATH
    )
    allow_unknown_parameters: bool = param(
        False,
        'Start even if params_file names unknown nodes or parameters, which are reported and ignored; false '
        'refuses such a file.',
    )
    use_sim_time: bool = param(False, 'Take time from /clock.')
    log_level: str = param(
        'info', 'Lowest level that the nodes log.', choices=('debug', 'info', 'warn', 'error', 'fatal')
    )
    log_format: str = param(
        'auto',
        'Plain lines, or one JSON object per line, including the logs of other nodes (/rosout); `auto` follows '
        'GREMSY_LOG_FORMAT in the environment, and is text without it.',
        choices=('auto', 'text', 'json'),
    )
    use_respawn: bool = param(True, 'Restart a process that dies.')
    composed: bool = param(
        True, 'Run the nodes of a camera in one process, passing frames by reference; false: one process per node.'
    )
    one_loop: bool = param(
        False, 'Run all cameras in one process, so that their detectors share a model; false: one process per camera.'
    )
    sim: bool = param(False, 'Simulated payload and cameras instead of hardware.')
    video: str = param(
        'auto',
        'The video server that each camera sends its video to while somebody watches: a MediaMTX that is started '
        'elsewhere, or the built-in server. `auto` starts the built-in one with `web`, unless MediaMTX is on PATH or '
        'its ports are taken; `none` sends no video.',
        choices=('auto', 'builtin', 'mediamtx', 'none'),
    )
    web: bool = param(False, "Start the operator's page and its API, on port 6783 of this machine.")
    rviz: bool = param(False, 'Start RViz with a view made for these cameras.')

    def check(self) -> None:
        """Names and files.

        Raises:
            ParameterError: naming the argument and the way out.
        """
        if self.robot and not _ROS_NAME.fullmatch(self.robot):
            raise ParameterError(
                f"Argument `namespace` is '{self.namespace}', which ROS does not accept: "
                'use letters, digits and _, not beginning with a digit.'
            )
        if self.params_file and not (path := Path(self.params_file).expanduser()).is_file():
            what = 'that is a folder, name a file' if path.is_dir() else 'there is no such file'
            if path.is_fifo():
                what = 'that is a pipe, which only one process could read, name a file'
            raise ParameterError(f"Argument `params_file` is '{self.params_file}': {what}.")
        self._check_cameras()

    @property
    def robot(self) -> str:
        """The namespace without slashes at its ends; empty for the root."""
        return self.namespace.strip('/')

    @property
    def camera_choices(self) -> tuple[CameraChoice, ...]:
        """What `cameras` says."""
        return cameras_from(self.cameras, video=self.video != 'none')

    def _check_cameras(self) -> None:
        chosen = self.camera_choices
        tracking = [each.name for each in chosen if TRACKER in each.nodes]
        if self.setpoint_source and self.setpoint_source not in tracking:
            way_out = f'use one of {", ".join(tracking)}' if tracking else 'none here has one, so leave it out'
            raise ParameterError(
                f"Argument `setpoint_source` is '{self.setpoint_source}', not a camera with a tracker: {way_out}."
            )
        if self.one_loop and not self.composed:
            raise ParameterError(
                'Arguments `one_loop` and `composed` contradict each other: leave `composed` true for all cameras in '
                'one process.'
            )
        if not chosen and not self.gimbal:
            raise ParameterError(
                'Argument `cameras` names none and `gimbal` is false, so nothing would start: name a camera.'
            )


def from_command_line(words: Iterable[str]) -> SuiteArguments:
    """The arguments from words of the form `name:=value`, as `ros2 launch` takes them.

    Raises:
        ParameterError: for a word of another form, and naming the first argument that is wrong.
    """
    texts = {}
    for word in words:
        name, found, text = word.partition(':=')
        if not found:
            names = ', '.join(spec.name for spec in specs_of(SuiteArguments))
            raise ParameterError(f"'{word}' is not an argument: write name:=value with one of {names}.")
        texts[name] = text
    return with_texts(SuiteArguments(), texts)


def usage() -> str:
    """What `./gremsy run --help` prints: two lines for each argument."""
    rows = []
    for spec in specs_of(SuiteArguments):
        choices = f' ({spec.meta.range_text})' if spec.meta.choices else ''
        default = as_text(spec.default) or "''"
        rows.append(f'  {spec.name}:={default}\n      {spec.meta.doc}{choices}')
    return '\n'.join(['usage: ./gremsy run [name:=value ...]', '', *rows])
