# SPDX-License-Identifier: Apache-2.0
"""Which processes the suite is made of and which nodes are in them (design.md section 5), from the launch arguments.

The launch files and the supervisor start the same thing because both read it here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gremsy_bringup.describe import camera_choice
from gremsy_bringup.describe.camera_choice import CameraChoice
from gremsy_bringup.describe.parameter_layers import Layer, Sections, given, section_file, written
from gremsy_bringup.describe.ros_network import RosNetwork
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.video_server_choice import VideoServerPlan
from gremsy_bringup.logs.log_writer import JSON, TEXT
from gremsy_bringup.supervise.process_spec import ProcessSpec, RestartPolicy
from gremsy_gimbal_sim.truth_ring import DEFAULT_RING, RING_VARIABLE

# What the nodes of a camera call by a relative name and the one gimbal of the robot answers to. Not the setpoints,
# and what its pictures say of the telemetry's age: each tracker's stay in its camera's namespace, and the driver takes
# those of `setpoint_source`.
GIMBAL_TOPICS = (
    'gimbal/attitude',
    'gimbal/attitude_earth',
    'gimbal/heading',
    'gimbal/imu',
    'gimbal/range',
    'gimbal/zoom',
    'gimbal/control',
    'gimbal/goal',
    'gimbal/plant',
)
# The robot's too: one page, and one video server, for all its cameras.
ROBOT_TOPICS = (*GIMBAL_TOPICS, 'stream/watch')
RESPAWN_DELAY_S = 0.5
_SIMULATED = 'sim:'


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node: the component that a container loads, or the executable that `ros2 run` starts.

    Attributes:
        name: of the node and of its component.
        within: its namespace inside the process's, empty where that is the process's own.
    """

    name: str
    package: str
    executable: str
    within: str = ''

    @property
    def word(self) -> str:
        """As `container --components` takes it."""
        return f'{self.within}/{self.name}' if self.within else self.name


