# SPDX-License-Identifier: Apache-2.0
"""Links: what a URI means, and how one is kept open."""

from __future__ import annotations

import threading

import pytest

from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.link_keeper import LinkKeeper
from gremsy_gimbal_driver.links.link_uri import link_from_uri, links_from_uris
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
        ('udp://', "The gimbal link 'udp://' is not a UDP address: write udp://HOST:PORT."),
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
            "The gimbal link 'serial:///dev/ttyUSB0?baud=fast' has no usable baud rate 'fast': "
            'use 115200, or 1200 to 4000000.',
        ),
        (
            'serial:///dev/ttyUSB0?speed=9600',
            "The gimbal link 'serial:///dev/ttyUSB0?speed=9600' has an unknown option 'speed': "
            'the options are baud, dtr and rts.',
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
            "The gimbal link 'udp://1.2.3.4?bind=14550' binds to '14550', which is not an address: "
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


class FlakyLink:
    """Opens at the third attempt, and is lost at the second read."""

    name = 'flaky://'
    is_datagram = False
    fault = ''

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
    assert keeper.traffic.openings == 2
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
