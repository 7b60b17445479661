# SPDX-License-Identifier: Apache-2.0
"""The system description as `launch` actions; the launch files are two lines around it. Needs launch_ros."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from gremsy_bringup.describe.suite_arguments import SuiteArguments, as_text, from_texts
from gremsy_bringup.describe.system_description import (
    RESPAWN_DELAY_S,
    ProcessPlan,
    SimulatedPayload,
    SystemDescription,
    describe,
)
from gremsy_bringup.supervise.process_spec import CONFIGURATION_ERROR_STATUS
from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import specs_of


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
    description = describe(from_texts(texts))
    actions: list[Any] = []
    if description.payload is not None:
        actions.append(_payload(description, description.payload))
    for process in description.processes:
        actions.append(_process(description, process))
    handlers = [RegisterEventHandler(OnProcessExit(target_action=each, on_exit=_give_up)) for each in actions]
    # The handlers first: a process that refuses its configuration may be gone at once.
    return [*handlers, *actions]


def _give_up(event: ProcessExited, _context: LaunchContext) -> None:
    """A process that refuses its configuration would refuse it again: end the launch instead of respawning it.

    By an exception, since a Shutdown event would let `ros2 launch` end with status 0.
    """
    if event.returncode == CONFIGURATION_ERROR_STATUS:
        raise CannotRunError(f'{event.process_name} cannot run as configured; its own last words say why.')


def _common(description: SystemDescription) -> dict[str, Any]:
    return {
        'output': 'screen',
        'emulate_tty': True,
        'respawn': description.arguments.use_respawn,
        'respawn_delay': RESPAWN_DELAY_S,
    }


def _payload(description: SystemDescription, payload: SimulatedPayload) -> Node:
    return Node(
        package='gremsy_gimbal_sim',
        executable='sim_payload',
        arguments=list(payload.program_arguments),
        **_common(description),
    )


def _process(description: SystemDescription, process: ProcessPlan) -> Node:
    arguments = description.arguments
    options = {
        'namespace': process.namespace,
        'remappings': list(process.remappings),
        'parameters': [
            *map(str, description.shipped_files),
            *map(str, description.user_files),
            {'use_sim_time': arguments.use_sim_time},
        ],
        'ros_arguments': ['--log-level', arguments.log_level],
        'additional_env': dict(process.environment),
        **_common(description),
    }
    if len(process.nodes) == 1:
        # A lifecycle node, so that a launch file which includes this one can send it transitions (`autostart` false).
        (node,) = process.nodes
        return LifecycleNode(package=node.package, executable=node.executable, name=node.name, **options)
    components = [node.component for node in process.nodes]
    return Node(package='gremsy_bringup', executable='container', arguments=['--components', *components], **options)