CAMERA = NodePlan(camera_choice.CAMERA, 'gremsy_camera', 'camera_node')
DETECTOR = NodePlan(camera_choice.DETECTOR, 'gremsy_detector', 'detector_node')
TRACKER = NodePlan(camera_choice.TRACKER, 'gremsy_tracker', 'tracker_node')
STREAM = NodePlan(camera_choice.STREAM, 'gremsy_camera', 'stream_node')
RECORDER = NodePlan(camera_choice.RECORDER, 'gremsy_bringup', 'recorder_node')
GIMBAL_DRIVER = NodePlan('gimbal_driver', 'gremsy_gimbal_driver', 'gimbal_driver_node')
WEB = NodePlan('web', 'gremsy_web', 'web_node')
FOREIGN_LOGS = NodePlan('foreign_logs', 'gremsy_bringup', 'foreign_logs_node')
LOOP = (CAMERA, DETECTOR, TRACKER)
_OF_A_CAMERA = {each.name: each for each in (*LOOP, STREAM, RECORDER)}


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """One process of nodes that share remappings.

    Attributes:
        namespace: absolute.
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

    @property
    def node_names(self) -> tuple[str, ...]:
        """Full names."""
        return tuple(joined(self.namespace, node.word) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """One process that holds no node, and stops last: `package` and `executable` for ROS, `module` without it."""

    name: str
    package: str
    executable: str
    module: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PayloadStart:
    """How the simulated payload is started, and where driver and cameras find it.

    Attributes:
        by_way_of: a port that the driver is sent to instead, where somebody listens to the wire; 0 for none.
    """

    udp_port: int = 14566
    truth_ring: str = DEFAULT_RING
    preset: str = 'ideal'
    by_way_of: int = 0

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

    @property
    def link(self) -> str:
        """For the driver."""
        return f'udp://127.0.0.1:{self.by_way_of or self.udp_port}'


@dataclass(frozen=True, slots=True)
class SystemDescription:
    """Everything that is started, in the order of starting: programs, then processes.

    Attributes:
        namespace: of the robot, absolute.
        parameters: from the weakest to the strongest: later ones win.
        network: what is said of it in the suite's own terms; None where ROS's variables say it.
    """

    arguments: SuiteArguments
    namespace: str
    programs: tuple[ProgramPlan, ...]
    processes: tuple[ProcessPlan, ...]
    parameters: tuple[Layer, ...]
    payload: PayloadStart | None
    network: RosNetwork | None = None
    log_format: str = TEXT


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


def joined(*names: str) -> str:
    """An absolute name of those parts; no part, or none but slashes, is the root."""
    return '/' + '/'.join(part for name in names for part in name.split('/') if part)


def describe(
    arguments: SuiteArguments,
    extra_parameter_files: Sequence[Path] = (),
    payload: PayloadStart | None = None,
    pushed_namespace: str = '',
    video_server: VideoServerPlan | None = None,
    network: RosNetwork | None = None,
    log_format: str = TEXT,
) -> SystemDescription:
    """The processes that these arguments ask for.

    Args:
        arguments: what the user said.
        extra_parameter_files: win over `params_file`.
        payload: how the simulated one is started.
        pushed_namespace: around the robot's, unless that is absolute (`PushRosNamespace`).
        video_server: how the built-in one is started; None for none.
        network: see `SystemDescription`.
        log_format: of all output; with `json` one more process repeats what other nodes log.
    """
    absolute = arguments.namespace.startswith('/')
    robot = joined(arguments.namespace) if absolute else joined(pushed_namespace, arguments.namespace)
    simulated = (payload or PayloadStart()) if arguments.sim else None
    processes = _camera_processes(arguments, robot, simulated, network)
    if arguments.gimbal:
        processes.append(ProcessPlan('gimbal', robot, (GIMBAL_DRIVER,), stop_rank=0))
    if arguments.web:
        # Apart from the loop, which its clients must not slow down.
        processes.append(ProcessPlan('web', robot, (WEB,), stop_rank=1))
    if log_format == JSON:
        # Apart from everything: whoever logs too much on /rosout is to slow down nothing.
        processes.append(ProcessPlan('foreign_logs', robot, (FOREIGN_LOGS,), stop_rank=2))
    return SystemDescription(
        arguments=arguments,
        namespace=robot,
        programs=_programs(simulated, video_server, network),
        processes=tuple(processes),
        parameters=_layers(arguments, robot, tuple(extra_parameter_files), simulated, video_server),
        payload=simulated,
        network=network,
        log_format=log_format,
    )


def ros_arguments(
    description: SystemDescription, process: ProcessPlan, parameter_files: Sequence[Path]
) -> tuple[str, ...]:
    """What follows `--ros-args` for one process."""
    arguments = description.arguments
    words = ['-r', f'__ns:={process.namespace}']
    for source, target in process.remappings:
        words += ['-r', f'{source}:={target}']
    for path in parameter_files:
        words += ['--params-file', str(path)]
    words += ['-p', f'use_sim_time:={str(arguments.use_sim_time).lower()}', '--log-level', arguments.log_level]
    return tuple(words)


def process_specs(
    description: SystemDescription, folder: Path, environment: Mapping[str, str] | None = None
) -> tuple[ProcessSpec, ...]:
    """The same for the supervisor, programs first.

    Args:
        description: what to start.
        folder: where the parameters that come of the arguments are written; must outlive the processes.
        environment: added to every process.
    """
    common = dict(environment or {})
    restart = RestartPolicy(respawn=description.arguments.use_respawn, first_delay_s=RESPAWN_DELAY_S)
    files = written(description.parameters, folder)
    specs = [
        ProcessSpec(each.name, (sys.executable, '-m', each.module, *each.arguments), common, restart, stop_rank=2)
        for each in description.programs
    ]
    for process in description.processes:
        argv = (
            sys.executable,
            '-m',
            'gremsy_bringup.container',
            '--components',
            *(node.word for node in process.nodes),
            '--ros-args',
            *ros_arguments(description, process, files),
        )
        env = {**common, **process.environment}
        specs.append(ProcessSpec(process.name, argv, env, restart, process.stop_rank, process.grace_s))
    return tuple(specs)


def _programs(
    payload: PayloadStart | None, video_server: VideoServerPlan | None, network: RosNetwork | None
) -> tuple[ProgramPlan, ...]:
    programs = []
    if network is not None and network.own_server_arguments:
        module = 'gremsy_bringup.deployment.discovery_server'
        words = network.own_server_arguments
        programs.append(ProgramPlan('discovery', 'gremsy_bringup', 'discovery_server', module, words))
    if payload is not None:
        words = payload.program_arguments
        programs.append(
            ProgramPlan('payload', 'gremsy_gimbal_sim', 'sim_payload', 'gremsy_gimbal_sim.sim_payload', words)
        )
    if video_server is not None:
        # It stops after who publishes, which would call the server's end a fault.
        module = 'gremsy_web.video_server.video_server_command'
        programs.append(ProgramPlan('video', 'gremsy_web', 'video_server', module, video_server.program_arguments))
    return tuple(programs)


def _camera_processes(
    arguments: SuiteArguments, robot: str, payload: PayloadStart | None, network: RosNetwork | None
) -> list[ProcessPlan]:
    cameras = arguments.camera_choices
    remappings = tuple((topic, joined(robot, topic)) for topic in ROBOT_TOPICS)
    environment = {} if payload is None else {RING_VARIABLE: payload.truth_ring}
    if arguments.one_loop and cameras:
        all_nodes = tuple(replace(_OF_A_CAMERA[node], within=each.name) for each in cameras for node in each.nodes)
        return [ProcessPlan('loop', robot, all_nodes, remappings, environment, stop_rank=1)]
    processes: list[ProcessPlan] = []
    for camera in cameras:
        namespace = joined(robot, camera.name)
        nodes = tuple(_OF_A_CAMERA[node] for node in camera.nodes)
        # Of several cameras each process says whose it is.
        suffix = f'_{camera.name}' if len(cameras) > 1 else ''
        if arguments.composed:
            processes.append(ProcessPlan(f'loop{suffix}', namespace, nodes, remappings, environment, stop_rank=1))
            continue
        # Of a network in the suite's own terms every process has it, unless it is off.
        apart = {**environment, **_shared_memory()} if network is None else environment
        processes += (
            ProcessPlan(f'{node.name}{suffix}', namespace, (node,), remappings, apart, stop_rank=1) for node in nodes
        )
    return processes


def _shared_memory() -> dict[str, str]:
    """Frames cross process borders: by shared memory, or most of them would not arrive (design.md section 5)."""
    profile = str(share_folder() / 'config' / 'fastdds_shm.xml')
    return {'FASTRTPS_DEFAULT_PROFILES_FILE': profile, 'FASTDDS_DEFAULT_PROFILES_FILE': profile}


def _layers(
    arguments: SuiteArguments,
    robot: str,
    extra_files: tuple[Path, ...],
    payload: PayloadStart | None,
    video_server: VideoServerPlan | None,
) -> tuple[Layer, ...]:
    config = share_folder() / 'config'
    own = (Path(arguments.params_file).expanduser().resolve(),) if arguments.params_file else ()
    return (
        config / 'gremsy.yaml',
        *((config / 'sim.yaml',) if payload else ()),
        *section_file('parameters_cameras', _of_the_cameras(arguments.camera_choices)),
        *own,
        *extra_files,
        *section_file(
            'parameters_arguments',
            {
                **_of_the_arguments(arguments, robot, payload, (*own, *extra_files)),
                **_of_the_video_server(arguments, robot, video_server),
            },
        ),
    )


def _of_the_cameras(cameras: Sequence[CameraChoice]) -> Sections:
    """Parameters of driver and page that follow from the cameras, unless the user's own files set them."""
    if not cameras:
        return {}
    tracking = [each.name for each in cameras if camera_choice.TRACKER in each.nodes]
    values = {'optical_frames': [each.optical_frame for each in cameras], 'setpoint_source': ''.join(tracking[:1])}
    return {f'/**/{GIMBAL_DRIVER.name}': values, f'/**/{WEB.name}': {'cameras': [each.name for each in cameras]}}


