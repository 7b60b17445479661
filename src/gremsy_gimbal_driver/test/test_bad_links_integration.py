# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a link is said in its own clear sentence, in the log once and in /diagnostics; nothing moves."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import random
import shutil
import socket
import termios
import threading
import time
import tty
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('tf2_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from src.gremsy_gimbal_driver.test.ros_bench import free_udp_port, scene

pytestmark = pytest.mark.integration

NOT_ARMED = 'Not armed: no attitude comes from the gimbal; check its link and power.'


@pytest.fixture
def stage(tmp_path):
    with scene(tmp_path) as made:
        yield made


class Wire:
    """A tty whose other end is this test's; `talk` is written to it for ever."""

    def __init__(self, link: Path) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        link.symlink_to(os.ttyname(self.slave))
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self.heard = bytearray()

    def talk(self, say) -> None:
        def run():
            while not self._end.wait(0.05):
                with suppress(BlockingIOError):
                    self.heard += os.read(self.master, 65536)
                with suppress(BlockingIOError):
                    os.write(self.master, say())

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def close(self) -> None:
        self._end.set()
        for each in self._threads:
            each.join()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def wire(tmp_path):
    made = Wire(tmp_path / 'ttyWRONG')
    yield made
    made.close()


def complains(stage, sentence, in_log=True, timeout_s=15.0):
    """It is in /diagnostics, the gimbal cannot be armed, and the node lives and has said it once."""
    user = stage.user
    user.wait_until(
        lambda: user.diagnostics.get('link trouble') == sentence,
        timeout_s,
        lambda: f'{user.diagnostics} {stage.node.said}',
    )
    assert user.health == (3, sentence)  # DiagnosticStatus.STALE
    assert user.switch('arm', True) == (False, NOT_ARMED)
    said = stage.end()
    assert said.count(sentence) == (1 if in_log else 0), said


def test_a_port_that_is_not_there_names_it(stage, tmp_path):
    stage.add_node(f'serial://{tmp_path}/ttyNONE')
    complains(
        stage, f'There is no serial port {tmp_path}/ttyNONE: plug the gimbal in, or correct the parameter `link`.'
    )


def test_what_is_no_serial_port_is_named(stage, tmp_path):
    (tmp_path / 'notes.txt').write_text('not a port')
    stage.add_node(f'serial://{tmp_path}/notes.txt')
    complains(
        stage,
        f'{tmp_path}/notes.txt is not a serial port: correct the parameter `link` '
        '(ls /dev/serial/by-id shows the ports that are plugged in).',
    )


def test_a_port_that_another_program_holds_names_it_and_is_opened_once_it_is_free(stage):
    payload = stage.add_payload('pty')
    payload.wait_ready()
    holder = os.open(payload.pty, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    fcntl.ioctl(holder, termios.TIOCEXCL)
    stage.add_node(payload.uris['pty'])
    held = f'Another program holds the serial port {payload.pty}: close it (gTune, a second driver) first.'
    stage.user.wait_for_row('link trouble', held)
    fcntl.ioctl(holder, termios.TIOCNXCL)
    os.close(holder)
    stage.user.wait_until(lambda: stage.user.attitudes)
    stage.user.wait_for_row('link trouble', '')
    assert stage.end().count(held) == 1


NOBODY = 65534


def mere_user():
    """Words in front of a command that take root's leave to open everything away; none where we are not root."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which('setpriv')
    if setpriv is None:
        pytest.skip('root may open every port, and there is no setpriv to take that away')
    return (setpriv, '--bounding-set=-dac_override,-dac_read_search')


def test_a_port_that_this_user_may_not_open_names_the_way_to_it(stage, wire, tmp_path):
    before = mere_user()
    port, node = tmp_path / 'ttyWRONG', Path(os.ttyname(wire.slave))
    if before:
        os.chown(node, NOBODY, 0)
    node.chmod(0o600 if before else 0)
    owner = pwd.getpwuid(node.stat().st_uid).pw_name
    stage.add_node(f'serial://{port}', *before)
    complains(
        stage,
        f'No permission to open the serial port {port}: only its owner {owner} may; give it to the group dialout '
        f'(sudo chgrp dialout {port} && sudo chmod g+rw {port}, or a udev rule that does so).',
    )


@pytest.mark.slow
def test_a_port_of_a_group_that_this_user_is_not_in_names_the_group(stage, wire, tmp_path):
    before = mere_user()
    if not before:
        pytest.skip('only root can give a port to another group')
    try:
        dialout = grp.getgrnam('dialout').gr_gid
    except KeyError:
        pytest.skip('this machine has no group dialout')
    port, node = tmp_path / 'ttyWRONG', Path(os.ttyname(wire.slave))
    os.chown(node, NOBODY, dialout)
    node.chmod(0o660)
    stage.add_node(f'serial://{port}', *before)
    complains(
        stage,
        f'No permission to open the serial port {port}: add this user to the group dialout '
        '(sudo usermod -aG dialout $USER) and log in again.',
    )


def test_a_device_that_talks_something_else_is_told_from_a_silent_one(stage, wire, tmp_path):
    noise = random.Random(7)
    wire.talk(lambda: noise.randbytes(40))
    port = tmp_path / 'ttyWRONG'
    stage.add_node(f'serial://{port}')
    user = stage.user
    start, end = (
        f'Something else is sending on serial://{port}: ',
        (" bytes, no MAVLink frame: check that this is the gimbal's port and its baud (`?baud=115200`)."),
    )
    user.wait_until(
        lambda: (
            user.diagnostics.get('link trouble', '').startswith(start)
            and user.diagnostics['link trouble'].endswith(end)
        ),
        why=lambda: user.diagnostics,
    )
    assert user.switch('arm', True) == (False, NOT_ARMED)
    assert user.diagnostics['gimbal'] == ''
    stage.end()


@pytest.mark.slow
def test_a_silent_port_says_what_to_check(stage, wire, tmp_path):
    stage.add_node(f'serial://{tmp_path}/ttyWRONG')
    complains(
        stage,
        f'Nothing is received on the gimbal link serial://{tmp_path}/ttyWRONG: '
        "check the gimbal's power, its cable, and that RX and TX are crossed.",
        in_log=False,
    )


@pytest.mark.slow
def test_a_mavlink_device_that_is_no_gimbal_is_named_and_never_commanded(stage, wire, tmp_path):
    autopilot = dialect.MAVLink(None, 1, dialect.MAV_COMP_ID_AUTOPILOT1)

    def say():
        beat = dialect.MAVLink_heartbeat_message(
            dialect.MAV_TYPE_QUADROTOR, dialect.MAV_AUTOPILOT_PX4, 0, 0, dialect.MAV_STATE_ACTIVE, 3
        )
        attitude = dialect.MAVLink_attitude_message(int(time.monotonic() * 1e3), 0.1, 0.2, 0.3, 0, 0, 0)
        return b''.join(bytes(each.pack(autopilot)) for each in (beat, attitude))

    wire.talk(say)
    stage.add_node(f'serial://{tmp_path}/ttyWRONG')
    complains(
        stage,
        f'A MAVLink device that is not a gimbal is sending on serial://{tmp_path}/ttyWRONG (1/1): '
        "check that this is the gimbal's port and that nothing sits in between.",
        in_log=False,
    )
    sent = dialect.MAVLink(None).parse_buffer(bytearray(wire.heard)) or []
    assert {each.get_type() for each in sent} == {'HEARTBEAT'}


def test_an_address_where_nobody_listens_is_said_once_and_found_when_somebody_does(stage):
    port = free_udp_port()
    uri = f'udp://127.0.0.1:{port}'
    stage.add_node(uri)
    user = stage.user
    user.wait_until(
        lambda: 'Nothing is listening' in user.diagnostics.get('link trouble', ''), why=lambda: user.diagnostics
    )
    sentence = user.diagnostics['link trouble']
    assert sentence.startswith(f'Nothing is listening on the gimbal link {uri}: wait for the payload to start, ')
    assert user.switch('arm', True) == (False, NOT_ARMED)
    user.spin(2.0)
    assert stage.end().count(sentence) == 1


@pytest.mark.slow
def test_an_address_that_answers_with_garbage_does_not_move_anything(stage):
    noise = random.Random(11)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(('127.0.0.1', 0))
        server.settimeout(0.5)
        uri = f'udp://127.0.0.1:{server.getsockname()[1]}'
        stage.add_node(uri)
        over = threading.Event()
        heard = []

        def answer():
            while not over.is_set():
                try:
                    data, peer = server.recvfrom(2048)
                except TimeoutError:
                    continue
                heard.append(data)
                for _ in range(20):
                    server.sendto(noise.randbytes(noise.randrange(1, 200)), peer)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        user = stage.user
        user.wait_until(
            lambda: user.diagnostics.get('link trouble', '').startswith(f'Something else is sending on {uri}: '),
            why=lambda: user.diagnostics,
        )
        assert user.diagnostics['link trouble'].endswith(
            " bytes, no MAVLink frame: check that this is the gimbal's port."
        )
        assert user.switch('arm', True) == (False, NOT_ARMED)
        stage.end()
        over.set()
        thread.join()
    sent = [each for data in heard for each in dialect.MAVLink(None).parse_buffer(bytearray(data)) or []]
    assert {each.get_type() for each in sent} == {'HEARTBEAT'}


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        (
            {'link': 'tcp://1.2.3.4:5'},
            "The gimbal link 'tcp://1.2.3.4:5' has an unknown scheme 'tcp': "
            'write udp://192.168.55.1:14566 or serial:///dev/ttyUSB0?baud=115200.',
        ),
        ({'azimuth_sign': 0}, 'Parameter `azimuth_sign` is 0: use 1 or -1.'),
        (
            {'gimbal_component_id': 26, 'gimbal_system_id': 1},
            'Parameter `gimbal_component_id` is 26, which is no gimbal: use 154, 171 to 175, or 0 to learn it.',
        ),
    ],
    ids=['link', 'sign', 'component'],
)
def test_a_start_that_cannot_be_right_ends_with_one_sentence(parameters, sentence, stage):
    parameters = {'link': 'udp://127.0.0.1:9', **parameters}
    node = stage.add_node(parameters.pop('link'), **parameters)
    assert node.wait(30.0) == 2
    assert sentence in node.said
    assert 'Traceback' not in node.said


@pytest.mark.slow
def test_a_second_gimbal_on_the_same_wire_is_left_alone(stage):
    """Another gimbal's attitudes must neither be believed nor lead to commands for it."""
    first = stage.add_payload('udp')
    second = stage.add_payload('udp', system=2, gimbal_component=171, start_mode='off')
    stage.add_node(first.uris['udp'], second_link=second.uris['udp'], gimbal_system_id=1, gimbal_component_id=154)
    first.wait_ready()
    second.wait_ready()
    user = stage.user
    user.wait_until(lambda: user.attitudes)
    user.wait_for_row('link 2 heard', '2/26, 2/101, 2/171')
    user.arm()
    user.send_until(lambda: first.angles[0] > 0.2, lambda: user.rate(user.rates, 0.5, 0.0))
    assert second.angles[0] == 0.0
    assert user.fresh_diagnostics(1)['gimbal'] == '1/154'
    stage.end()
