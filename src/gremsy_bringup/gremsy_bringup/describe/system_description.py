# SPDX-License-Identifier: Apache-2.0
"""Which processes the suite is made of and which nodes are in them (design.md section 5), from the launch arguments.

The launch files and the supervisor start the same thing because both read it here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.supervise.process_spec import ProcessSpec, RestartPolicy

CAMERA_NAME = 'eo'
# What the nodes of a camera call by a relative name and the one gimbal of the robot answers to.
GIMBAL_TOPICS = (
    'gimbal/attitude',
    'gimbal/attitude_earth',
    'gimbal/imu',
    'gimbal/range',
    'gimbal/zoom',
    'gimbal/control',
    'gimbal/goal',
    'gimbal/plant',
    'gimbal/setpoint',
    'gimbal/zoom_setpoint',
)
RESPAWN_DELAY_S = 0.5


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node: the component that a container loads, or the executable that `ros2 run` starts."""

    component: str
    package: str
    executable: str

    @property
    def name(self) -> str:
        """The node's name is its component's."""
        return self.component


CAMERA = NodePlan('camera', 'gremsy_camera', 'camera_node')
DETECTOR = NodePlan('detector', 'gremsy_detector', 'detector_node')
TRACKER = NodePlan('tracker', 'gremsy_tracker', 'tracker_node')
RECORDER = NodePlan('recorder', 'gremsy_bringup', 'recorder_node')
GIMBAL_DRIVER = NodePlan('gimbal_driver', 'gremsy_gimbal_driver', 'gimbal_driver_node')
LOOP = (CAMERA, DETECTOR, TRACKER)


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """One process of nodes that share a namespace and remappings.

    Attributes:
        stop_rank: the driver first, so that the gimbal stands still before anything else goes; the payload last.
        grace_s: from SIGTERM to SIGKILL.
    """

    name: str
    namespace: str
    nodes: tuple[NodePlan, ...]
    remappings: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_rank: int = 0
    grace_s: float = 5.0


@dataclass(frozen=True, slots=True)
class SimulatedPayload:
    """How the simulated payload is started; the defaults agree with `config/sim.yaml`."""

    udp_port: int = 14566
    truth_ring: str = 'payload'
    preset: str = 'ideal'

    @property
    def program_arguments(self) -> tuple[str, ...]:
        """For `ros2 run gremsy_gimbal_sim sim_payload`."""
        return (
            '--udp',
            f'127.0.0.1:{self.udp_port}',
            '--truth-ring',
            self.truth_ring,
            '--preset',
            self.preset,
        )


@dataclass(frozen=True, slots=True)
class SystemDescription:
    """Everything that is started, in the order of starting.

    Parameters come from the shipped files, then from the user's files: later ones win.
    """

    arguments: SuiteArguments
    processes: tuple[ProcessPlan, ...]
    shipped_files: tuple[Path, ...]
    user_files: tuple[Path, ...]
    payload: SimulatedPayload | None


def share_folder() -> Path:
    """The installed share folder with config/, or the source tree of a checkout that is not built."""
    try:
        from ament_index_python.packages import get_package_share_directory
    except ImportError:
        return Path(__file__).resolve().parents[2]
    try:
        return Path(get_package_share_directory('gremsy_bringup'))
    except (LookupError, OSError):  # not installed; no ROS environment
        return Path(__file__).resolve().parents[2]


def describe(
    arguments: SuiteArguments,
    loop: Sequence[NodePlan] = LOOP,
    extra_parameter_files: Sequence[Path] = (),
    payload: SimulatedPayload | None = None,
) -> SystemDescription:
    """The processes that these arguments ask for; `payload` says how the simulated one is started."""
    config = share_folder() / 'config'
    shipped = (config / 'gremsy.yaml', *((config / 'sim.yaml',) if arguments.sim else ()))
    own = (Path(arguments.params_file).expanduser().resolve(),) if arguments.params_file else ()
    return SystemDescription(
        arguments=arguments,
        processes=(*_loop_processes(arguments, tuple(loop), config), _gimbal_process(arguments)),
        shipped_files=shipped,
        user_files=(*own, *extra_parameter_files),
        payload=(payload or SimulatedPayload()) if arguments.sim else None,
    )


def _loop_processes(arguments: SuiteArguments, loop: tuple[NodePlan, ...], config: Path) -> tuple[ProcessPlan, ...]:
    robot = arguments.robot
    namespace = f'/{robot}/{CAMERA_NAME}'
    remappings = tuple((topic, f'/{robot}/{topic}') for topic in GIMBAL_TOPICS)
    if arguments.composed:
        return (ProcessPlan('loop', namespace, loop, remappings, stop_rank=1),)
    # Frames cross process borders here: by shared memory, or most of them would not arrive (design.md section 5).
    profile = str(config / 'fastdds_shm.xml')
    environment = {'FASTRTPS_DEFAULT_PROFILES_FILE': profile, 'FASTDDS_DEFAULT_PROFILES_FILE': profile}
    return tuple(ProcessPlan(node.name, namespace, (node,), remappings, environment, stop_rank=1) for node in loop)


def _gimbal_process(arguments: SuiteArguments) -> ProcessPlan:
    return ProcessPlan('gimbal', f'/{arguments.robot}', (GIMBAL_DRIVER,), stop_rank=0)


def ros_arguments(description: SystemDescription, process: ProcessPlan) -> tuple[str, ...]:
    """What follows `--ros-args` for one process."""
    arguments = description.arguments
    words = ['-r', f'__ns:={process.namespace}']
    for source, target in process.remappings:
        words += ['-r', f'{source}:={target}']
    for path in description.shipped_files:
        words += ['--params-file', str(path)]
    for path in description.user_files:
        words += ['--params-file', str(path)]
    words += ['-p', f'use_sim_time:={str(arguments.use_sim_time).lower()}', '--log-level', arguments.log_level]
    return tuple(words)


def process_specs(
    description: SystemDescription, environment: Mapping[str, str] | None = None
) -> tuple[ProcessSpec, ...]:
    """The same for the supervisor, payload first; `environment` is added to every process."""
    common = dict(environment or {})
    restart = RestartPolicy(respawn=description.arguments.use_respawn, first_delay_s=RESPAWN_DELAY_S)
    specs = []
    if description.payload is not None:
        argv = (sys.executable, '-m', 'gremsy_gimbal_sim.sim_payload', *description.payload.program_arguments)
        specs.append(ProcessSpec('payload', argv, common, restart, stop_rank=2))
    for process in description.processes:
        components = tuple(node.component for node in process.nodes)
        argv = (
            sys.executable,
            '-m',
            'gremsy_bringup.container',
            '--components',
            *components,
            '--ros-args',
            *ros_arguments(description, process),
        )
        env = {**common, **process.environment}
        specs.append(ProcessSpec(process.name, argv, env, restart, process.stop_rank, process.grace_s))
    return tuple(specs)
