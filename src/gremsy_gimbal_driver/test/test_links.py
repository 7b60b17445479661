# SPDX-License-Identifier: Apache-2.0
"""Links: what a URI means, and the whole sentence for everything that can be wrong with one."""

from __future__ import annotations

import errno
import os
import socket
import tty

import pytest
import serial

from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.link_keeper import LinkKeeper
from gremsy_gimbal_driver.links.link_uri import link_from_uri
from gremsy_gimbal_driver.links.serial_link import SerialLink
from gremsy_gimbal_driver.links.udp_link import UdpLink

EXAMPLES = 'udp://192.168.55.1:14566 or serial:///dev/ttyUSB0?baud=115200'


@pytest.mark.parametrize(
    ('uri', 'kind', 'name'),
    [
        ('udp://127.0.0.1:14566', UdpLink, 'udp://127.0.0.1:14566'),
        ('udp://payload', UdpLink, 'udp://payload:14566'),
        ('serial:///dev/ttyUSB0', SerialLink, 'serial:///dev/ttyUSB0'),
        ('serial:///dev/ttyUSB0?baud=921600', SerialLink, 'serial:///dev/ttyUSB0'),
    ],
)
def test_a_uri_becomes_its_link(uri, kind, name):
    link = link_from_uri(uri)
    assert isinstance(link, kind)
    assert link.name == name


@pytest.mark.parametrize(
    ('uri', 'sentence'),
    [
        ('tcp://1.2.3.4:5', f"The gimbal link 'tcp://1.2.3.4:5' has an unknown scheme 'tcp': write {EXAMPLES}."),
        ('', f"The gimbal link '' has an unknown scheme '': write {EXAMPLES}."),
        ('/dev/ttyUSB0', f"The gimbal link '/dev/ttyUSB0' has an unknown scheme '': write {EXAMPLES}."),
        ('udp://', "The gimbal link 'udp://' is no udp address: write udp://HOST:PORT."),
        (
            'udp://1.2.3.4:99999',
            f"The gimbal link 'udp://1.2.3.4:99999' cannot be read (Port out of range 0-65535): write {EXAMPLES}.",
        ),
        (
            'serial://ttyUSB0',
            "The gimbal link 'serial://ttyUSB0' names no port: write serial:///dev/ttyUSB0, with three slashes.",
        ),
        (
            'serial:///dev/ttyUSB0?baud=fast',
            "The gimbal link 'serial:///dev/ttyUSB0?baud=fast' has no usable baud 'fast': "
            'use 115200, or 1200 to 4000000.',
        ),
        (
            'serial:///dev/ttyUSB0?speed=9600',
            "The gimbal link 'serial:///dev/ttyUSB0?speed=9600' has an unknown option 'speed': the only one is baud.",
        ),
    ],
)
def test_a_wrong_uri_is_refused_in_one_sentence(uri, sentence):
    with pytest.raises(LinkError) as refused:
        link_from_uri(uri)
    assert str(refused.value) == sentence


def test_a_missing_port_is_named_with_the_way_out():
    with pytest.raises(LinkError) as refused:
        SerialLink('/dev/ttyNOSUCH').open()
    assert str(refused.value) == (
        'There is no serial port /dev/ttyNOSUCH: plug the gimbal in, or correct the parameter `link`.'
    )


@pytest.mark.parametrize(
    ('number', 'sentence'),
    [
        (
            errno.EACCES,
            'No permission to open the serial port /dev/ttyX: '
            'add this user to the group dialout (sudo usermod -aG dialout $USER) and log in again.',
        ),
        (errno.EBUSY, 'Another program holds the serial port /dev/ttyX: close it (gTune, a second driver) first.'),
    ],
)
def test_a_forbidden_or_busy_port_is_named_with_the_way_out(monkeypatch, number, sentence):
    def refuse(self):
        raise serial.SerialException(number, os.strerror(number))

    monkeypatch.setattr(serial.Serial, 'open', refuse)
    with pytest.raises(LinkError) as refused:
        SerialLink('/dev/ttyX').open()
    assert str(refused.value) == sentence


def test_a_port_that_is_no_tty_is_refused(tmp_path):
    path = tmp_path / 'file'
    path.write_bytes(b'')
    with pytest.raises(LinkError, match=f'^{path} is no serial port that opens at 115200 baud'):
        SerialLink(str(path)).open()


