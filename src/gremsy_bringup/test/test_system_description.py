# SPDX-License-Identifier: Apache-2.0
"""Launch arguments and the processes that come of them."""

from __future__ import annotations

import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from gremsy_bringup.describe import config_template
from gremsy_bringup.describe.parameter_layers import given
from gremsy_bringup.describe.starting import Starting
from gremsy_bringup.describe.suite_arguments import SuiteArguments, from_command_line, usage
from gremsy_bringup.describe.system_description import (
    GIMBAL_TOPICS,
    ROBOT_TOPICS,
    PayloadStart,
    describe,
    process_specs,
    share_folder,
)
from gremsy_bringup.supervise.free_ports import free_udp_port
from gremsy_common.claims import NoFreePort, domain_claim, udp_port_claim
from gremsy_common.parameters.parameter_fields import ParameterError, specs_of
from gremsy_common.parameters.parameter_texts import with_texts


def test_the_arguments_are_nav2s_and_our_own() -> None:
    assert [spec.name for spec in specs_of(SuiteArguments)] == [
        'namespace',
        'cameras',
        'setpoint_source',
        'gimbal',
        'params_file',
        'allow_unknown_parameters',
        'use_sim_time',
        'log_level',
        'log_format',
        'use_respawn',
        'composed',
        'one_loop',
        'sim',
        'video',
        'web',
        'rviz',
    ]


def test_words_of_the_command_line_become_arguments() -> None:
    arguments = from_command_line(['namespace:=/hexa', 'sim:=True', 'composed:=false', 'log_level:=debug'])
    assert arguments == SuiteArguments('/hexa', log_level='debug', composed=False, sim=True)
    assert arguments.robot == 'hexa'


