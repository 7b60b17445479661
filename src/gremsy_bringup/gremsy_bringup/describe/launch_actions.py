# SPDX-License-Identifier: Apache-2.0
"""The system description as `launch` actions; the launch files are two lines around it. Needs launch_ros."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    UnsetEnvironmentVariable,
)
from launch.event_handlers import OnProcessExit, OnProcessIO, OnShutdown
from launch.events.process import ProcessExited, ProcessIO
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.logging import launch_config
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from gremsy_bringup.describe.parameter_layers import written
from gremsy_bringup.describe.rviz_view import write_view
from gremsy_bringup.describe.starting import Starting
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import (
    RESPAWN_DELAY_S,
    ProcessPlan,
    SystemDescription,
    ros_arguments,
)
from gremsy_bringup.logs.log_reader import LogReader, Marks
from gremsy_bringup.logs.log_record import LogRecord
from gremsy_bringup.logs.log_writer import JSON, LogWriter, OnceOnly
from gremsy_bringup.supervise.process_spec import CONFIGURATION_ERROR_STATUS
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import specs_of
from gremsy_common.parameters.parameter_texts import as_text, with_texts

# Of all robots that one launch starts, which hear each other on /rosout.
_SAID = OnceOnly()
# Where launch_ros keeps what PushRosNamespace has pushed.
_PUSHED_NAMESPACE = 'ros_namespace'


class CannotRunError(SuiteError):
    """A process ended and said that starting it again cannot help."""


def suite_launch_description(defaults: Mapping[str, str]) -> LaunchDescription:
    """All arguments (with other defaults where given) and everything that they start."""
    declarations = [
        DeclareLaunchArgument(
            spec.name,
            default_value=defaults.get(spec.name, as_text(spec.default)),
            description=spec.meta.doc,
            **({'choices': list(spec.meta.choices)} if spec.meta.choices else {}),
        )
        for spec in specs_of(SuiteArguments)
    ]
    return LaunchDescription([*declarations, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list[Any]:
    texts = {spec.name: LaunchConfiguration(spec.name).perform(context) for spec in specs_of(SuiteArguments)}
    starting = Starting(with_texts(SuiteArguments(), texts))
    starting.open()
    try:
        description = starting.description(context.launch_configurations.get(_PUSHED_NAMESPACE, ''))
    except SuiteError:
        starting.close()
        raise
    files = written(description.parameters, starting.folder)
    marks = Marks.fresh()
    common = _common(description, marks)
    actions: list[Any] = [
        Node(
            package=program.package,
            executable=program.executable,
            exec_name=program.name,
            arguments=list(program.arguments),
            **common,
        )
        for program in description.programs
    ]
    actions += [_process(description, process, files, common) for process in description.processes]
    viewer = [_rviz(write_view(description, starting.folder))] if description.arguments.rviz else []
    gathered: list[Any] = []
    if description.log_format == JSON:
        log = LaunchLog(LogWriter(partial(print, flush=True), JSON, description.namespace, said=_SAID), marks)
        log.take_over_screen()
        gathered = [handler for each in actions for handler in log.handlers(each)]
    refusals = [
        RegisterEventHandler(OnProcessExit(target_action=each, on_exit=LaunchRefusal().on_exit)) for each in actions
    ]
    given_back = RegisterEventHandler(OnShutdown(on_shutdown=lambda _, __: starting.close()))
    network = [
        UnsetEnvironmentVariable(name) if value is None else SetEnvironmentVariable(name, value)
        for name, value in starting.variables.items()
    ]
    # The handlers first: a process that refuses its configuration may be gone at once.
    notices = [LogInfo(msg=text) for text in starting.notices]
    return [given_back, *notices, *network, *gathered, *refusals, *actions, *viewer]


class LaunchRefusal:
    """What follows when one process refuses its configuration: no start at all, or one more by `launch`'s respawn."""

    def __init__(self) -> None:
        self._ends = 0

    def on_exit(self, event: ProcessExited, _context: LaunchContext) -> list[Any]:
        """At the first start that ends the launch; one that ran before (a file is gone) may run again.

        The launch ends by an exception, since a Shutdown event would let `ros2 launch` end with status 0, and a
        container's restart policy looks at that.
        """
        self._ends += 1
        if event.returncode != CONFIGURATION_ERROR_STATUS:
            return []
        if self._ends == 1:
            raise CannotRunError(f'{event.process_name} cannot run as configured; its own last words say why.')
        return [LogInfo(msg=f'{event.process_name} cannot run now and is tried again, the others go on.')]