def _of_the_arguments(
    arguments: SuiteArguments, robot: str, payload: PayloadStart | None, files: Sequence[Path]
) -> Sections:
    """What holds whatever the files say; by the full name, which wins over every pattern."""
    driver: dict[str, object] = {}
    if arguments.setpoint_source:
        driver['setpoint_source'] = arguments.setpoint_source
    if payload is not None:
        driver.update(link=payload.link, second_link='')
    sections = {joined(robot, GIMBAL_DRIVER.name): driver} if driver else {}
    if payload is not None:
        cameras = [joined(robot, each.name, CAMERA.name) for each in arguments.camera_choices]
        sections.update(
            {name: {'source': _SIMULATED} for name in cameras if _is_hardware(given(files, name, 'source'))}
        )
    return sections


def _of_the_video_server(arguments: SuiteArguments, robot: str, plan: VideoServerPlan | None) -> Sections:
    """Where it is, unless that is where everybody looks anyway."""
    if plan is None or plan == VideoServerPlan():
        return {}
    streams = [joined(robot, each.name, STREAM.name) for each in arguments.camera_choices if STREAM.name in each.nodes]
    return {**dict.fromkeys(streams, plan.stream_values), joined(robot, WEB.name): plan.web_values}


def _is_hardware(source: object | None) -> bool:
    """Of a robot's own file, with which a simulation is tried: other footage may be named there, a camera not."""
    return source is not None and not str(source).startswith(_SIMULATED)