@pytest.mark.parametrize(
    ('word', 'sentence'),
    [
        (
            'sim',
            "'sim' is not an argument: write name:=value with one of namespace, cameras, setpoint_source, gimbal, "
            'params_file, allow_unknown_parameters, use_sim_time, log_level, log_format, use_respawn, composed, '
            'one_loop, sim, video, web, rviz.',
        ),
        (
            'robot:=a',
            'There is no argument `robot`: the arguments are namespace, cameras, setpoint_source, gimbal, params_file, '
            'allow_unknown_parameters, use_sim_time, log_level, log_format, use_respawn, composed, one_loop, sim, '
            'video, web, rviz.',
        ),
        ('params_fiel:=a', 'There is no argument `params_fiel`: did you mean `params_file`?'),
        ('sim:=maybe', "Argument `sim` is 'maybe': use true or false."),
        ('log_level:=loud', "Argument `log_level` is 'loud': use one of debug, info, warn, error, fatal."),
        ('params_file:=/no/such.yaml', "Argument `params_file` is '/no/such.yaml': there is no such file."),
        (
            'params_file:=~nosuchuser/my.yaml',
            "Argument `params_file` is '~nosuchuser/my.yaml', which begins with the home folder of an unknown user: "
            'write the whole path.',
        ),
        (
            'cameras:=eo 2nd',
            "Argument `cameras` has '2nd', which is not a camera: write a name of letters, digits and _, not beginning "
            'with a digit, as in eo or ir:camera.',
        ),
        (
            'cameras:=eo/wide',
            "Argument `cameras` has 'eo/wide', which is not a camera: write a name of letters, digits and _, not "
            'beginning with a digit, as in eo or ir:camera.',
        ),
        ('cameras:=eo ir,eo:camera', "Argument `cameras` has 'eo' twice: name each camera once."),
        ('cameras:=eo none', "Argument `cameras` has 'none' beside others or with nodes: write it alone for none."),
        ('cameras:=gimbal', "Argument `cameras` has 'gimbal', a name of the gimbal driver's own: use another."),
        (
            'cameras:=eo:camera+show',
            "Argument `cameras` has 'eo:camera+show', where 'show' is not a node of a camera: after the colon use one "
            'or more of camera, detector, tracker, stream, recorder, joined by +.',
        ),
        (
            'cameras:=eo:',
            "Argument `cameras` has 'eo:', where '' is not a node of a camera: after the colon use one or more of "
            'camera, detector, tracker, stream, recorder, joined by +.',
        ),
        (
            'setpoint_source:=ir',
            "Argument `setpoint_source` is 'ir', not a camera with a tracker: use one of eo.",
        ),
        (
            'namespace:=7up',
            "Argument `namespace` is '7up', which ROS does not accept: use letters, digits and _, not beginning with a "
            'digit.',
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_way_out(word: str, sentence: str) -> None:
    with pytest.raises(ParameterError) as caught:
        from_command_line([word])
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (
            ['cameras:=eo:camera', 'setpoint_source:=eo'],
            "Argument `setpoint_source` is 'eo', not a camera with a tracker: none here has one, so leave it out.",
        ),
        (
            ['one_loop:=true', 'composed:=false'],
            'Arguments `one_loop` and `composed` contradict each other: leave `composed` true for all cameras in one '
            'process.',
        ),
        (
            ['cameras:=', 'gimbal:=false'],
            'Argument `cameras` names none and `gimbal` is false, so nothing would start: name a camera.',
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_named(words: list[str], sentence: str) -> None:
    with pytest.raises(ParameterError) as caught:
        from_command_line(words)
    assert str(caught.value) == sentence


def test_help_lists_every_argument_with_its_default() -> None:
    text = usage()
    for spec in specs_of(SuiteArguments):
        assert f'  {spec.name}:=' in text
    assert '  use_respawn:=true\n' in text


def placed(description) -> list[tuple[str, list[str]]]:
    """By process, the full names of its nodes."""
    return [(process.name, list(process.node_names)) for process in description.processes]


def test_composed_is_one_loop_process_and_the_driver() -> None:
    description = describe(SuiteArguments())
    assert placed(description) == [
        ('loop', ['/robot/eo/camera', '/robot/eo/detector', '/robot/eo/tracker', '/robot/eo/stream']),
        ('gimbal', ['/robot/gimbal_driver']),
    ]
    assert description.payload is None


def test_not_composed_is_a_process_a_node_over_shared_memory() -> None:
    processes = describe(SuiteArguments(composed=False)).processes
    assert [process.name for process in processes] == ['camera', 'detector', 'tracker', 'stream', 'gimbal']
    for process in processes[:4]:
        profile = Path(process.environment['FASTRTPS_DEFAULT_PROFILES_FILE'])
        assert profile.is_file()
    assert not processes[4].environment


def test_every_camera_has_a_loop_of_the_nodes_that_it_is_given() -> None:
    assert placed(describe(SuiteArguments(cameras='eo, ir:camera  aux:tracker+detector'))) == [
        ('loop_eo', ['/robot/eo/camera', '/robot/eo/detector', '/robot/eo/tracker', '/robot/eo/stream']),
        ('loop_ir', ['/robot/ir/camera']),
        ('loop_aux', ['/robot/aux/detector', '/robot/aux/tracker']),
        ('gimbal', ['/robot/gimbal_driver']),
    ]


def test_not_composed_says_whose_node_each_process_is() -> None:
    names = [process.name for process in describe(SuiteArguments(cameras='eo ir:camera', composed=False)).processes]
    assert names == ['camera_eo', 'detector_eo', 'tracker_eo', 'stream_eo', 'camera_ir', 'gimbal']


def test_one_loop_has_all_cameras_each_in_its_namespace() -> None:
    description = describe(SuiteArguments(namespace='hexa', cameras='eo ir:camera+detector', one_loop=True))
    assert placed(description)[0] == (
        'loop',
        [
            '/hexa/eo/camera',
            '/hexa/eo/detector',
            '/hexa/eo/tracker',
            '/hexa/eo/stream',
            '/hexa/ir/camera',
            '/hexa/ir/detector',
        ],
    )
    loop = description.processes[0]
    assert loop.namespace == '/hexa'
    assert [node.word for node in loop.nodes][-2:] == ['ir/camera', 'ir/detector']


@pytest.mark.parametrize('text', ['', 'none', "''", '""', ' '])
def test_no_camera_can_be_said_where_ros2_launch_takes_no_empty_value(text: str) -> None:
    """Its parse_launch_arguments calls `cameras:=` malformed (ros2launch 0.26)."""
    assert with_texts(SuiteArguments(), {'cameras': text}).camera_choices == ()
    assert describe(with_texts(SuiteArguments(), {'namespace': '/'})).namespace == '/'
    assert describe(with_texts(SuiteArguments(), {'namespace': "''"})).namespace == '/'


def test_without_cameras_there_is_the_driver_and_without_the_gimbal_there_are_the_cameras() -> None:
    assert placed(describe(SuiteArguments(cameras=''))) == [('gimbal', ['/robot/gimbal_driver'])]
    alone = describe(SuiteArguments(cameras='eo:detector', gimbal=False))
    assert placed(alone) == [('loop', ['/robot/eo/detector'])]


@pytest.mark.parametrize(
    ('namespace', 'pushed', 'robot'),
    [
        ('robot', '', '/robot'),
        ('fleet/robot', '', '/fleet/robot'),
        ('', '', '/'),
        ('/', '', '/'),
        ('robot', '/fleet', '/fleet/robot'),
        ('robot', '/', '/robot'),
        ('', '/fleet/robot', '/fleet/robot'),
        # As launch_ros has it: an absolute namespace is where it says.
        ('/robot', '/fleet', '/robot'),
    ],
)
def test_everything_is_within_the_robots_namespace_and_what_was_pushed_around_it(
    namespace: str, pushed: str, robot: str, tmp_path: Path
) -> None:
    description = describe(SuiteArguments(namespace=namespace), pushed_namespace=pushed)
    around = robot.rstrip('/')
    assert description.namespace == robot
    assert [name for _, nodes in placed(description) for name in nodes] == [
        f'{around}/eo/camera',
        f'{around}/eo/detector',
        f'{around}/eo/tracker',
        f'{around}/eo/stream',
        f'{around}/gimbal_driver',
    ]
    (loop, driver) = process_specs(description, tmp_path)
    assert f'__ns:={around}/eo' in loop.argv
    assert f'__ns:={robot}' in driver.argv
    for topic in ROBOT_TOPICS:
        assert f'{topic}:={around}/{topic}' in loop.argv


def test_the_driver_stops_first_and_the_payload_last(tmp_path: Path) -> None:
    specs = process_specs(describe(SuiteArguments(sim=True)), tmp_path)
    ranks = {spec.name: spec.stop_rank for spec in specs}
    assert sorted(ranks, key=lambda name: ranks[name]) == ['gimbal', 'loop', 'payload']
    assert specs[0].name == 'payload'


def test_every_gimbal_topic_of_the_suite_is_the_robots_but_what_its_trackers_say() -> None:
    topics = pytest.importorskip('gremsy_common.ros.topics', reason='the message packages are not built')
    names = {each.name for each in vars(topics).values() if isinstance(each, topics.Topic)}
    named = {name for name in names if name.startswith('gimbal/')}
    assert named - set(GIMBAL_TOPICS) == {'gimbal/setpoint', 'gimbal/zoom_setpoint', 'gimbal/attitude_age'}


def test_parameter_files_come_from_the_general_to_the_users_own(tmp_path: Path) -> None:
    own = tmp_path / 'own.yaml'
    own.touch()
    description = describe(
        SuiteArguments(sim=True, params_file=str(own)), extra_parameter_files=[tmp_path / 'run.yaml']
    )
    argv = process_specs(description, tmp_path)[1].argv
    given = [Path(argv[index + 1]).name for index, word in enumerate(argv) if word == '--params-file']
    assert given == [
        'gremsy.yaml', 'sim.yaml', 'parameters_cameras.yaml', 'own.yaml', 'run.yaml', 'parameters_arguments.yaml',
    ]  # fmt: skip


def driver_parameters(folder: Path, **arguments: object) -> dict[str, object]:
    """What the driver of these arguments makes of its files, in ROS's order, beside the user's own `link`."""
    rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not set up: run ./gremsy setup')
    parameters = pytest.importorskip('gremsy_gimbal_driver.gimbal_driver_parameters')
    from gremsy_common.parameters.parameter_declaration import declare

    description = describe(SuiteArguments(**arguments))  # type: ignore[arg-type]
    driver = process_specs(description, folder)[-1]
    context = rclpy.Context()
    rclpy.init(args=['driver', *driver.argv[driver.argv.index('--ros-args') :]], context=context)
    try:
        node = rclpy.create_node('gimbal_driver', context=context)
        values = asdict(declare(node, parameters.GimbalDriverParameters))
        node.destroy_node()
        return values
    finally:
        rclpy.shutdown(context=context)


def test_the_driver_is_told_of_the_cameras(tmp_path: Path) -> None:
    told = driver_parameters(tmp_path, cameras='ir:camera eo aux')
    assert told['optical_frames'] == ('ir_optical_frame', 'eo_optical_frame', 'aux_optical_frame')
    # The first that has a tracker.
    assert told['setpoint_source'] == 'eo'
    assert driver_parameters(tmp_path, cameras='eo:camera')['setpoint_source'] == ''


def test_the_users_file_wins_over_what_comes_of_the_cameras_and_an_argument_over_the_file(tmp_path: Path) -> None:
    own = tmp_path / 'own.yaml'
    own.write_text('/**/gimbal_driver:\n  ros__parameters: {setpoint_source: ir, link: "udp://10.0.0.7:14566"}\n')
    told = driver_parameters(tmp_path, cameras='eo ir aux', params_file=str(own))
    assert (told['setpoint_source'], told['link']) == ('ir', 'udp://10.0.0.7:14566')
    told = driver_parameters(tmp_path, cameras='eo ir aux', params_file=str(own), setpoint_source='aux')
    assert told['setpoint_source'] == 'aux'


def test_a_simulation_with_a_robots_own_file_moves_the_simulated_gimbal(tmp_path: Path) -> None:
    own = tmp_path / 'own.yaml'
    own.write_text(
        '/robot/gimbal_driver:\n  ros__parameters: {link: "serial:///dev/ttyUSB0?baud=115200", second_link: "udp://a:1"}\n'
    )
    told = driver_parameters(tmp_path, sim=True, params_file=str(own))
    assert (told['link'], told['second_link']) == (f'udp://127.0.0.1:{PayloadStart().udp_port}', '')


def parameters_of(node: str, parameters: type[Any], files: list[str]) -> Any:
    """What a node of that full name makes of these files, in ROS's own reading."""
    rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not set up: run ./gremsy setup')
    from gremsy_common.parameters.parameter_declaration import declare

    namespace, _, name = node.rpartition('/')
    context = rclpy.Context()
    options = [word for path in files for word in ('--params-file', path)]
    rclpy.init(args=['node', '--ros-args', *options], context=context)
    try:
        made = rclpy.create_node(name, namespace=namespace or '/', context=context)
        values = declare(made, parameters)
        made.destroy_node()
        return values
    finally:
        rclpy.shutdown(context=context)


def camera_of(folder: Path, name: str, **arguments: object) -> Any:
    """The parameters of a camera of these arguments."""
    camera_parameters = pytest.importorskip('gremsy_camera.camera_parameters')
    specs = process_specs(describe(SuiteArguments(**arguments)), folder)  # type: ignore[arg-type]
    words = specs[-1].argv
    files = [words[index + 1] for index, word in enumerate(words) if word == '--params-file']
    return parameters_of(name, camera_parameters.CameraParameters, files)


def test_what_is_said_of_one_camera_wins_over_what_is_said_of_all_wherever_it_stands(tmp_path: Path) -> None:
    own = tmp_path / 'own.yaml'
    own.write_text(
        '/**/eo/camera:\n  ros__parameters: {source: /videos/eo.mp4}\n'
        '/**/camera:\n  ros__parameters: {source: /videos/all.mp4, jpeg_quality: 70}\n'
    )
    told = {'cameras': 'eo ir', 'params_file': str(own), 'namespace': 'fleet/one'}
    eo, ir = (camera_of(tmp_path, f'/fleet/one/{camera}/camera', **told) for camera in ('eo', 'ir'))
    assert (eo.source, eo.jpeg_quality) == ('/videos/eo.mp4', 70)
    assert (ir.source, ir.jpeg_quality) == ('/videos/all.mp4', 70)


@pytest.mark.parametrize(
    ('text', 'source'),
    [
        ('/**/camera:\n  ros__parameters: {source: "rtsp://10.0.0.9/eo"}\n', 'sim:'),
        ('/robot/eo/camera:\n  ros__parameters: {source: /dev/video0}\n', 'sim:'),
        ('robot:\n  eo:\n    camera:\n      ros__parameters: {source: external}\n', 'sim:'),
        # Other footage is no hardware.
        ('/**/eo/camera:\n  ros__parameters: {source: "sim:/videos/street.mp4"}\n', 'sim:/videos/street.mp4'),
        ('/**/camera:\n  ros__parameters: {rate_hz: 15.0}\n', 'sim:'),
        ('/**/ir/camera:\n  ros__parameters: {source: /dev/video1}\n', 'sim:'),
    ],
)
def test_a_simulation_with_a_robots_own_file_opens_no_camera_of_it(text: str, source: str, tmp_path: Path) -> None:
    own = tmp_path / 'own.yaml'
    own.write_text(text)
    assert camera_of(tmp_path, '/robot/eo/camera', sim=True, params_file=str(own)).source == source


def test_a_file_that_is_no_parameter_file_is_left_to_the_nodes_to_name(tmp_path: Path) -> None:
    for content in (b'\xff\xfe', b'{', b'- a list', b'/**: 7', b'a: {ros__parameters: none}'):
        own = tmp_path / 'own.yaml'
        own.write_bytes(content)
        assert given([own, tmp_path / 'gone.yaml'], '/robot/eo/camera', 'source') is None


def test_respawn_can_be_turned_off(tmp_path: Path) -> None:
    description = describe(with_texts(SuiteArguments(), {'use_respawn': 'false'}))
    assert not any(spec.restart.respawn for spec in process_specs(description, tmp_path))


def test_programs_run_in_this_interpreter(tmp_path: Path) -> None:
    specs = process_specs(describe(SuiteArguments(sim=True)), tmp_path)
    assert {spec.argv[0] for spec in specs} == {sys.executable}


def test_every_camera_of_a_simulation_sees_its_payload() -> None:
    sim = yaml.safe_load((share_folder() / 'config' / 'sim.yaml').read_text())
    assert sim['/**/camera']['ros__parameters']['source'] == 'sim:'
    payload = PayloadStart(14999, 'payload-14999')
    description = describe(SuiteArguments(cameras='eo ir', sim=True), payload=payload)
    rings = [process.environment.get('GREMSY_TRUTH_RING') for process in description.processes]
    assert rings == ['payload-14999', 'payload-14999', None]


def test_a_driver_goes_by_way_of_who_listens_to_the_wire() -> None:
    payload = PayloadStart(14999, by_way_of=15000)
    assert payload.program_arguments[:2] == ('--udp', '127.0.0.1:14999')
    assert payload.link == 'udp://127.0.0.1:15000'


def test_two_simulations_at_once_have_each_a_payload_of_their_own() -> None:
    with (
        Starting(SuiteArguments(namespace='one', sim=True)) as one,
        Starting(SuiteArguments(namespace='two', sim=True)) as two,
    ):
        payloads = [each.description().payload for each in (one, two)]
        assert one.folder != two.folder
    assert payloads[0] is not None and payloads[1] is not None
    assert payloads[0].udp_port != payloads[1].udp_port
    assert payloads[0].truth_ring != payloads[1].truth_ring
    assert not one._port._socket


def test_what_a_start_took_is_given_back() -> None:
    starting = Starting(SuiteArguments(sim=True))
    with starting:
        port, folder = starting.description().payload.udp_port, starting.folder
        assert folder.is_dir()
    assert not folder.exists()
    again = udp_port_claim(range(port, port + 1))
    again.open()
    again.close()


def test_a_start_without_a_simulation_takes_no_port() -> None:
    with Starting(SuiteArguments()) as starting:
        assert starting.description().payload is None


def test_a_port_that_somebody_else_has_is_passed_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(('127.0.0.1', 0))
        port = taken.getsockname()[1]
        claim = udp_port_claim(range(port, port + 1))
        with pytest.raises(NoFreePort) as refused:
            claim.open()
    assert str(refused.value) == (
        f'All UDP ports from {port} to {port} are in use on this machine: end other simulated payloads.'
    )


def test_the_payloads_arguments_are_understood_by_its_program() -> None:
    sim_payload = pytest.importorskip('gremsy_gimbal_sim.sim_payload')
    payload = PayloadStart(4567, 'ring-1', 'realistic')
    given = sim_payload._parser().parse_args(payload.program_arguments)
    assert (given.udp, given.truth_ring, given.preset) == ('127.0.0.1:4567', 'ring-1', 'realistic')


def test_the_shipped_parameters_are_those_of_the_dataclasses() -> None:
    config_template = pytest.importorskip('gremsy_bringup.describe.config_template')
    written = (share_folder() / 'config' / 'gremsy.yaml').read_text()
    assert written == config_template.template(), 'run python -m gremsy_bringup.describe.config_template'


def test_two_claims_never_have_one_domain() -> None:
    claims = [domain_claim() for _ in range(20)]
    try:
        for claim in claims:
            claim.open()
        assert len({claim.number for claim in claims}) == 20
    finally:
        for claim in claims:
            claim.close()


def test_a_free_port_can_be_bound() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(('127.0.0.1', free_udp_port()))


def test_the_template_replaces_a_template_and_nothing_else(tmp_path):
    own = tmp_path / 'robot.yaml'
    own.write_text('/**:\n  ros__parameters: {}\n')
    with pytest.raises(SystemExit) as refused:
        config_template.main(['--file', str(own)])
    assert str(refused.value) == (
        f"'{own}' exists, and is not a template of this tool: move it away, or name another file."
    )
    assert own.read_text() == '/**:\n  ros__parameters: {}\n'
