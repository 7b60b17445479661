# SPDX-License-Identifier: Apache-2.0
"""Tables of the documents that are about several packages; and that each table which states behaviour is held."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not set up: run ./gremsy setup')
pytest.importorskip('fastapi', reason='run ./gremsy setup --extra web')

from gremsy_bringup.describe import ros_network
from gremsy_bringup.describe.ros_network import RosNetwork
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import describe, process_specs
from gremsy_bringup.describe.video_server_choice import VideoServerPlan
from gremsy_camera.recording.bag_messages import RECORDED_TOPICS
from gremsy_common.parameters.parameter_fields import specs_of
from gremsy_common.ros import topics
from gremsy_common.ros.transport.topic import Topic
from gremsy_docs.generated_pages import PUBLISHES, TAKES, services, topic_uses
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.links.link_uri import DEFAULT_BAUD, DEFAULT_UDP_PORT, link_from_uri
from gremsy_gimbal_driver.links.serial_link import SerialLink
from gremsy_gimbal_driver.links.udp_link import UdpLink
from gremsy_gimbal_driver.mavlink.component_register import GIMBAL_COMPONENTS
from gremsy_tracker.tracker_parameters import TrackerParameters
from gremsy_web.web_parameters import WebParameters

from .document_tables import REPOSITORY, by_name, names, rows, tables

# What a table of topics says of a topic, by where it goes.
WAYS = {'in': TAKES, 'subscribed': TAKES, 'out': PUBLISHES, 'published': PUBLISHES}
# Not made by way of the suite's table of topics.
OF_ROS = {'/tf', '/tf_static', '/diagnostics'}
# Services with a table, or words, of their own.
APART = {'gremsy_gimbal_driver', 'gremsy_camera'}
# Of a package's other nodes; heard for a bag; in place of another topic.
SHOWN = {'gimbal/attitude', 'gimbal/zoom', 'tracks'}
ELSEWHERE = {
    'gremsy_tracker': {'detections'},
    'gremsy_camera': {topic.name for topic in RECORDED_TOPICS} - SHOWN | {'overlay', 'stream/watch'},
}
TOPIC_TABLES = [
    ('src/gremsy_gimbal_driver/README.md', '## Topics'),
    ('src/gremsy_tracker/README.md', '## Topics'),
    ('src/gremsy_detector/README.md', '## Topics'),
    ('src/gremsy_camera/README.md', '## Topics'),
]


@pytest.mark.parametrize(('document', 'heading'), TOPIC_TABLES)
def test_a_table_of_topics_has_those_of_the_package_with_type_and_way(document: str, heading: str) -> None:
    package = document.split('/')[1]
    types = {
        topic.name: f'{topic.message_type.__module__.split(".")[0]}/{topic.message_type.__name__}'
        for topic in vars(topics).values()
        if isinstance(topic, Topic)
    }
    types |= {name: f'std_srvs/{kind}' for of, name, kind in services() if of == package}
    used = {(name, way) for (name, way), packages in topic_uses().items() if package in packages}
    table = rows(document, heading)
    for first, kinds, what in table:
        ways = {WAYS[word] for word in re.findall(r'\w+', what)[:1] if word in WAYS}
        for name, kind in zip(names(first), kinds.replace('`', '').split(', '), strict=True):
            assert name in OF_ROS or kind == types[name], name
            # The camera's own images are taken by its other nodes.
            assert name in OF_ROS or ways <= {way for used_name, way in used if used_name == name}, name
            assert ways or name in OF_ROS or name.startswith('~/'), name
    listed = {name for row in table for name in names(row[0])}
    of_nodes = {name for of, name, _ in services() if of == package and package not in APART}
    assert sorted({name for name, _ in used} - listed - ELSEWHERE.get(package, set())) == []
    assert sorted(of_nodes - listed) == []


def test_the_processes_of_the_architecture_are_those_of_the_suite(tmp_path) -> None:
    description = describe(SuiteArguments(web=True, sim=True), video_server=VideoServerPlan())
    specs = process_specs(description, tmp_path)
    told = by_name('docs/architecture.md', '## Processes')
    assert set(told) == {spec.name for spec in specs}
    (loop,) = (each for each in description.processes if each.name == 'loop')
    assert told['loop'] == ', '.join(node.name for node in loop.nodes)
    ends = by_name('docs/architecture.md', '## Processes', column=2)
    assert {spec.name for spec in specs if spec.restart.respawn} == {
        name for name, what in ends.items() if 'restarted' in what
    }


def test_what_stops_motion_is_there_in_this_order_with_these_times_and_is_tested() -> None:
    parameters = {
        spec.name: spec.default
        for parameters_type in (WebParameters, TrackerParameters, GimbalDriverParameters)
        for spec in specs_of(parameters_type)
    }
    packages = ('gremsy_web', 'gremsy_tracker', 'gremsy_gimbal_driver')
    sources = {
        path.stem if path.suffix == '.py' else f'parts/{path.name}': packages.index(package)
        for package in packages
        for pattern in (f'{package}/**/*.py', 'page/source/parts/*.ts')
        for path in (REPOSITORY / 'src' / package).glob(pattern)
    }
    tests = {
        name
        for package in packages
        for path in (REPOSITORY / 'src' / package / 'test').glob('test_*.py')
        for name in re.findall(r'^def (test_\w+)', path.read_text(encoding='utf-8'), re.MULTILINE)
    }
    offered = {name for package, name, _ in services() if package in packages}
    reached = 0
    for what, acts, within, then, held_by in rows('docs/architecture.md', '## What stops it'):
        (acting, *_) = names(acts)
        assert reached <= sources[acting], what
        reached = sources[acting]
        assert set(names(held_by)) <= tests, what
        for name in names(f'{what} {acts} {within} {then}'):
            assert name in sources or name in parameters or name in offered, (what, name)
        for name, seconds in re.findall(r'`(\w+)`, ([\d.]+) s', within):
            assert parameters[name] == float(seconds), what


def test_what_is_said_of_networks_is_what_ros_is_told() -> None:
    told = {row[0]: row[1:] for row in rows('docs/networks.md', '# Networks and fleets')}
    kinds = (ros_network.LOCAL, ros_network.LAN, ros_network.SERVER)
    config = REPOSITORY / 'src' / 'gremsy_bringup' / 'config'
    for index, kind in enumerate(kinds):
        network = RosNetwork(kind, servers=('10.1.2.3:11811',), peers='10.1.2.4')
        variables = network.variables(config, robot=True)
        profile = (config / str(variables['FASTRTPS_DEFAULT_PROFILES_FILE'])).read_text(encoding='utf-8')
        assert ('<interfaceWhiteList>' in profile) is ('127.0.0.1' in told['what it listens on'][index]), kind
        assert (variables['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'SUBNET') is told['multicast'][index].startswith('yes')
        assert (variables['ROS_STATIC_PEERS'] is not None) is ('`ROS_STATIC_PEERS`' in told['multicast'][index])
        assert (variables['ROS_DISCOVERY_SERVER'] is not None) is (
            'the server alone' in told['what it listens on'][index]
        )
        assert ('network' in network.opens) is ('network' in told['who hears the robot'][index])
        assert ('in whatever ROS_DOMAIN_ID' in network.opens) is ('in any domain' in told['who hears the robot'][index])


def test_the_wiring_is_what_the_driver_takes_and_finds() -> None:
    told = {row[0]: row[1:] for row in rows('docs/wiring.md', '## Gimbal to companion computer')}
    assert told['serial'][0].startswith(f'{DEFAULT_BAUD} baud')
    assert f'UDP port **{DEFAULT_UDP_PORT}**' in told['Ethernet'][1]
    links = [link_from_uri(names(cell)[0].removeprefix('link: ')) for cell in told['in `my_robot.yaml`']]
    assert [type(link) for link in links] == [SerialLink, UdpLink]
    (found,) = re.findall(
        r'by its component id \((\d+), (\d+) to (\d+)\)', ' '.join(rows('docs/wiring.md', '## With an autopilot')[2])
    )
    one, first, last = map(int, found)
    assert {one, *range(first, last + 1)} == set(GIMBAL_COMPONENTS)


# Held by tools/test/test_rooms.py, and by gremsy_common.parameters.parameter_docs.
ROOMS, PARAMETERS = 'room', ['parameter', 'type', 'unit']
# Links, figures, licences, what was tried: nothing that the suite does.
TRIED, QUOTED = 'what was tried', 'sentences, held by tools/test/test_docs_commands.py'
NO_BEHAVIOUR = {
    ('README.md', '## Where to go next'): 'links',
    ('docs/dependencies.md', '## At run time'): 'licences',
    ('docs/dependencies.md', '## Used where they are installed, never required'): 'licences',
    ('docs/dependencies.md', '## Optional extras, installed by the command that needs them'): 'licences',
    ('docs/dependencies.md', '## To build and to test'): 'licences',
    ('docs/quick_start/index.md', '# Quick start'): TRIED,
    ('docs/quick_start/laptop.md', '# A laptop, no hardware'): TRIED,
    ('docs/quick_start/pc_gpu.md', '# A PC with an NVIDIA GPU'): TRIED,
    ('docs/quick_start/robot.md', '# A robot, a Jetson'): TRIED,
    ('docs/troubleshooting.md', '## No image'): QUOTED,
    ('docs/troubleshooting.md', '## Nothing moves'): QUOTED,
    ('docs/troubleshooting.md', '## Page is black'): QUOTED,
    ('src/gremsy_tracker/README.md', '## Measured'): 'figures',
}


def strings_of(path: Path) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_table_is_held_by_a_test_or_has_a_reason_why_not() -> None:
    documents = [
        str(path.relative_to(REPOSITORY))
        for pattern in ('README.md', 'docs/**/*.md', 'src/*/README.md')
        for path in REPOSITORY.glob(pattern)
        if path.name != 'figures.md' and 'node_modules' not in path.parts
    ]
    known = [
        strings_of(path) for pattern in ('src/*/test/*.py', 'tools/test/*.py') for path in REPOSITORY.glob(pattern)
    ]
    untold = [
        (document, heading)
        for document in sorted(documents)
        for heading, (head, *_) in tables(document)
        if head[0] != ROOMS
        and head[:3] != PARAMETERS
        and (document, heading) not in NO_BEHAVIOUR
        and not any({document, heading} <= strings for strings in known)
    ]
    assert '\n'.join(map(' '.join, untold)) == ''
