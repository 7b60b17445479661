# SPDX-License-Identifier: Apache-2.0
"""A serial port: who may have it, what it is not, and that no frame is cut in two."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import random
import select
import struct
import termios
import tty

import pytest
import serial

from gremsy_gimbal_driver.links import serial_link
from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.link_keeper import LinkKeeper, LinkTraffic
from gremsy_gimbal_driver.links.link_uri import link_from_uri
from gremsy_gimbal_driver.links.port_access import PortAccess, no_permission, read_access, refusal
from gremsy_gimbal_driver.links.serial_link import SerialLink


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


@pytest.mark.parametrize('kind', ['file', 'folder', 'device'])
def test_what_is_no_tty_is_refused(tmp_path, kind):
    path = {'file': tmp_path / 'file', 'folder': tmp_path, 'device': '/dev/null'}[kind]
    if kind == 'file':
        path.write_bytes(b'')
    with pytest.raises(LinkError) as refused:
        SerialLink(str(path)).open()
    assert str(refused.value) == (
        f'{path} is not a serial port: correct the parameter `link` '
        '(ls /dev/serial/by-id shows the ports that are plugged in).'
    )


def test_a_node_without_a_device_behind_it_is_named_though_pyserial_hides_the_number():
    try:
        try:
            raise termios.error(errno.EIO, 'Input/output error')
        except termios.error as error:
            raise serial.SerialException(f'Could not configure port: {error}')  # noqa: B904 - as pyserial does
    except serial.SerialException as error:
        sentence = refusal('/dev/ttyS5', 115200, error)
    assert sentence == (
        'The serial port /dev/ttyS5 has no device attached: plug the gimbal in, or correct the parameter `link`.'
    )


USUAL = PortAccess('root', 'dialout', 20, group_may=True, is_in_group=False, will_be_in_group=False)


@pytest.mark.parametrize(
    ('access', 'way_out'),
    [
        (USUAL, 'add this user to the group dialout (sudo usermod -aG dialout $USER) and log in again.'),
        (
            PortAccess('root', 'uucp', 14, True, False, False),
            'add this user to the group uucp (sudo usermod -aG uucp $USER) and log in again.',
        ),
        (
            PortAccess('root', 'dialout', 20, True, False, True),
            'this user joined its group dialout after logging in: log in again.',
        ),
        (
            PortAccess('root', 'dialout', 20, True, True, True),
            'this user is in its group dialout, so something else forbids it: '
            'in a container, start that with --device for this port.',
        ),
        (
            PortAccess('root', '', 986, True, False, False),
            'it belongs to the group 986, which has no name here: start this container with --group-add 986.',
        ),
        *(
            (
                access,
                'only its owner root may; give it to the group dialout (sudo chgrp dialout /dev/ttyX && '
                'sudo chmod g+rw /dev/ttyX, or a udev rule that does so).',
            )
            for access in (
                PortAccess('root', 'root', 0, True, False, False),
                PortAccess('root', 'dialout', 20, False, True, True),
            )
        ),
    ],
)
def test_who_may_open_a_port_decides_what_to_do_about_it(access, way_out):
    assert no_permission('/dev/ttyX', access) == f'No permission to open the serial port /dev/ttyX: {way_out}'


def test_who_may_open_a_port_is_read_from_its_node(tmp_path):
    path = tmp_path / 'port'
    path.touch()
    assert read_access(str(tmp_path / 'none')) is None
    for mode, may in ((0o660, True), (0o620, False), (0o600, False)):
        path.chmod(mode)
        access = read_access(str(path))
        assert access is not None
        assert access.group_may == may
        assert access.is_in_group
        assert access.group == grp.getgrgid(path.stat().st_gid).gr_name


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


def test_a_port_is_claimed_so_that_programs_that_lock_nothing_stay_out_too(monkeypatch):
    # The flag is left off pseudo-terminals, which is all that there is to test with.
    monkeypatch.setattr(serial_link, '_PSEUDO_TERMINALS', ())
    master, slave = os.openpty()
    link = SerialLink(os.ttyname(slave))
    assert not _is_exclusive(slave)
    link.open()
    assert _is_exclusive(slave)
    link.close()
    os.close(master)
    os.close(slave)


def test_a_pseudo_terminal_stays_open_to_the_next_driver():
    master, slave = os.openpty()
    link = SerialLink(os.ttyname(slave))
    link.open()
    assert not _is_exclusive(slave)
    link.close()
    os.close(master)
    os.close(slave)


def _is_exclusive(descriptor: int) -> bool:
    tiocgexcl = 0x80045440
    return bool(struct.unpack('i', fcntl.ioctl(descriptor, tiocgexcl, bytes(4)))[0])


def test_dtr_and_rts_are_raised_where_the_uri_says_so(monkeypatch):
    lines = []

    def opened(self):
        lines.append((self.dtr, self.rts))
        raise serial.SerialException(errno.ENOENT, 'enough seen')

    monkeypatch.setattr(serial.Serial, 'open', opened)
    for uri in ('serial:///dev/ttyX?dtr=1', 'serial:///dev/ttyX?rts=1&baud=57600'):
        with pytest.raises(LinkError):
            link_from_uri(uri).open()
    assert lines == [(True, False), (False, True)]


def test_a_path_that_leads_to_another_device_is_a_loss_though_the_old_one_is_only_silent(tmp_path):
    (old_master, old), (new_master, new) = os.openpty(), os.openpty()
    path = tmp_path / 'gimbal'
    path.symlink_to(os.ttyname(old))
    link = SerialLink(str(path))
    link.open()
    assert link.read(0.0) == b''
    path.unlink()
    assert link.read(0.0) == b''  # udev at work, perhaps
    path.symlink_to(os.ttyname(new))
    with pytest.raises(LinkError) as lost:
        link.read(0.0)
    assert str(lost.value) == (
        f'The serial port {path} was disconnected: check its plug; it is reopened as soon as it is back.'
    )
    link.close()
    for descriptor in (old_master, old, new_master, new):
        os.close(descriptor)


@pytest.mark.parametrize('seed', range(3))
def test_a_port_that_takes_half_a_frame_gets_the_other_half_before_the_next(seed):
    random_ = random.Random(seed)
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    link = SerialLink(os.ttyname(slave))
    link.open()
    received, whole = bytearray(), []
    for number in range(3000):
        if link.write(struct.pack('<H', number) * 22):
            whole.append(number)
        if random_.random() < 0.02:
            received += _drain(master, random_.randrange(2000))
    while not link.write(b''):
        received += _drain(master, 5000)
    while select.select([master], [], [], 0.2)[0]:
        received += _drain(master, 100_000)
    frames = [struct.unpack('<22H', received[at : at + 44]) for at in range(0, len(received), 44)]
    assert len(received) % 44 == 0
    assert all(len(set(frame)) == 1 for frame in frames)
    numbers = [frame[0] for frame in frames]
    assert numbers == sorted(set(numbers))
    assert set(whole) <= set(numbers)
    assert len(whole) < 3000
    link.close()
    os.close(master)
    os.close(slave)


def _drain(descriptor: int, size: int) -> bytes:
    data = b''
    try:
        while len(data) < size:
            data += os.read(descriptor, size - len(data))
    except BlockingIOError:
        return data
    return data


def test_a_device_that_vanishes_under_a_write_is_said_by_the_reader_and_nothing_is_raised():
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    lost: list[str] = []
    keeper = LinkKeeper(SerialLink(path), lambda _: None, lost.append)
    keeper.read(0.0)
    assert keeper.write(b'before')
    os.close(slave)
    os.close(master)
    assert not keeper.write(b'after')
    assert not lost
    assert keeper.read(0.0) == b''
    assert not keeper.is_open
    assert lost == [f'The serial port {path} was disconnected: check its plug; it is reopened as soon as it is back.']
    # The reason now: it has looked for the port since.
    assert keeper.fault == f'There is no serial port {path}: plug the gimbal in, or correct the parameter `link`.'
    assert keeper.traffic == LinkTraffic(bytes_in=0, bytes_out=6, refused_writes=1, openings=1)
    keeper.close()
