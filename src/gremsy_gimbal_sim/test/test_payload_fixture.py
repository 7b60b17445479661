# SPDX-License-Identifier: Apache-2.0
"""The payload that other tests use: on free ports in real time, and in invented time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gremsy_gimbal_driver.links.link_uri import link_from_uri
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.payload import UnknownPlug
from gremsy_gimbal_sim.payload_fixture import InstantPayload, running_payload
from gremsy_gimbal_sim.serving import ControlRefused

ENCODER = MavlinkEncoder(Sender(1, 191))


class Talk:
    """A link that says a heartbeat and listens."""

    def __init__(self, uri: str) -> None:
        self.link = link_from_uri(uri)
        self.link.open()
        self.link.write(ENCODER.heartbeat())

    def hears(self, within_s: float = 5.0) -> bool:
        return bool(self.link.read(within_s))

    def drain(self) -> None:
        while self.link.read(0.0):
            pass


@pytest.mark.parametrize('transport', ['udp', 'pty'])
def test_it_talks_on_its_port_and_moves(transport, wait_until):
    with running_payload(transport=transport) as payload:
        talk = Talk(payload.uri)
        assert talk.hears()
        talk.link.write(ENCODER.motion(Sender(1, 154), (0.0, 0.0, -0.5)))
        wait_until(lambda: payload.angles_rad[0] > 0.02)
        assert payload.rates_rad_s[0] > 0.0
        ((at_s, azimuth, _),) = payload.rate_commands
        assert (azimuth, abs(time.monotonic() - at_s) < 5.0) == (0.5, True)
        talk.link.close()


def test_both_plugs_talk_at_once_and_each_can_be_pulled_by_name(wait_until):
    with running_payload(transport='both') as payload:
        assert list(payload.uris) == ['udp', 'pty']
        udp, pty = (Talk(uri) for uri in payload.uris.values())
        assert udp.hears()
        assert pty.hears()
        payload.control('unplug udp')
        udp.drain()
        assert not udp.hears(0.2)
        assert pty.hears()
        payload.control('replug udp')
        assert udp.hears()
        before = payload.uris['pty']
        payload.control('unplug pty')
        assert not os.path.lexists(before.removeprefix('serial://'))
        payload.control('replug pty')
        assert payload.uris['pty'] == before
        again = Talk(before)
        assert again.hears()
        for talk in (udp, pty, again):
            talk.link.close()


def test_a_reboot_is_silent_and_then_needs_a_heartbeat(wait_until):
    with running_payload() as payload:
        talk = Talk(payload.uri)
        assert talk.hears()
        payload.control('reboot 0.3')
        wait_until(lambda: payload.payload.power.boots == 2)
        talk.drain()
        assert not talk.hears(0.2)
        talk.link.write(ENCODER.heartbeat())
        assert talk.hears()
        talk.link.close()


def test_what_is_asked_wrongly_is_refused_where_it_was_asked():
    with running_payload() as payload:
        with pytest.raises(UnknownPlug, match=r"^The payload has no plug 'usb': it has udp\.$"):
            payload.control('unplug usb')
        with pytest.raises(ControlRefused) as refused:
            payload.control('dance')
        assert str(refused.value) == (
            "'dance' is not a control line: write unplug PLUG, replug PLUG, reboot [SECONDS], stall AXIS, "
            'vehicle HEADING_DEG [PITCH_DEG [ROLL_DEG]]; plugs: udp.'
        )
        payload.control('stall tilt')
        payload.control('vehicle 20 5')
    with (
        pytest.raises(ValueError, match=r"^The transport is 'usb': use udp, pty or both\.$"),
        running_payload(transport='usb'),
    ):
        pass


def open_descriptors() -> int:
    return len(list(Path('/proc/self/fd').iterdir()))


def test_nothing_is_left_behind():
    before = threading.active_count(), open_descriptors()
    for _ in range(3):
        with running_payload(transport='both') as payload:
            Talk(payload.uri).link.close()
            path = payload.uris['pty'].removeprefix('serial://')
        assert not os.path.lexists(path)
    assert (threading.active_count(), open_descriptors()) == before


def test_invented_time_is_exact_over_many_steps():
    payload = InstantPayload(PayloadOptions(attitude_rate_hz=50.0), start_s=1e6, heartbeats=True)
    sent = payload.run(1e6 + 60.0)
    assert payload.now_s == 1e6 + 60.0
    assert len(payload.messages(285)) == pytest.approx(3000, abs=2)
    assert sent == payload.sent
    assert payload.run(1e6 + 60.0) == []


def test_it_needs_no_ros():
    code = 'import sys, gremsy_gimbal_sim.payload_fixture; print("rclpy" in sys.modules)'
    output = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    assert output == 'False\n'
