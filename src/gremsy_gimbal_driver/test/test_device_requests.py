# SPDX-License-Identifier: Apache-2.0
"""What a gimbal is asked for, in invented time: asked until answered, measured, never waited for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gremsy_gimbal_driver.device.device_requests import DeviceRequests
from gremsy_gimbal_driver.device.stream_rates import ATTITUDE, FRAME_BYTES, IMU, ORIENTATION, RateMeter, fit_streams
from gremsy_gimbal_driver.mavlink.acknowledged_commands import AcknowledgedCommands, CommandState
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import (
    AttitudeStatus,
    CommandAck,
    DeviceInformation,
    IncomingCommand,
    MountOrientation,
    Sender,
)

GIMBAL = Sender(1, 154)
INFORMATION = DeviceInformation(GIMBAL, 'GREMSY', 'AEVO', (7, 8, 9), (-1.0, 1.0), (-1.0, 1.0))
ATTITUDE_EVENT = AttitudeStatus(GIMBAL, 1, 12, (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0)
ORIENTATION_EVENT = MountOrientation(GIMBAL, 1, 0.1, 0.2, 0.3, 0.4)
MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000
ACCEPTED, TEMPORARILY, DENIED, UNSUPPORTED, IN_PROGRESS = 0, 1, 2, 3, 5


def ack(command: int, result: int = ACCEPTED, sender: Sender = GIMBAL, progress: int = 0) -> CommandAck:
    return CommandAck(sender, command, result, progress)


def parsed(messages: list[bytes]):
    return [dialect.MAVLink(None).parse_buffer(each)[0] for each in messages]


class Device:
    """A gimbal in steps of 10 ms: acknowledges, keeps rates, streams; each of it can be broken."""

    def __init__(self, requests: DeviceRequests) -> None:
        self.requests = requests
        self.now_ns = 0
        self.asked: list[tuple[float, int, float, float]] = []
        self.rates_hz = {ATTITUDE: 10.0, ORIENTATION: 10.0}
        self.acknowledge: Callable[[int], int | None] = lambda command: ACCEPTED
        self.obeys = True
        self.informs = True
        self._progress = dict.fromkeys(self.rates_hz, 0.0)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 100)):
            for message in parsed(self.requests.due(GIMBAL, self.now_ns)):
                self._take(message)
            for number, event in ((ATTITUDE, ATTITUDE_EVENT), (ORIENTATION, ORIENTATION_EVENT)):
                self._progress[number] += self.rates_hz[number] / 100
                if self._progress[number] >= 1:
                    self._progress[number] -= 1
                    self.requests.on_event(event, self.now_ns)
            self.now_ns += 10 * MILLISECOND_NS

    def _take(self, message) -> None:
        if message.get_type() != 'COMMAND_LONG':
            return
        self.asked.append((self.now_ns / SECOND_NS, message.command, message.param1, message.param2))
        if message.command == 511 and self.obeys:
            interval_us = message.param2
            self.rates_hz[int(message.param1)] = 1e6 / interval_us if interval_us > 0 else 0.0
        if message.command == 512 and self.informs:
            self.requests.on_event(INFORMATION, self.now_ns)
        result = self.acknowledge(message.command)
        if result is not None:
            self.requests.on_event(ack(message.command, result), self.now_ns)

    def times(self, command: int) -> list[float]:
        return [at for at, number, _, _ in self.asked if number == command]


def device(rate_hz: float = 50.0, others_hz: dict[int, float] | None = None) -> Device:
    return Device(DeviceRequests(MavlinkEncoder(Sender(1, 191)), {ATTITUDE: rate_hz, **(others_hz or {})}))


# Information.


def test_information_is_asked_once_a_second_until_it_comes():
    made = device()
    made.informs = False
    made.run(3.5)
    assert np.diff(made.times(512)) == pytest.approx([1.0] * 3, abs=0.15)
    made.informs = True
    made.run(2.0)
    count = len(made.times(512))
    made.run(20.0)
    assert made.requests.information == INFORMATION
    assert len(made.times(512)) == count


def test_a_gimbal_that_never_answers_is_asked_for_information_twenty_times_and_no_more():
    made = device()
    made.informs = False
    made.acknowledge = lambda command: None
    made.run(60.0)
    assert len(made.times(512)) == 20
    made.requests.again()
    made.run(2.0)
    assert len(made.times(512)) > 20


def test_another_gimbal_is_asked_anew_and_none_is_asked_nothing():
    made = device()
    made.run(1.0)
    assert made.requests.due(None, made.now_ns) == []
    assert made.requests.information is None
    messages = parsed(made.requests.due(Sender(4, 171), made.now_ns))
    assert {(each.command, each.target_system, each.target_component) for each in messages} == {
        (511, 4, 171),
        (512, 4, 171),
    }


# Stream rates.


def test_the_rate_is_asked_for_once_when_it_is_granted_and_kept():
    made = device()
    made.run(60.0)
    state = made.requests.streams[ATTITUDE]
    assert len(made.times(511)) == 1
    assert (state.granted, state.asked_again) == (True, 0)
    assert state.measured_hz == pytest.approx(50.0, rel=0.05)
    assert made.requests.streams[ATTITUDE].granted is True


def test_a_rate_that_was_granted_but_not_kept_is_asked_for_again_ever_more_rarely():
    made = device()
    made.obeys = False
    made.run(300.0)
    state = made.requests.streams[ATTITUDE]
    assert state.granted is True
    assert state.measured_hz == pytest.approx(10.0, rel=0.05)
    gaps = np.diff(made.times(511))
    assert 4 <= len(gaps) <= 10
    assert np.all(np.diff(gaps) > -0.5)
    assert 50.0 < gaps[-1] <= 62.0


def test_a_silent_product_streams_once_its_rate_is_set_and_is_asked_until_then():
    made = device()  # AEVO, gimbal.md 1.4
    made.rates_hz[ATTITUDE] = 0.0
    made.obeys = False
    made.run(4.0)
    assert made.requests.streams[ATTITUDE].measured_hz == 0.0
    made.obeys = True
    made.run(15.0)
    assert made.requests.streams[ATTITUDE].measured_hz == pytest.approx(50.0, rel=0.05)


def test_a_gimbal_that_restarted_unnoticed_gets_its_rate_back():
    made = device()
    made.run(10.0)
    made.rates_hz[ATTITUDE] = 10.0
    made.run(10.0)
    assert made.rates_hz[ATTITUDE] == 50.0
    assert len(made.times(511)) == 2


def test_a_refused_rate_is_not_asked_for_again():
    made = device()
    made.obeys = False
    made.acknowledge = lambda command: UNSUPPORTED if command == 511 else ACCEPTED
    made.run(120.0)
    assert len(made.times(511)) == 1
    assert made.requests.streams[ATTITUDE].granted is False


def test_a_device_that_keeps_the_rate_but_acknowledges_nothing_is_left_alone():
    made = device()
    made.acknowledge = lambda command: None
    made.run(60.0)
    assert made.requests.streams[ATTITUDE].granted is None
    assert len(made.times(511)) == 5
    assert made.requests.streams[ATTITUDE].measured_hz == pytest.approx(50.0, rel=0.05)


def test_rates_are_set_one_after_the_other_and_a_stream_can_be_switched_off():
    made = device(others_hz={ORIENTATION: 0.0})
    made.run(10.0)
    asked = [(message_id, interval) for _, command, message_id, interval in made.asked if command == 511]
    assert asked == [(ATTITUDE, 20000.0), (ORIENTATION, -1.0)]
    first, second = made.times(511)
    assert second - first >= 0.1
    assert made.requests.streams[ORIENTATION].measured_hz == 0.0


def test_wishes_are_cut_to_what_a_serial_wire_carries_the_first_served_first():
    fitted = fit_streams({ATTITUDE: 100.0, ORIENTATION: 80.0, IMU: 80.0})
    assert fitted[ATTITUDE] == 100.0
    assert fitted[ORIENTATION] <= 50.0
    assert sum(rate_hz * FRAME_BYTES[number] for number, rate_hz in fitted.items()) <= 0.7 * 11_520 + 1e-6
    # 285, 265 and 27 at 50 Hz fit (gimbal.md 1.13), and a network takes anything within the one-fast-stream rule.
    assert fit_streams(dict.fromkeys((ATTITUDE, ORIENTATION, IMU), 50.0)) == dict.fromkeys(
        (ATTITUDE, ORIENTATION, IMU), 50.0
    )
    assert fit_streams({ATTITUDE: 200.0, IMU: 200.0}, None) == {ATTITUDE: 200.0, IMU: 50.0}


def test_a_meter_measures_the_last_arrivals_only():
    meter = RateMeter()
    meter.restart(0)
    for number in range(1000):
        meter.arrived(number * 20 * MILLISECOND_NS)
    assert meter.rate_hz(20 * SECOND_NS) == pytest.approx(50.0, rel=0.01)
    assert meter.rate_hz(40 * SECOND_NS) < 10.0


def test_a_command_of_the_gimbals_own_is_answered_since_it_waits_for_that():
    made = device()
    made.run(1.0)
    made.requests.on_event(IncomingCommand(GIMBAL, 512), made.now_ns)
    (answer,) = parsed(made.requests.due(GIMBAL, made.now_ns))
    assert (answer.get_type(), answer.command, answer.result) == ('COMMAND_ACK', 512, UNSUPPORTED)
    assert (answer.target_system, answer.target_component) == (1, 154)


# Acknowledgements.


def commands() -> AcknowledgedCommands:
    return AcknowledgedCommands(MavlinkEncoder(Sender(1, 191)))


def test_a_command_is_sent_until_it_is_acknowledged():
    made = commands()
    request = made.ask(GIMBAL, 42503, 1.0)
    sent = [len(made.due(round(at * SECOND_NS))) for at in (0.0, 0.5, 0.99, 1.0, 1.5, 2.0)]
    assert sent == [1, 0, 0, 1, 0, 1]
    made.on_ack(ack(42503))
    assert (request.state, request.sent) == (CommandState.ACCEPTED, 3)
    assert made.due(10 * SECOND_NS) == []


def test_a_command_says_that_it_is_the_first_and_counts_its_repeats():
    # common.xml, COMMAND_LONG: "0: First transmission of this command. 1-255: Confirmation transmissions".
    made = commands()
    made.ask(GIMBAL, 42503, 1.0, tries=3)
    sent = [message for at in range(4) for message in parsed(made.due(at * SECOND_NS))]
    assert [(message.command, message.confirmation) for message in sent] == [(42503, 0), (42503, 1), (42503, 2)]
    made.ask(GIMBAL, 42503, 1.0)
    assert [message.confirmation for message in parsed(made.due(5 * SECOND_NS))] == [0]


def test_the_acknowledgement_of_a_withdrawn_command_is_not_taken_for_the_next_one():
    made = commands()
    first = made.ask(GIMBAL, 511, 285.0)
    made.due(0)
    made.withdraw(first, 50 * MILLISECOND_NS)
    second = made.ask(GIMBAL, 511, 265.0)
    assert made.due(50 * MILLISECOND_NS) == []
    assert len(made.due(100 * MILLISECOND_NS)) == 1
    made.on_ack(ack(511, DENIED))
    assert second.state is CommandState.SENT
    made.on_ack(ack(511))
    assert (second.state, made.counts) == (CommandState.ACCEPTED, {})


def test_a_command_nobody_answers_ends_after_its_tries():
    made = commands()
    request = made.ask(GIMBAL, 246, 0.0, 0.0, 0.0, 1.0, tries=2)
    assert sum(len(made.due(at * SECOND_NS)) for at in range(10)) == 2
    assert request.state is CommandState.UNANSWERED
    made.on_ack(ack(246))
    assert request.state is CommandState.UNANSWERED
    assert made.counts == {'commands_unanswered': 1, 'acknowledgements_unexpected': 1}


@pytest.mark.parametrize('result', [DENIED, UNSUPPORTED, 4])
def test_a_refusal_ends_a_command_at_once(result):
    made = commands()
    request = made.ask(GIMBAL, 511, 285.0, 20000.0)
    made.due(0)
    made.on_ack(ack(511, result))
    assert (request.state, request.result, request.over) == (CommandState.REFUSED, result, True)


def test_a_busy_gimbal_is_asked_again_later():
    made = commands()
    request = made.ask(GIMBAL, 511, 285.0, 20000.0, tries=2)
    made.due(0)
    made.on_ack(ack(511, TEMPORARILY))
    assert request.state is CommandState.SENT
    assert len(made.due(SECOND_NS)) == 1
    made.on_ack(ack(511, TEMPORARILY))
    assert request.state is CommandState.REFUSED


def test_a_calibration_in_progress_is_not_started_again():
    made = commands()
    request = made.ask(GIMBAL, 42503, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    made.due(0)
    for second in range(1, 25):
        made.on_ack(ack(42503, IN_PROGRESS, progress=4 * second))
        assert made.due(second * SECOND_NS) == []
    assert (request.state, request.progress) == (CommandState.SENT, 96)
    made.on_ack(ack(42503))
    assert request.state is CommandState.ACCEPTED


def test_one_that_stops_reporting_progress_ends_unanswered_and_is_not_repeated():
    made = commands()
    request = made.ask(GIMBAL, 42503)
    made.due(0)
    made.on_ack(ack(42503, IN_PROGRESS))
    assert sum(len(made.due(second * SECOND_NS)) for second in range(1, 60)) == 0
    assert request.state is CommandState.UNANSWERED


def test_an_answer_of_another_component_or_to_another_command_settles_nothing():
    made = commands()
    request = made.ask(GIMBAL, 511, 285.0)
    made.due(0)
    made.on_ack(ack(511, sender=Sender(1, 1)))
    made.on_ack(ack(511, sender=Sender(2, 154)))
    made.on_ack(ack(512))
    assert request.state is CommandState.SENT


def test_a_doubled_acknowledgement_does_not_settle_the_next_request():
    made = commands()
    first, second = made.ask(GIMBAL, 511, 285.0), made.ask(GIMBAL, 511, 265.0)
    assert len(made.due(0)) == 1
    made.on_ack(ack(511))
    made.on_ack(ack(511))
    assert made.due(50 * MILLISECOND_NS) == []
    assert (first.state, second.state) == (CommandState.ACCEPTED, CommandState.WAITING)
    assert len(made.due(100 * MILLISECOND_NS)) == 1


def test_a_late_second_answer_to_a_repeated_request_does_not_settle_the_next_one():
    made = commands()
    first, second = made.ask(GIMBAL, 511, 285.0), made.ask(GIMBAL, 511, 265.0)
    made.due(0)
    made.due(SECOND_NS)
    made.on_ack(ack(511))  # to the first sending, 1.1 s late
    assert first.state is CommandState.ACCEPTED
    made.due(round(1.9 * SECOND_NS))
    made.on_ack(ack(511))  # to the second sending
    assert second.state is CommandState.WAITING
    assert len(made.due(round(2.1 * SECOND_NS))) == 1


def test_different_commands_do_not_wait_for_each_other():
    made = commands()
    made.ask(GIMBAL, 511, 285.0)
    made.ask(GIMBAL, 512, 283.0)
    made.ask(GIMBAL, 31010)
    assert len(made.due(0)) == 3


def test_what_was_asked_of_a_gimbal_that_is_gone_ends_unanswered():
    made = commands()
    requests = [made.ask(GIMBAL, 511, 285.0), made.ask(GIMBAL, 511, 265.0)]
    made.due(0)
    made.forget()
    assert {each.state for each in requests} == {CommandState.UNANSWERED}
    assert made.due(SECOND_NS) == []
