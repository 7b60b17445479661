# SPDX-License-Identifier: Apache-2.0
"""What ROS_NETWORK becomes; what Fast DDS makes of that is in benchmarks/test/test_network_integration.py."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from gremsy_bringup.describe.ros_network import NetworkError, RosNetwork, join_network, network_of
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import describe, process_specs

CONFIG = Path(__file__).parents[1] / 'config'
PROFILES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')


def joined(environment: dict[str, str], *, robot: bool = True) -> dict[str, str]:
    network = network_of(environment)
    assert network is not None
    result = dict(environment)
    join_network(result, network.variables(CONFIG, robot=robot))
    return result


@pytest.mark.parametrize('environment', [{}, {'ROS_NETWORK': ' '}, {'ROS_NETWORK': 'local'}, {'ROS_DOMAIN_ID': '3'}])
def test_it_is_local_where_nothing_else_is_said(environment: dict[str, str]) -> None:
    network = network_of(environment)
    assert network == RosNetwork('local')
    assert not network.opens
    assert joined(environment)[PROFILES[0]] == str(CONFIG / 'fastdds_local.xml')


@pytest.mark.parametrize(
    ('variable', 'value'),
    [
        ('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET'),
        ('ROS_LOCALHOST_ONLY', '1'),
        ('ROS_DISCOVERY_SERVER', '10.0.0.1:11811'),
        ('ROS_STATIC_PEERS', '10.0.0.1'),
        ('FASTDDS_DEFAULT_PROFILES_FILE', '/mine.xml'),
        ('RMW_IMPLEMENTATION', 'rmw_zenoh_cpp'),
    ],
)
def test_what_ros_itself_was_told_is_left_alone(variable: str, value: str) -> None:
    assert network_of({variable: value}) is None


def test_where_both_speak_ros_network_counts() -> None:
    said = {
        'ROS_NETWORK': 'lan',
        'ROS_LOCALHOST_ONLY': '1',
        'ROS_DISCOVERY_SERVER': '10.0.0.1',
        'RMW_IMPLEMENTATION': '',
    }
    environment = joined({**said, 'ROS_STATIC_PEERS': '10.0.0.7;10.0.0.8', PROFILES[1]: '/mine.xml'})
    assert environment == {
        'ROS_NETWORK': 'lan',
        'RMW_IMPLEMENTATION': '',
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET',
        'ROS_STATIC_PEERS': '10.0.0.7;10.0.0.8',
        **dict.fromkeys(PROFILES, str(CONFIG / 'fastdds_shm.xml')),
    }


def test_a_robot_asks_the_servers_in_order_and_its_own_last() -> None:
    said = {'ROS_NETWORK': 'server', 'ROS_SERVER': '10.0.0.5, base.local:11900'}
    robot, laptop = joined(said), joined(said, robot=False)
    assert robot['ROS_DISCOVERY_SERVER'] == '10.0.0.5:11811;base.local:11900;127.0.0.1:11812'
    assert 'ROS_SUPER_CLIENT' not in robot
    # Whoever looks has no server of a robot, and sees everything.
    assert laptop['ROS_DISCOVERY_SERVER'] == '10.0.0.5:11811;base.local:11900'
    assert laptop['ROS_SUPER_CLIENT'] == 'TRUE'


@pytest.mark.parametrize(
    ('environment', 'sentence'),
    [
        ({'ROS_NETWORK': 'LAN'}, "ROS_NETWORK is 'LAN': use local, lan or server."),
        (
            {'ROS_NETWORK': 'server'},
            'ROS_NETWORK is server and ROS_SERVER is empty: give the address of a discovery server, as 192.168.1.10.',
        ),
        (
            {'ROS_NETWORK': 'server', 'ROS_SERVER': '10.0.0.5:0'},
            "ROS_SERVER has '10.0.0.5:0': write HOST or HOST:PORT, several apart by commas.",
        ),
        *(
            (
                {'ROS_NETWORK': 'server', 'ROS_SERVER': host},
                f"ROS_SERVER has '{host}': write HOST or HOST:PORT, several apart by commas.",
            )
            for host in ('10.0.0.999', '10.0.5', 'a..b', 'base-', '10.0.0.5.')
        ),
        (
            {'ROS_NETWORK': 'server', 'ROS_SERVER': 'udp://10.0.0.5'},
            "ROS_SERVER has 'udp://10.0.0.5': write HOST or HOST:PORT, several apart by commas.",
        ),
        ({'ROS_SHARED_MEMORY': 'no'}, "ROS_SHARED_MEMORY is 'no': use on or off."),
        (
            {'ROS_NETWORK': 'local', 'RMW_IMPLEMENTATION': 'rmw_zenoh_cpp'},
            'ROS_NETWORK is local, which is for Fast DDS, and RMW_IMPLEMENTATION is rmw_zenoh_cpp: leave ROS_NETWORK '
            'away, and configure that middleware itself.',
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(NetworkError) as raised:
        network_of(environment)
    assert str(raised.value) == sentence


def test_opening_it_says_what_it_opens() -> None:
    assert RosNetwork('lan').opens == (
        'ROS_NETWORK is lan: whoever shares this network and ROS_DOMAIN_ID hears this robot and can command it.'
    )
    assert RosNetwork('server', ('10.0.0.5:11811', 'b:1')).opens == (
        'ROS_NETWORK is server: whoever reaches 10.0.0.5:11811 or b:1 hears this robot and can command it, in whatever '
        'ROS_DOMAIN_ID.'
    )


@pytest.mark.parametrize('kind', ['local', 'lan', 'server'])
@pytest.mark.parametrize('memory', ['on', 'off'])
def test_each_setting_has_a_profile_with_or_without_shared_memory(kind: str, memory: str) -> None:
    path = Path(joined({'ROS_NETWORK': kind, 'ROS_SHARED_MEMORY': memory, 'ROS_SERVER': '10.0.0.5'})[PROFILES[0]])
    space = {'dds': 'http://www.eprosima.com'}
    root = ET.parse(path).getroot()
    kinds = {each.text for each in root.findall('.//dds:transport_descriptor/dds:type', space)}
    assert kinds == ({'UDPv4', 'SHM'} if memory == 'on' else {'UDPv4'})
    listens = [each.text for each in root.findall('.//dds:interfaceWhiteList/dds:address', space)]
    assert listens == (['127.0.0.1'] if kind == 'local' else [])


def test_a_server_of_the_robots_own_starts_first_and_ends_last(tmp_path: Path) -> None:
    network = network_of({'ROS_NETWORK': 'server', 'ROS_SERVER': '10.0.0.5,10.0.0.6'})
    specs = process_specs(describe(SuiteArguments(), network=network), tmp_path)
    assert specs[0].name == 'discovery'
    assert specs[0].argv[-4:] == ('--id', '2', '--listen', '127.0.0.1:11812')
    assert specs[0].stop_rank == max(spec.stop_rank for spec in specs)
    assert 'discovery' not in [spec.name for spec in process_specs(describe(SuiteArguments()), tmp_path)]


def test_processes_of_their_own_keep_the_networks_profile() -> None:
    apart = SuiteArguments(composed=False)
    assert not any(each.environment for each in describe(apart, network=RosNetwork('local')).processes)
