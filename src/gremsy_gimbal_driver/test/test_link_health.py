# SPDX-License-Identifier: Apache-2.0
"""Per-link health: the facts from what passed through, and the sentence for what they add up to."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gremsy_gimbal_driver.links.link import LinkError
from gremsy_gimbal_driver.links.link_health import LinkHealth, link_fault
from gremsy_gimbal_driver.links.link_keeper import LinkTraffic
from gremsy_gimbal_driver.links.link_router import LinkRouter
from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.mavlink.mavlink_framing import Framer

SECOND = 1_000_000_000
WELL = LinkHealth(
    name='serial:///dev/ttyUSB0',
    is_open=True,
    fault='',
    open_s=60.0,
    silent_s=0.1,
    frameless_s=0.1,
    frameless_bytes=0,
    senders=(Sender(1, 154),),
    clogged=False,
    carries_motion=True,
    traffic=LinkTraffic(30_000, 2_000, 0, 1),
)
NOT_MAVLINK = (
    'Something else is sending on serial:///dev/ttyUSB0: 812 bytes, no MAVLink frame: '
    "check that this is the gimbal's port and its baud (`?baud=115200`)."
)
NO_GIMBAL = (
    'A MAVLink device that is not a gimbal is sending on serial:///dev/ttyUSB0 (1/1, 255/190): '
    "check that this is the gimbal's port and that nothing sits in between."
)
SILENT = (
    'Nothing is received on the gimbal link serial:///dev/ttyUSB0: '
    "check the gimbal's power, its cable, and that RX and TX are crossed."
)
OTHERS = (Sender(1, 1), Sender(255, 190))


@pytest.mark.parametrize(
    ('health', 'sentence'),
    [
        (WELL, ''),
        (replace(WELL, is_open=False, open_s=None, fault='The plug is out.'), 'The plug is out.'),
        (replace(WELL, is_open=False, open_s=None), ''),
        (replace(WELL, fault='Nothing is listening.'), 'Nothing is listening.'),
        (
            replace(WELL, clogged=True),
            'The gimbal link serial:///dev/ttyUSB0 accepts no more data: '
            'check its cable, and the flow control of its adapter.',
        ),
        (replace(WELL, frameless_s=2.9, frameless_bytes=812), ''),
        (replace(WELL, frameless_s=3.0, frameless_bytes=812), NOT_MAVLINK),
        (replace(WELL, frameless_s=None, frameless_bytes=812), NOT_MAVLINK),
        (replace(WELL, frameless_s=None, frameless_bytes=812, open_s=2.9), ''),
        (
            replace(WELL, name='udp://payload:14566', frameless_s=None, frameless_bytes=812),
            'Something else is sending on udp://payload:14566: 812 bytes, no MAVLink frame: '
            "check that this is the gimbal's port.",
        ),
        (
            replace(WELL, name='udp://payload:14566', silent_s=None, frameless_s=None),
            "Nothing is received on the gimbal link udp://payload:14566: check the gimbal's power, its network cable "
            'and its address.',
        ),
        (replace(WELL, silent_s=2.9), ''),
        (replace(WELL, silent_s=3.0), SILENT),
        (replace(WELL, silent_s=None, frameless_s=None), SILENT),
        (replace(WELL, silent_s=None, frameless_s=None, open_s=2.9), ''),
        (replace(WELL, senders=OTHERS), NO_GIMBAL),
        (replace(WELL, senders=()), NO_GIMBAL.replace('1/1, 255/190', 'without a heartbeat')),
        (replace(WELL, senders=OTHERS, open_s=2.9), ''),
        (replace(WELL, senders=(*OTHERS, Sender(4, 171))), ''),
        (replace(WELL, senders=(*OTHERS, Sender(1, 26))), ''),
        (replace(WELL, senders=(*OTHERS, Sender(1, 105))), ''),
    ],
)
def test_the_facts_of_a_link_add_up_to_one_sentence(health, sentence):
    assert link_fault(health) == sentence


def test_a_link_without_a_gimbal_is_no_fault_where_another_has_it():
    assert link_fault(replace(WELL, senders=OTHERS), gimbal_elsewhere=True) == ''
    assert link_fault(replace(WELL, frameless_s=None, frameless_bytes=812), gimbal_elsewhere=True) == NOT_MAVLINK


class Cable:
    """Gives what is put in."""

    name = 'serial:///dev/ttyUSB0'
    is_datagram = False
    fault = ''

    def __init__(self) -> None:
        self.data: bytes | None = b''

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    def fileno(self) -> int:
        return 7

    def read(self, timeout_s: float) -> bytes:
        assert timeout_s >= 0.0
        if self.data is None:
            raise LinkError('The plug is out.')
        data, self.data = self.data, b''
        return data

    def write(self, data: bytes) -> bool:
        return len(data) < 100


class Session:
    """One link read in invented time, its bytes cut into frames as the driver does."""

    def __init__(self) -> None:
        self.cable = Cable()
        self.router = LinkRouter([self.cable])
        self.router.read(0, 0.0)
        self.framer = Framer(CHECKSUM_EXTRA)

    def give(self, data: bytes | None, now_ns: int) -> LinkHealth:
        self.cable.data = data
        came = self.router.read(0, 0.0)
        if came:
            frames = self.framer.feed(came)
            for frame in frames:
                self.router.on_message(0, Sender(frame.system, frame.component), now_ns)
            self.router.received(0, len(came), self.framer.counts['frames'], now_ns)
        return self.router.health(now_ns)[0]


def test_a_gimbal_that_speaks_is_well_and_its_facts_are_counted():
    session = Session()
    gimbal = MavlinkEncoder(Sender(1, 154))
    health = session.give(b'', 0)
    assert (health.open_s, health.silent_s, health.frameless_s) == (0.0, None, None)
    size = 0
    for second in range(1, 11):
        beat = gimbal.heartbeat()
        size += len(beat)
        health = session.give(beat, second * SECOND)
    assert session.router.write(Sender(1, 154), [b'x' * 99, b'x' * 100], 10 * SECOND) is False
    health = session.router.health(12 * SECOND)[0]
    assert health.traffic == LinkTraffic(size, 99, 1, 1)
    assert (health.open_s, health.silent_s, health.frameless_s) == (12.0, 2.0, 2.0)
    assert health.frameless_bytes == 0
    assert health.senders == (Sender(1, 154),)
    assert not health.carries_motion
    assert link_fault(health) == ''
    assert session.router.health(14 * SECOND)[0].senders == ()


@pytest.mark.parametrize('seed', range(3))
def test_noise_at_a_wrong_baud_is_told_with_its_bytes(seed):
    chance = random.Random(seed)
    session = Session()
    size = 0
    for tenth in range(40):
        noise = chance.randbytes(50)
        size += len(noise)
        health = session.give(noise, tenth * SECOND // 10)
    assert link_fault(health) == NOT_MAVLINK.replace('812', str(size))
    # One right frame ends it.
    assert link_fault(session.give(MavlinkEncoder(Sender(1, 154)).heartbeat(), 4 * SECOND)) == ''


def test_an_autopilot_on_the_port_is_told_by_its_ids():
    session = Session()
    autopilot, station = MavlinkEncoder(OTHERS[0]), MavlinkEncoder(OTHERS[1])
    for second in range(5):
        health = session.give(autopilot.heartbeat() + station.heartbeat(), second * SECOND)
    assert link_fault(health) == NO_GIMBAL


def test_an_opening_begins_the_times_anew_and_a_loss_ends_them():
    session = Session()
    session.give(b'noise', 0)
    lost = session.give(None, 5 * SECOND)
    assert (lost.is_open, lost.fault) == (False, 'The plug is out.')
    assert (lost.open_s, lost.silent_s, lost.frameless_s) == (None, None, None)
    assert link_fault(lost) == 'The plug is out.'
    health = session.give(b'', 6 * SECOND)
    assert (health.is_open, health.open_s, health.silent_s, health.frameless_bytes) == (True, 0.0, None, 0)
    assert health.traffic.openings == 2
    assert link_fault(health) == ''