def test_a_second_opening_of_the_same_port_is_refused():
    master, slave = os.openpty()
    tty.setraw(slave)
    first, second = SerialLink(os.ttyname(slave)), SerialLink(os.ttyname(slave))
    first.open()
    with pytest.raises(LinkError) as refused:
        second.open()
    assert str(refused.value) == (
        f'Another program holds the serial port {os.ttyname(slave)}: close it (gTune, a second driver) first.'
    )
    first.close()
    second.open()
    second.close()
    os.close(master)
    os.close(slave)


def test_dtr_and_rts_are_low_before_the_port_is_opened(monkeypatch):
    lines = []

    def opened(self):
        lines.append((self.dtr, self.rts, self.is_open))
        raise serial.SerialException(errno.ENOENT, 'enough seen')

    monkeypatch.setattr(serial.Serial, 'open', opened)
    with pytest.raises(LinkError):
        SerialLink('/dev/ttyX').open()
    assert lines == [(False, False, False)]


def test_bytes_go_both_ways_over_a_pty_and_its_loss_is_an_error():
    master, slave = os.openpty()
    tty.setraw(slave)
    link = SerialLink(os.ttyname(slave))
    link.open()
    os.close(slave)
    assert link.read(0.0) == b''
    os.write(master, b'\x00\xfd\xff')
    assert link.read(1.0) == b'\x00\xfd\xff'
    assert link.write(b'\x03\x11\x13\x1a')
    assert os.read(master, 10) == b'\x03\x11\x13\x1a'
    os.close(master)
    with pytest.raises(LinkError):
        link.read(1.0)
    link.close()
    link.close()


def test_a_serial_port_that_takes_nothing_more_does_not_hold_the_writer():
    master, slave = os.openpty()
    tty.setraw(slave)
    link = SerialLink(os.ttyname(slave))
    link.open()
    while link.write(bytes(1000)):
        pass
    assert not link.write(bytes(1000))
    link.close()
    os.close(master)
    os.close(slave)


def test_udp_speaks_first_and_hears_the_answer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(('127.0.0.1', 0))
        link = UdpLink(*server.getsockname())
        link.open()
        assert link.write(b'hello')
        data, peer = server.recvfrom(100)
        assert data == b'hello'
        server.sendto(b'answer', peer)
        assert link.read(1.0) == b'answer'
        assert link.read(0.0) == b''
        link.close()


def test_nobody_listening_on_udp_is_not_the_loss_of_the_link():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(('127.0.0.1', 0))
        address = server.getsockname()
    link = UdpLink(*address)
    link.open()
    for _ in range(4):
        link.write(b'anybody there?')
        assert link.read(0.01) == b''
    assert link.refused > 0
    link.close()


def test_an_address_that_cannot_be_resolved_is_named():
    with pytest.raises(LinkError) as refused:
        UdpLink('no.such.host.invalid', 14566).open()
    assert str(refused.value).startswith(
        'The address of the gimbal link udp://no.such.host.invalid:14566 cannot be resolved ('
    )


class FlakyLink:
    """Opens at the third attempt, and is lost at the second read."""

    name = 'flaky://'
    is_datagram = False

    def __init__(self) -> None:
        self.attempts = 0
        self.reads = 0

    def open(self) -> None:
        self.attempts += 1
        if self.attempts < 3:
            raise LinkError('not yet')

    def close(self) -> None:
        pass

    def fileno(self) -> int:
        return 7

    def read(self, timeout_s: float) -> bytes:
        self.reads += 1
        if self.reads == 2:
            raise LinkError('gone')
        return b'data'

    def write(self, data: bytes) -> bool:
        return True


def test_keeper_opens_again_and_says_each_loss_once():
    opened: list[int] = []
    said: list[str] = []
    link = FlakyLink()
    keeper = LinkKeeper(link, opened.append, said.append)
    assert not keeper.write(b'x')
    results = [keeper.read(0.0) for _ in range(5)]
    assert results == [b'', b'', b'data', b'', b'data']
    assert said == ['not yet', 'gone']
    assert opened == [7, 7]
    assert keeper.openings == 2
    assert keeper.write(b'x')
    keeper.close()
    assert not keeper.write(b'x')