class LaunchLog:
    """What a launch says as JSON lines: its processes', read here and not by launch, and what else it shows."""

    def __init__(self, writer: LogWriter, marks: Marks) -> None:
        self._writer, self._marks = writer, marks
        self._readers: dict[tuple[int, bool], LogReader] = {}

    def handlers(self, action: Node) -> list[RegisterEventHandler]:
        """For one of the suite's processes."""
        return [
            RegisterEventHandler(OnProcessIO(target_action=action, on_stdout=self.on_output, on_stderr=self.on_output)),
            RegisterEventHandler(OnProcessExit(target_action=action, on_exit=self.on_exit)),
        ]

    def on_output(self, event: ProcessIO) -> None:
        """Some bytes of it."""
        key = (event.pid, event.from_stderr)
        if key not in self._readers:
            # launch's names are `loop-1`; a number belongs to no camera.
            name = event.process_name.rpartition('-')[0] or event.process_name
            self._readers[key] = LogReader(name, self._marks, event.pid)
        self._write(self._readers[key].feed(event.text))

    def on_exit(self, event: ProcessExited, _context: LaunchContext) -> None:
        """What it was saying."""
        for from_stderr in (False, True):
            reader = self._readers.pop((event.pid, from_stderr), None)
            self._write([] if reader is None else reader.flush())

    def take_over_screen(self) -> None:
        """What launch shows: its own words, and the lines of processes that another launch file starts beside these."""
        launch_config.get_screen_handler().emit = self.shown

    def shown(self, record: logging.LogRecord) -> None:
        """Instead of a line on the screen."""
        process, found, _ = record.name.rpartition('-std')
        if not found:
            level = 'WARN' if record.levelname == 'WARNING' else record.levelname
            named = f'{record.name}: ' if record.name != 'launch' else ''
            self._writer.write(LogRecord('launch', level, f'{named}{record.getMessage()}'))
            return
        # Before the line stands the process's name in brackets (launch's `output_format`).
        line = record.getMessage().removeprefix(f'[{process}] ')
        reader = LogReader(process, Marks.fresh())
        self._write([*reader.feed(line.encode(errors='replace')), *reader.flush()])

    def _write(self, records: Sequence[LogRecord]) -> None:
        for record in records:
            self._writer.write(record)


def _rviz(view: Path) -> Node:
    """Whoever closes it does not want it back."""
    return Node(package='rviz2', executable='rviz2', exec_name='rviz', arguments=['-d', str(view)])


def _common(description: SystemDescription, marks: Marks) -> dict[str, Any]:
    if description.log_format == JSON:
        # Neither to the screen nor into launch's own log: `LaunchLog` takes it.
        output = {'output': {'both': set()}, 'emulate_tty': False, 'additional_env': marks.environment}
    else:
        output = {'output': 'screen', 'emulate_tty': True, 'additional_env': {}}
    return {
        **output,
        'respawn': description.arguments.use_respawn,
        'respawn_delay': RESPAWN_DELAY_S,
    }


def _process(
    description: SystemDescription, process: ProcessPlan, parameter_files: Sequence[Path], common: Mapping[str, Any]
) -> Node:
    options = {
        # Its lines begin with the process's name, which says whose camera it is.
        'exec_name': process.name,
        # Absolute, with whatever was pushed around it: launch_ros leaves that as it is.
        'namespace': process.namespace,
        'ros_arguments': list(ros_arguments(description, process, parameter_files)),
        **common,
        'additional_env': {**common['additional_env'], **process.environment},
    }
    if len(process.nodes) == 1:
        # A lifecycle node, so that a launch file which includes this one can send it transitions (`autostart` false).
        (node,) = process.nodes
        return LifecycleNode(
            package=node.package,
            executable=node.executable,
            name=node.name,
            **options,
        )
    return Node(
        package='gremsy_bringup',
        executable='container',
        arguments=['--components', *(node.word for node in process.nodes)],
        **options,
    )
