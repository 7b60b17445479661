# SPDX-License-Identifier: Apache-2.0
"""`./gremsy init`: asks, tries, writes. Nothing moves, and no file that is there is written over.

Exit status 0: written. 1: something does not work and is not to be written so. 2: cannot be asked so. 130: Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gremsy_bringup.init.init_arguments import parser
from gremsy_bringup.init.robot_file import RobotFile, field_of
from gremsy_bringup.init.trials import Trial, try_camera, try_link, try_model
from gremsy_camera.check.camera_finding import find, found_lines
from gremsy_common.atomic_file import refuse_unwritable, write_new
from gremsy_common.errors import SuiteError

NONE = 'none'
_SERIAL = Path('/dev/serial/by-id')
_UDP = 'udp://192.168.55.1:14566'
Ask = Callable[[str], str]
Say = Callable[[str], None]


class Trials(NamedTuple):
    """What tries each answer."""

    link: Callable[[str], Trial]
    camera: Callable[[str, Mapping[str, object]], Trial]
    model: Callable[[str], Trial]


_TRIALS = Trials(try_link, try_camera, try_model)


class InitError(SuiteError):
    """It cannot be asked, or not be written."""


class NotWanted(SuiteError):
    """Something did not work, and is not to be written all the same."""


class Interview:
    """Asks what was not said; each answer is tried at once, so that a typing error costs a moment."""

    def __init__(
        self, given: argparse.Namespace, ask: Ask, say: Say, *, interactive: bool, trials: Trials = _TRIALS
    ) -> None:
        self._given = given
        self._trials = trials
        self._ask = ask
        self._say = say
        self._interactive = interactive

    def robot(self) -> RobotFile:
        """The answers.

        Raises:
            InitError: something is not said and cannot be asked.
            NotWanted: something does not work and is not wanted so.
            SuiteError: a value that no node takes.
        """
        link = self._link()
        source, measured = self._camera()
        field_deg = None if self._given.calibration else self._field(source)
        measured = {name: value for name, value in measured.items() if name not in _ASKED}
        robot = RobotFile(link, source, field_deg, self._given.calibration or '', measured, self._model())
        robot.check()
        return robot

    def _link(self) -> str:
        def trial(text: str) -> Trial | None:
            return None if text == NONE else self._trials.link(text)

        ports = sorted(_SERIAL.iterdir()) if _SERIAL.is_dir() else []
        for port in ports:
            self._say(f'  serial://{port}?baud=115200')
        default = f'serial://{ports[0]}?baud=115200' if ports else _UDP
        text = self._tried(
            'link', f'The gimbal: serial:///dev/...?baud=115200, udp://HOST:PORT, or {NONE}', default, trial
        )
        return '' if text == NONE else text

    def _camera(self) -> tuple[str, dict[str, object]]:
        if self._given.camera is None and self._interactive:
            self._say('Cameras that are found (this takes 3 s):')
            for line in found_lines(find()):
                self._say(f'  {line}')
        proposed: dict[str, object] = {}

        def trial(text: str) -> Trial | None:
            if text.startswith(('sim', 'external')):
                return None  # comes with the payload, or with another driver
            done = self._trials.camera(text, self._lens())
            proposed.clear()
            proposed.update(done.proposed)
            return done

        text = self._tried('camera', 'The camera: rtsp://..., /dev/video0, external, a file', '', trial)
        source = 'sim:' if text == 'sim' else text
        # The tool writes credentials by name, so that none stands in a file.
        return str(proposed.get('source', source)), proposed

    def _lens(self) -> dict[str, object]:
        return {'calibration_file': self._given.calibration} if self._given.calibration else {}

    def _field(self, source: str) -> float | None:
        if source.startswith('sim:') and self._given.field is None:
            return None
        while True:
            text = self._answer(
                'field', 'How wide it sees at zoom 1, in degrees (Enter: not known yet)', '', optional=True
            )
            try:
                return field_of(text)
            except ValueError as error:
                self._again('field', f'{text!r} is not an angle between 0 and 180 degrees.', error)

    def _model(self) -> str:
        text = self._tried('model', 'The model: a YOLO export (FILE.onnx), or default', 'default', self._trials.model)
        return text if text == 'default' else str(Path(text).expanduser().absolute())

    def _tried(self, name: str, question: str, default: str, trial: Callable[[str], Trial | None]) -> str:
        while True:
            text = self._answer(name, question, default)
            done = None if self._given.no_check else trial(text)
            if done is None:
                return text
            self._say(f'{"works" if done.works else "does not work"}: {done.said}')
            if done.works or self._wanted():
                return text
            self._again(name, f'{text} does not work: {done.said}', None)

    def _wanted(self) -> bool:
        return self._interactive and self._ask('Write it all the same? [y/N] ').strip().lower() in ('y', 'yes')

    def _again(self, name: str, sentence: str, error: Exception | None) -> None:
        """Ask once more, where it was asked."""
        if not self._interactive or getattr(self._given, name) is not None:
            way_out = '; --no-check writes it untried' if error is None else ''
            raise NotWanted(f'{sentence} Nothing was written{way_out}.') from error

    def _answer(self, name: str, question: str, default: str, *, optional: bool = False) -> str:
        said: str | None = getattr(self._given, name)
        if said is not None:
            return said
        if not self._interactive:
            if optional or default == 'default':
                return default
            raise InitError(f'There is no terminal to ask on: give the answer with --{name}.')
        while True:
            text = self._ask(f'{question}{f" [{default}]" if default else ""}: ').strip() or default
            if text or optional:
                return text


# What `camera_check` proposes and was asked here already.
_ASKED = ('source', 'horizontal_field_deg', 'calibration_file')


def next_steps(robot: RobotFile, path: Path) -> list[str]:
    """What to do with the file."""
    without_field = robot.field_deg is None and not robot.calibration_file and not robot.source.startswith('sim:')
    arguments = f'params_file:={path} web:=true{"" if robot.link else " gimbal:=false"}'
    return [
        f'Start it:    ./gremsy run {arguments}',
        f'With ROS:    ros2 launch gremsy_bringup gremsy.launch.py {arguments}',
        'Look at it:  http://127.0.0.1:6783; nothing moves until you arm.',
        *(['Before pointing, write the field of view of the camera into the file.'] * without_field),
    ]


def write(robot: RobotFile, path: Path) -> None:
    """Raises InitError where something has that name, or it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_new(path, robot.text().encode())
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise InitError(f'{path} cannot be written ({error.strerror}): name another with --output.') from error


def _taken(path: Path) -> InitError:
    return InitError(f'{path} is there already and stays as it is: name another with --output.')


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask, try, write, say what comes next."""
    given = parser().parse_args(arguments)
    interactive = sys.stdin.isatty()
    try:
        if os.path.lexists(given.output):
            raise _taken(given.output)
        refuse_unwritable(given.output)
        robot = Interview(given, input, print, interactive=interactive).robot()
        write(robot, given.output)
    except SuiteError as error:
        print(error, file=sys.stderr)
        sys.exit(1 if isinstance(error, NotWanted) else 2)
    except (KeyboardInterrupt, EOFError):
        print('\nNothing was written.', file=sys.stderr)
        sys.exit(130)
    print(f'\n{given.output} is written.\n')
    print('\n'.join(next_steps(robot, given.output)))


if __name__ == '__main__':
    main()
