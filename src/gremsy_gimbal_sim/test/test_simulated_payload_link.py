# SPDX-License-Identifier: Apache-2.0
"""The payload's plugs, its wire's faults and its power, in invented time (gimbal.md 1.2, 1.3, 6)."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA, dialect
from gremsy_gimbal_driver.mavlink.mavlink_framing import Framer
from gremsy_gimbal_sim.options.options import PayloadOptions
from gremsy_gimbal_sim.options.options_link import LinkOptions
from gremsy_gimbal_sim.payload import SimulatedPayload, UnknownPlug
from gremsy_gimbal_sim.payload_fixture import InstantPayload
from gremsy_gimbal_sim.wire.wire import Wire

ATTITUDE = dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS
HEARTBEAT = bytes(
    dialect.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3).pack(dialect.MAVLink(None, srcSystem=1, srcComponent=191))
)


class UsbSerial:
    """What pyserial's `Serial` is to a payload at the other end of its USB cable, in invented time.

    As there, both lines are raised at opening unless they were lowered before.
    """

    def __init__(self, instant: InstantPayload) -> None:
        self._instant = instant
        self._dtr = self._rts = True
        self._received = bytearray()
        self.is_open = False

    @property
    def dtr(self) -> bool:
        """Drives RESET."""
        return self._dtr

    @dtr.setter
    def dtr(self, value: bool) -> None:
        self._dtr = bool(value)
        self._apply()

    @property
    def rts(self) -> bool:
        """Drives BOOT0."""
        return self._rts

    @rts.setter
    def rts(self, value: bool) -> None:
        self._rts = bool(value)
        self._apply()

    def open(self) -> None:
        """The lines reach the device."""
        self.is_open = True
        self._apply()

    def write(self, data: bytes) -> int:
        """How much was taken: all."""
        self._instant.write(data)
        return len(data)

    def wait(self, until_s: float) -> None:
        """Let time go on."""
        self._received += b''.join(message for _, message in self._instant.run(until_s))

    def read(self, size: int) -> bytes:
        """Up to so many bytes of what came while waiting."""
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _apply(self) -> None:
        if self.is_open:
            self._instant.payload.power.set_lines(self._dtr, self._rts, self._instant.now_s)


def frames(bench: InstantPayload) -> list:
    """All that came, as one stream: faults may cut messages anywhere."""
    return Framer(CHECKSUM_EXTRA).feed(b''.join(data for _, data in bench.sent))


def test_lost_bytes_are_as_many_as_told():
    clean = InstantPayload(heartbeats=True)
    lossy = InstantPayload(PayloadOptions(lost_byte_share=0.1), seed=2, speaks_first=True)
    sizes = [sum(len(data) for _, data in bench.run(20.0)) for bench in (clean, lossy)]
    assert sizes[1] / sizes[0] == pytest.approx(0.9, abs=0.02)


def test_corrupted_bytes_keep_the_length_and_break_the_checksum():
    bench = InstantPayload(PayloadOptions(corrupted_byte_share=0.02), seed=2, speaks_first=True)
    said = bench.run(20.0)
    whole = len(frames(bench))
    assert whole < len(said)
    assert whole / len(said) == pytest.approx(0.98**35, abs=0.2)  # messages of 21 to 50 bytes
    clean = InstantPayload(seed=2, speaks_first=True).run(20.0)
    assert [len(data) for _, data in said] == [len(data) for _, data in clean]


def test_doubled_messages_come_twice_with_one_number():
    bench = InstantPayload(PayloadOptions(duplicated_message_share=0.25), seed=2, speaks_first=True)
    said = bench.run(30.0)
    found = frames(bench)
    doubles = sum(first == second for first, second in pairwise(found))
    assert doubles / len(said) == pytest.approx(0.25, abs=0.04)
    assert len(found) == len(said) + doubles


def test_latency_holds_back_both_directions():
    bench = InstantPayload(PayloadOptions(latency_s=0.2), heartbeats=True)
    said = bench.run(3.0)
    assert said[0][0] == pytest.approx(0.4, abs=0.006)
    bench.turn(0.0, 0.3)
    bench.run(3.3)
    ((at_s, azimuth, _),) = bench.payload.rate_commands
    assert (at_s, azimuth) == (pytest.approx(3.2), pytest.approx(-0.3))


def test_jitter_lets_nothing_overtake():
    bench = InstantPayload(PayloadOptions(jitter_s=0.15), seed=3, speaks_first=True)
    bench.run(10.0)
    heard = bench.messages(ATTITUDE)
    boots = [message.time_boot_ms for _, message in heard]
    assert boots == sorted(boots)
    late = [at_s - (boot / 1e3 - 12.0) for (at_s, _), boot in zip(heard, boots, strict=True)]
    assert max(late) > 0.1
    assert max(late) < 0.16
    assert min(late) < 0.06


def test_messages_arrive_in_pieces_and_are_whole_together():
    bench = InstantPayload(PayloadOptions(fragment_bytes=7, fragment_gap_s=0.003), speaks_first=True, wake_s=0.001)
    pieces = bench.run(3.0)
    assert max(len(data) for _, data in pieces) == 7
    assert len(frames(bench)) == pytest.approx(3 * 59, abs=6)


def test_a_datagram_stays_in_one_piece():
    wire = Wire(LinkOptions(fragment_bytes=7), seed=0)
    wire.put(bytes(40), 0.0, datagram=True)
    assert [len(data) for _, data in wire.take(1.0)] == [40]


def test_a_paced_wire_takes_its_time_per_byte():
    wire = Wire(LinkOptions(paced_bytes_per_s=11520.0), seed=0)
    for _ in range(3):
        wire.put(bytes(48), 1.0)
    arrivals = [at_s - 1.0 for at_s, _ in wire.take(2.0)]
    assert arrivals == pytest.approx([48 / 11520, 96 / 11520, 144 / 11520])


def test_a_paced_wire_loses_what_its_buffer_cannot_take():
    wire = Wire(LinkOptions(paced_bytes_per_s=1000.0, send_buffer_bytes=300), seed=0)
    for _ in range(10):
        wire.put(bytes(100), 0.0)
    assert (len(wire.take(10.0)), wire.overflowed) == (3, 7)
    wire.put(bytes(100), 10.0)
    assert len(wire.take(11.0)) == 1


def test_each_plug_speaks_once_it_has_heard_a_heartbeat_there():
    payload = SimulatedPayload(plugs=('udp', 'pty'))
    payload.receive(HEARTBEAT, 0.0, True, 'udp')
    payload.move_on(1.0)
    assert payload.read('udp', 1.0)
    assert payload.read('pty', 1.0) == []
    payload.receive(HEARTBEAT, 1.0, False, 'pty')
    payload.move_on(1.5)
    assert payload.read('udp', 1.5) == payload.read('pty', 1.5) != []


def test_half_a_message_on_one_plug_does_not_disturb_the_other():
    payload = SimulatedPayload(plugs=('udp', 'pty'))
    payload.receive(HEARTBEAT[:10], 0.0, False, 'pty')
    payload.receive(HEARTBEAT, 0.0, True, 'udp')
    payload.receive(HEARTBEAT[10:], 0.0, False, 'pty')
    assert payload.received[0] == 2


def test_an_unplugged_plug_is_silent_and_deaf_and_the_other_goes_on():
    payload = SimulatedPayload(plugs=('udp', 'pty'))
    for plug in ('udp', 'pty'):
        payload.receive(HEARTBEAT, 0.0, False, plug)
    payload.unplug('udp')
    payload.receive(HEARTBEAT, 0.1, True, 'udp')
    payload.move_on(1.0)
    assert payload.read('udp', 1.0) == []
    assert payload.read('pty', 1.0)
    assert payload.received[0] == 2
    payload.replug('udp')
    payload.move_on(2.0)
    assert payload.read('udp', 2.0)


def test_a_plug_that_is_not_there_is_named():
    with pytest.raises(UnknownPlug) as refused:
        SimulatedPayload(plugs=('udp', 'pty')).unplug('usb')
    assert str(refused.value) == "The payload has no plug 'usb': it has udp, pty."


def test_a_reboot_is_silent_for_ten_seconds_and_then_for_want_of_a_heartbeat():
    bench = InstantPayload(heartbeats=True)
    bench.run(5.0)
    bench.turn(0.0, 0.3)
    bench.payload.reboot(bench.now_s)
    silent = bench.run(14.99)
    assert silent == []
    assert not bench.payload.power.running
    assert bench.run(17.0)
    assert bench.payload.power.boots == 2
    first = bench.messages(ATTITUDE, since_s=14.99)[0]
    assert first[1].time_boot_ms == pytest.approx((first[0] - 15.0) * 1e3, abs=6)
    assert bench.payload.true_state(0).azimuth_rate_rad_s == pytest.approx(0.0, abs=1e-6)


def test_a_reboot_forgets_intervals():
    bench = InstantPayload(PayloadOptions(boot_s=1.0), heartbeats=True)
    bench.command(154, 511, ATTITUDE, 100_000)
    bench.run(2.0)
    bench.payload.reboot(2.0)
    bench.run(6.0)
    assert len(bench.messages(ATTITUDE, since_s=5.0)) == pytest.approx(20, abs=1)


def test_the_devices_clock_wraps_at_32_bits():
    bench = InstantPayload(PayloadOptions(boot_ms=2**32 - 1000), heartbeats=True)
    bench.run(2.0)
    boots = [message.time_boot_ms for _, message in bench.messages(ATTITUDE)]
    assert max(boots) > 2**32 - 100
    assert boots[-1] == pytest.approx(1000, abs=60)


def test_ids_are_those_of_the_options():
    bench = InstantPayload(PayloadOptions(system=4, gimbal_component=172, camera_component=103), heartbeats=True)
    bench.run(2.0)
    senders = {(message.get_srcSystem(), message.get_srcComponent()) for _, message in bench.messages(0)}
    assert senders == {(4, 172), (4, 103), (4, 26)}
    assert {message.get_srcComponent() for _, message in bench.messages(ATTITUDE)} == {172}


def test_each_component_counts_its_own_messages_without_a_gap():
    bench = InstantPayload(PayloadOptions(attitude_age_s=0.02, telemetry_rate_hz=3.0), heartbeats=True)
    bench.run(8.0)
    counts: dict[int, list[int]] = {}
    for frame in frames(bench):
        counts.setdefault(frame.component, []).append(frame.sequence)
    assert set(counts) == {154, 101, 26}
    for sequence in counts.values():
        assert sequence == [number % 256 for number in range(len(sequence))]


def test_a_bare_gimbal_has_no_camera_and_no_board():
    bench = InstantPayload(PayloadOptions(has_payload=False), heartbeats=True)
    bench.command(101, dialect.MAV_CMD_SET_CAMERA_ZOOM, 2, 50)
    bench.run(3.0)
    assert {frame.component for frame in frames(bench)} == {154}


# The USB cable.


def test_a_port_opened_with_dtr_high_holds_the_device_in_reset():
    bench = InstantPayload(PayloadOptions(usb_reset_lines=True), heartbeats=True)
    port = UsbSerial(bench)
    port.open()
    port.wait(20.0)
    assert port.read(1) == b''
    port.dtr = False  # with RTS still high, this starts the bootloader
    port.wait(40.0)
    assert port.read(1) == b''
    port.rts = False
    port.dtr = True
    port.dtr = False
    port.wait(52.0)
    assert port.read(1) == b'\xfd'


def test_a_port_opened_with_both_lines_low_just_talks():
    bench = InstantPayload(PayloadOptions(usb_reset_lines=True), heartbeats=True)
    port = UsbSerial(bench)
    port.dtr = port.rts = False
    port.open()
    port.wait(1.0)
    assert port.read(1) == b'\xfd'
    assert bench.payload.power.boots == 1


def test_a_plain_uart_has_no_reset_lines():
    bench = InstantPayload(heartbeats=True)
    UsbSerial(bench).open()
    assert bench.run(1.0)


def test_a_shut_down_device_stays_silent():
    bench = InstantPayload(heartbeats=True)
    bench.payload.reboot(0.0, math.inf)
    assert bench.run(60.0) == []
