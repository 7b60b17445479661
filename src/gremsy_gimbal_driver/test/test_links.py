# SPDX-License-Identifier: Apache-2.0
"""Links: what a URI means, and the whole sentence for everything that can be wrong with one."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import random
import select
import socket
import struct
import termios
import threading
import tty

import pytest
import serial

from gremsy_gimbal_driver.links import serial_link
from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.link_keeper import LinkKeeper, Traffic
from gremsy_gimbal_driver.links.link_uri import link_from_uri, links_from_uris
from gremsy_gimbal_driver.links.port_access import PortAccess, no_permission, read_access, refusal
from gremsy_gimbal_driver.links.serial_link import SerialLink
from gremsy_gimbal_driver.links.udp_link import UdpLink

EXAMPLES = 'udp://192.168.55.1:14566 or serial:///dev/ttyUSB0?baud=115200'


@pytest.mark.parametrize(
    ('uri', 'kind', 'name'),
    [
        ('udp://127.0.0.1:14566', UdpLink, 'udp://127.0.0.1:14566'),
        ('udp://payload', UdpLink, 'udp://payload:14566'),
        ('udp://[::1]:14566', UdpLink, 'udp://[::1]:14566'),
        ('udp://payload:14566?bind=0.0.0.0:14550', UdpLink, 'udp://payload:14566'),
        ('serial:///dev/ttyUSB0', SerialLink, 'serial:///dev/ttyUSB0'),
        ('serial:///dev/ttyUSB0?baud=921600', SerialLink, 'serial:///dev/ttyUSB0'),
        (
            'serial:///dev/serial/by-id/usb-FTDI?baud=115200&dtr=1&rts=0',
            SerialLink,
            'serial:///dev/serial/by-id/usb-FTDI',
        ),
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
            "The gimbal link 'serial:///dev/ttyUSB0?speed=9600' has an unknown option 'speed': "
            'there are baud, dtr and rts.',
        ),
        (
            'serial:///dev/ttyUSB0?baud=9600&baud=115200',
            "The gimbal link 'serial:///dev/ttyUSB0?baud=9600&baud=115200' gives the option 'baud' twice: "
            'leave one out.',
        ),
        (
            'serial:///dev/ttyUSB0?dtr=low',
            "The gimbal link 'serial:///dev/ttyUSB0?dtr=low' sets dtr to 'low': "
            "0 keeps that line low, as a Gremsy's USB cable needs it; 1 raises it.",
        ),
        (
            'udp://1.2.3.4?baud=9600',
            "The gimbal link 'udp://1.2.3.4?baud=9600' has an unknown option 'baud': the only one is bind.",
        ),
        (
            'udp://1.2.3.4?bind=14550',
            "The gimbal link 'udp://1.2.3.4?bind=14550' binds to '14550', which is no address: "
            'write bind=0.0.0.0:14550.',
        ),
    ],
)
def test_a_wrong_uri_is_refused_in_one_sentence(uri, sentence):
    with pytest.raises(LinkError) as refused:
        link_from_uri(uri)
    assert str(refused.value) == sentence


def test_two_uris_are_two_links_in_their_order():
    links = links_from_uris(['udp://payload', 'serial:///dev/ttyUSB0'])
    assert [link.name for link in links] == ['udp://payload:14566', 'serial:///dev/ttyUSB0']


@pytest.mark.parametrize(
    ('uris', 'sentence'),
    [
        ([], f'The parameter `link` names 0 links: name one or two, as {EXAMPLES}.'),
        (['udp://a', 'udp://b', 'udp://c'], f'The parameter `link` names 3 links: name one or two, as {EXAMPLES}.'),
        (
            ['serial:///dev/ttyUSB0', 'serial:///dev/ttyUSB0?baud=9600'],
            'The parameter `link` names serial:///dev/ttyUSB0 twice: leave one out.',
        ),
    ],
)
def test_none_three_or_twice_the_same_are_refused(uris, sentence):
    with pytest.raises(LinkError) as refused:
        links_from_uris(uris)
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


@pytest.mark.parametrize('kind', ['file', 'folder', 'device'])
def test_what_is_no_tty_is_refused(tmp_path, kind):
    path = {'file': tmp_path / 'file', 'folder': tmp_path, 'device': '/dev/null'}[kind]
    if kind == 'file':
        path.write_bytes(b'')
    with pytest.raises(LinkError) as refused:
        SerialLink(str(path)).open()
    assert str(refused.value) == (
        f'{path} is no serial port: correct the parameter `link` '
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
        'The serial port /dev/ttyS5 has no device behind it: plug the gimbal in, or correct the parameter `link`.'
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
    monkeypatch.setattr(serial_link, '_is_pseudo_terminal', lambda _: False)
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
    # It cannot be hurried either, and says so.
    assert link.slow_reason.startswith('Failed to update ASYNC_LOW_LATENCY flag to True')
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
        f'The serial port {path} went away: check its plug; it is opened again as soon as it is back.'
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
    assert lost == [f'The serial port {path} went away: check its plug; it is opened again as soon as it is back.']
    # The reason now: it has looked for the port since.
    assert keeper.trouble == f'There is no serial port {path}: plug the gimbal in, or correct the parameter `link`.'
    assert keeper.traffic == Traffic(bytes_in=0, bytes_out=6, messages_out=1, refused_writes=1, openings=1)
    keeper.close()


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


def test_only_the_payload_is_heard():
    with _udp_server() as payload, _udp_server() as stranger:
        link = UdpLink(*payload.getsockname())
        link.open()
        link.write(b'hello')
        _, ours = payload.recvfrom(100)
        stranger.sendto(b'move!', ours)
        assert link.read(0.1) == b''
        payload.sendto(b'well?', ours)
        assert link.read(1.0) == b'well?'
        link.close()


def test_nobody_listening_is_a_trouble_until_the_payload_speaks():
    with _udp_server() as payload:
        address = payload.getsockname()
    link = UdpLink(*address)
    link.open()
    assert link.trouble == ''
    link.write(b'anybody there?')
    link.read(0.1)
    assert link.trouble == (
        f'Nobody listens on the gimbal link udp://127.0.0.1:{address[1]}: wait for the payload to start, '
        'or correct the port in the parameter `link` (payloads use 14566).'
    )
    with _udp_server(address[1]) as payload:
        link.write(b'now?')
        _, ours = payload.recvfrom(100)
        payload.sendto(b'yes', ours)
        assert link.read(1.0) == b'yes'
    assert link.trouble == ''
    link.close()


def test_a_fixed_source_port_is_used_and_named_when_it_is_taken():
    with _udp_server() as payload, _udp_server() as holder:
        taken = holder.getsockname()[1]
        host, port = payload.getsockname()
        link = link_from_uri(f'udp://{host}:{port}?bind=127.0.0.1:{taken}')
        with pytest.raises(LinkError) as refused:
            link.open()
        assert str(refused.value) == (
            f'Another program holds 127.0.0.1:{taken}, where the gimbal link udp://{host}:{port} is to bind: '
            'close it (a ground station, a second driver) first, or bind elsewhere.'
        )
        holder.close()
        link.open()
        link.write(b'hello')
        assert payload.recvfrom(100) == (b'hello', ('127.0.0.1', taken))
        link.close()


def test_an_address_that_is_not_ours_or_of_the_other_kind_cannot_be_bound():
    with pytest.raises(LinkError) as refused:
        link_from_uri('udp://127.0.0.1:14566?bind=192.0.2.1:14550').open()
    assert str(refused.value) == (
        'The gimbal link udp://127.0.0.1:14566 cannot bind to 192.0.2.1:14550 (Cannot assign requested address): '
        "name one of this machine's addresses, or 0.0.0.0 for any, and a port above 1023."
    )
    with pytest.raises(LinkError) as refused:
        link_from_uri('udp://127.0.0.1:14566?bind=[::1]:14550').open()
    assert str(refused.value) == (
        'The gimbal link udp://127.0.0.1:14566 has no address of the kind that `bind` names (::1): '
        'bind to an IPv4 address for an IPv4 host, to an IPv6 address for an IPv6 host.'
    )


def test_a_payload_known_by_name_is_followed_to_its_new_address_after_a_silence(monkeypatch):
    now_s = 100.0
    addresses = ['127.0.0.1']

    def resolve(_host, port, **_):
        if not addresses:
            raise socket.gaierror(socket.EAI_AGAIN, 'Temporary failure in name resolution')
        # As resolvers do for `localhost`: the other kind first, although payloads speak IPv4.
        ipv6 = (socket.AF_INET6, socket.SOCK_DGRAM, 17, '', ('::1', port, 0, 0))
        return [ipv6, *((socket.AF_INET, socket.SOCK_DGRAM, 17, '', (host, port)) for host in addresses)]

    monkeypatch.setattr(socket, 'getaddrinfo', resolve)
    with _udp_server() as old, _udp_server(old.getsockname()[1], '127.0.0.2') as new:
        link = UdpLink('payload', old.getsockname()[1], clock=lambda: now_s)
        link.open()
        link.write(b'hello')
        _, ours = old.recvfrom(100)
        now_s += 4.9
        old.sendto(b'here', ours)
        assert link.read(1.0) == b'here'
        addresses[:] = ['127.0.0.2']
        now_s += 4.9
        assert link.read(0.0) == b''  # not silent for long enough
        addresses.clear()
        now_s += 0.2
        assert link.read(0.0) == b''  # no answer is no other address
        addresses[:] = ['127.0.0.2']
        now_s += 5.0
        with pytest.raises(LinkError):
            link.read(0.0)
        link.close()
        link.open()
        link.write(b'hello again')
        assert new.recvfrom(100)[0] == b'hello again'
        link.close()


@pytest.mark.parametrize('call', ['send', 'recv'])
def test_a_host_that_cannot_be_reached_is_a_loss_so_that_the_next_opening_finds_the_way_anew(monkeypatch, call):
    with _udp_server() as payload:
        link = UdpLink(*payload.getsockname())
        link.open()
        link.write(b'hello')
        payload.sendto(b'x', payload.recvfrom(100)[1])

        def unreachable(*_):
            raise OSError(errno.EHOSTUNREACH, 'No route to host')

        monkeypatch.setattr(socket.socket, call, unreachable)
        with pytest.raises(LinkError) as lost:
            link.write(b'x') if call == 'send' else link.read(1.0)
        monkeypatch.undo()
        assert str(lost.value) == (
            f'The gimbal link {link.name} cannot be reached (No route to host): '
            "check the payload's power, its cable and this machine's address."
        )
        link.close()


def _udp_server(port: int = 0, host: str = '127.0.0.1') -> socket.socket:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((host, port))
    server.settimeout(5.0)
    return server


class FlakyLink:
    """Opens at the third attempt, and is lost at the second read."""

    name = 'flaky://'
    is_datagram = False
    trouble = ''

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


def test_an_opening_that_takes_long_does_not_hold_the_writer_and_may_be_closed_meanwhile():
    entered, go_on = threading.Event(), threading.Event()

    class SlowLink(FlakyLink):
        closed = 0

        def open(self) -> None:
            entered.set()
            go_on.wait(10.0)

        def close(self) -> None:
            self.closed += 1

    link = SlowLink()
    opened: list[int] = []
    keeper = LinkKeeper(link, opened.append, lambda _: None)
    reader = threading.Thread(target=keeper.read, args=(0.0,))
    reader.start()
    assert entered.wait(10.0)
    assert not keeper.write(b'x')  # returns, though the opening waits for its name server
    keeper.close()
    go_on.set()
    reader.join(10.0)
    assert not reader.is_alive()
    assert link.closed == 2
    assert not opened and not keeper.is_open


def test_the_waits_between_attempts_leave_time_for_a_handshake_within_a_second(monkeypatch):
    waits: list[float] = []

    class NoLink(FlakyLink):
        def open(self) -> None:
            raise LinkError('not yet')

    keeper = LinkKeeper(NoLink(), lambda _: None, lambda _: None)
    monkeypatch.setattr(threading.Event, 'wait', lambda _, wait_s: waits.append(wait_s))
    for _ in range(100):
        keeper.read(0.0)
    assert waits[:4] == [0.0, 0.1, 0.2, 0.25]
    assert max(waits) == 0.25
