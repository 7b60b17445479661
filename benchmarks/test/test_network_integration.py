# SPDX-License-Identifier: Apache-2.0
"""ROS_NETWORK between hosts of one Ethernet (network namespaces of this machine), by Fast DDS: who hears a robot."""

import sys

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from benchmarks.network.namespaces import Lan, NoNamespacesError
from benchmarks.network.network_robots import (
    DETECTIONS,
    base_station,
    listener_at,
    robot_of,
    server_at,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
LOCAL, LAN = {'ROS_NETWORK': 'local'}, {'ROS_NETWORK': 'lan'}
# Nobody of ours, and nobody with rights over root's files.
STRANGER = 54321
# Long enough for a listener that can hear: those who do, do within a second.
_IN_VAIN_S = 3.0


@pytest.fixture
def lan():
    try:
        with Lan('alpha', 'bravo', 'base') as hosts:
            yield hosts
    except NoNamespacesError as error:
        pytest.skip(str(error))


def listen(host, variables, name='alpha', **options):
    return listener_at(host, variables, DETECTIONS.format(name), **options)


def heard(listener, name='alpha'):
    return listener.result()['heard'][DETECTIONS.format(name)]


def test_local_is_heard_on_the_robot_and_by_nobody_else(lan):
    robot_of(lan['alpha'], LOCAL)
    inside = listen(lan['alpha'], LOCAL, on_robot=True)
    assert inside.printed('heard')
    assert lan['alpha'].traffic().sent_packets == 0
    # The second is multicast, joined on loopback.
    assert lan['alpha'].udp_addresses() <= {'127.0.0.1', '239.255.0.1'}
    # ROS's own ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST is no closed door: it answers whoever knows the address.
    robot_of(lan['bravo'], {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}, 'bravo')
    asked = {**LAN, 'ROS_STATIC_PEERS': f'{lan["alpha"].address};{lan["bravo"].address}'}
    # A neighbour on the robot that is open, so that multicast for it comes in there.
    neighbour = listen(lan['alpha'], {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'})
    stranger = listener_at(lan['base'], asked, DETECTIONS.format('bravo'), DETECTIONS.format('alpha'))
    assert stranger.printed('heard /bravo')
    assert not stranger.printed('heard /alpha', _IN_VAIN_S)
    # The robot was there to be heard all the time, on its own machine whatever the settings there.
    assert neighbour.printed('heard')
    assert len(heard(inside)) > 20


def test_lan_is_heard_by_whoever_shares_network_and_domain(lan):
    robot_of(lan['alpha'], LAN)
    # A laptop with ROS's own settings, and one in another domain.
    laptop = listen(lan['base'], {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'})
    elsewhere = listen(lan['bravo'], {**LAN, 'ROS_DOMAIN_ID': '102'})
    assert laptop.printed('heard')
    assert not elsewhere.printed('heard', _IN_VAIN_S)


@pytest.mark.slow
def test_lan_without_multicast_finds_whom_it_names(lan):
    lan['alpha'].refuse_multicast()
    robot_of(lan['alpha'], {**LAN, 'ROS_STATIC_PEERS': lan['base'].address})
    unnamed = listen(lan['bravo'], LAN)
    assert listen(lan['base'], LAN).printed('heard')
    assert not unnamed.printed('heard', _IN_VAIN_S)


@pytest.mark.slow
def test_server_brings_two_robots_to_the_base_station_where_one_packet_of_a_hundred_is_lost(lan):
    for host in lan.values():
        host.lose(0.01)
    meeting = base_station(lan['base'])
    server_at(lan['base'])
    robots = {name: robot_of(lan[name], meeting, name) for name in ('alpha', 'bravo')}
    base = listener_at(lan['base'], meeting, *(DETECTIONS.format(name) for name in robots))
    # Fast DDS keeps no domains apart at a server: .env and docs/networks.md warn of it.
    elsewhere = listen(lan['base'], {**meeting, 'ROS_DOMAIN_ID': '102'})
    outsider = listen(lan['bravo'], LAN)
    assert elsewhere.printed('heard')
    assert all(base.printed('heard') for _ in robots)
    assert not outsider.printed('heard', _IN_VAIN_S)
    sent = {name: robot.result()['stamps'] for name, robot in robots.items()}
    came = base.result()['heard']
    for name, stamps in sent.items():
        arrived = [int(stamp) for stamp in came[DETECTIONS.format(name)]]
        since = [stamp for stamp in stamps if stamp >= min(arrived)]
        # Reliable: what is lost is sent again, unless five newer ones come meanwhile (`bench network` has the share).
        assert len(since) > 20
        assert len(arrived) >= 0.8 * len(since)


@pytest.mark.slow
def test_a_robot_goes_on_while_the_server_is_away(lan):
    meeting = base_station(lan['base'])
    robot_of(lan['alpha'], meeting)
    # Both begin without it: they find each other by the robot's own server.
    inside = listen(lan['alpha'], meeting, on_robot=True)
    assert inside.printed('heard')
    server = server_at(lan['base'])
    base = listen(lan['base'], meeting)
    assert base.printed('heard')
    server.end()
    so_far = lan['base'].traffic().received_packets
    server_at(lan['base'])
    # Who comes later is told of those who were there before.
    assert listen(lan['base'], meeting).printed('heard')
    assert lan['base'].traffic().received_packets > so_far
    assert len(heard(base)) > 20
    assert len(heard(inside)) > 20


@pytest.mark.slow
def test_another_user_of_the_machine_hears_by_udp_alone(lan):
    robot_of(lan['alpha'], LOCAL)
    robot_of(lan['bravo'], {**LOCAL, 'ROS_SHARED_MEMORY': 'off'}, 'bravo')
    by_memory = listen(lan['alpha'], LOCAL, user=STRANGER)
    by_udp = listen(lan['bravo'], LOCAL, 'bravo', user=STRANGER)
    assert by_udp.printed('heard')
    # It is found, and nothing comes: nobody says so.
    assert not by_memory.printed('heard', _IN_VAIN_S)
    # Who has the same user hears.
    assert listen(lan['alpha'], LOCAL).printed('heard')


def test_the_suite_as_a_user_starts_it_goes_where_it_is_told(lan):
    meeting = base_station(lan['base'])
    server_at(lan['base'])
    words = f'{sys.executable} -m gremsy_bringup.run sim:=true cameras:= namespace:=alpha'
    suite = lan['alpha'].run(['sh', '-c', f'exec {words} 2>&1'], meeting)
    assert suite.printed(f'ROS_NETWORK is server: whoever reaches {lan["base"].address}:11811 hears this robot')
    assert listener_at(lan['base'], meeting, '/alpha/gimbal/attitude').printed('heard')
