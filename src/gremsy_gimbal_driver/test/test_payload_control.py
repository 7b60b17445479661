# SPDX-License-Identifier: Apache-2.0
"""Payload control in invented time, against a payload that acknowledges, refuses, zooms and falls silent."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gremsy_gimbal_driver.mavlink.component_register import ComponentRegister
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import CommandAck, Heartbeat, PayloadTelemetry, Sender
from gremsy_gimbal_driver.payload import payload_requests as requests
from gremsy_gimbal_driver.payload.camera_commands import (
    LARGEST_STILL_NUMBER,
    first_still_number,
    still,
    still_numbers,
)
from gremsy_gimbal_driver.payload.payload_control import PayloadControl
from gremsy_gimbal_driver.payload.payload_parameters import PayloadParameters
from gremsy_gimbal_driver.payload.payload_requests import FocusAction, TrackingPath, ZoomPath
from gremsy_gimbal_driver.payload.pending_request import RequestState

OWN = Sender(1, 191)
GIMBAL, CAMERA, BOARD = Sender(1, 154), Sender(1, 101), Sender(1, 26)
MS = 1_000_000
ACCEPTED = dialect.MAV_RESULT_ACCEPTED


class Payload:
    """Camera and board; `results` by command id, a missing one is silence where `silent` is set."""

    def __init__(self) -> None:
        self.results: dict[int, int] = {}
        self.silent: set[int] = set()
        self.commands: list[tuple[int, int, tuple[float, ...]]] = []
        self.zoom = 2.0
        self.wanted = 2.0
        self.inverted = self.stuck = self.blind = False
        self.largest = 20.0
        self.talks = True

    def take(self, data: bytes) -> list[CommandAck]:
        answers = []
        for message in dialect.MAVLink(None).parse_buffer(data) or []:
            if message.get_type() != 'COMMAND_LONG':
                continue
            parameters = tuple(getattr(message, f'param{number}') for number in range(1, 8))
            self.commands.append((message.target_component, message.command, parameters))
            if message.command in self.silent:
                continue
            result = self.results.get(message.command, ACCEPTED)
            if result == ACCEPTED:
                self._obey(message.command, parameters)
            sender = Sender(message.target_system, message.target_component)
            answers.append(CommandAck(sender, message.command, result))
        return answers

    def _obey(self, command: int, parameters: tuple[float, ...]) -> None:
        if command == 531 and parameters[0] == 2:
            percent = 100 - parameters[1] if self.inverted else parameters[1]
            self.wanted = self.largest ** (percent / 100)
        elif command == 531:
            self.wanted = {1.0: self.largest, -1.0: 1.0, 0.0: self.zoom}[parameters[1]]
        elif command == 31013 and parameters[:3] == (2, 0, 4):
            self.wanted = parameters[3]

    def advance(self, seconds: float) -> None:
        if not self.stuck:
            step = 2.0**seconds
            self.zoom = min(max(self.wanted, self.zoom / step), self.zoom * step)


class Bench:
    def __init__(self, parameters: PayloadParameters | None = None, components=(GIMBAL, CAMERA, BOARD)) -> None:
        self.payload = Payload()
        self.register = ComponentRegister()
        self.control = PayloadControl(MavlinkEncoder(OWN), self.register, parameters)
        self.components = list(components)
        self.now_ns = 0
        self.run(1.1)

    def run(self, seconds: float) -> None:
        end_ns = self.now_ns + round(seconds * 1e9)
        while self.now_ns < end_ns:
            if self.payload.talks and self.now_ns % (1000 * MS) == 0:
                for sender in self.components:
                    self.register.on_message(sender, True, self.now_ns)
                    self.control.on_event(Heartbeat(sender, 26, 8, 4), self.now_ns)
            self.register.forget_silent(self.now_ns)
            sees = self.payload.talks and not self.payload.blind and BOARD in self.components
            if sees and self.now_ns % (200 * MS) == 0:
                self.control.on_event(PayloadTelemetry(BOARD, 'EO_ZOOM', self.payload.zoom), self.now_ns)
            for message in self.control.due(self.now_ns):
                for answer in self.payload.take(message):
                    self.control.on_event(answer, self.now_ns)
            self.payload.advance(0.02)
            self.now_ns += 20 * MS

    def ask(self, request: requests.Request):
        return self.control.request(request, self.now_ns)

    @property
    def sent(self) -> list[tuple[int, int, tuple[float, ...]]]:
        return [(to, command, trimmed(parameters)) for to, command, parameters in self.payload.commands]


def trimmed(parameters: tuple[float, ...]) -> tuple[float, ...]:
    kept = list(parameters)
    while kept and kept[-1] == 0.0:
        kept.pop()
    return tuple(kept)


@pytest.fixture
def bench() -> Bench:
    return Bench()


# Whom it speaks to.


def test_camera_and_board_are_learned_and_nothing_is_sent_unasked(bench):
    assert (bench.register.camera, bench.register.payload) == (CAMERA, BOARD)
    bench.run(20.0)
    assert bench.sent == []


def test_a_device_without_a_camera_is_told_so_and_gets_nothing():
    bench = Bench(components=[GIMBAL])
    zoom = bench.ask(requests.ZoomTo(4.0))
    tracking = bench.ask(requests.StopTracking())
    setting = bench.ask(requests.SetSetting('view_source', 'eo'))
    bench.run(10.0)
    assert bench.sent == []
    assert [each.state for each in (zoom, tracking, setting)] == [RequestState.FAILED] * 3
    assert zoom.result.sentence == (
        'This device has no camera (no component from 100 to 105 sends heartbeats), so zoom to 4x was not sent.'
    )
    assert tracking.result.sentence == (
        'This device has no payload board (nothing comes from component 26), so stopping the tracking was not sent.'
    )
    assert bench.control.counts == {'payload_requests_failed': 3}


def test_a_camera_that_falls_silent_ends_what_waits_for_it(bench):
    bench.payload.silent.add(2501)
    bench.payload.results[2500] = dialect.MAV_RESULT_IN_PROGRESS
    pending = bench.ask(requests.RecordVideo(True))
    bench.run(1.0)
    assert pending.state is RequestState.IN_PROGRESS
    bench.payload.talks = False
    bench.run(7.0)
    assert bench.register.camera is None
    # A board owes no heartbeat: that it says nothing is no sign.
    assert bench.control.gone == {CAMERA}
    assert pending.state is RequestState.UNCONFIRMED
    count = len(bench.sent)
    assert bench.ask(requests.Still()).state is RequestState.FAILED
    bench.run(5.0)
    assert len(bench.sent) == count
    bench.payload.talks = True
    bench.run(2.0)
    assert bench.control.gone == set()


# Commands.


@pytest.mark.parametrize(
    ('request_', 'sent'),
    [
        (requests.Focus(FocusAction.AUTO), [(101, 532, (4,))]),
        (requests.Focus(FocusAction.NEAR), [(101, 532, (1, -1))]),
        (requests.Focus(FocusAction.FAR), [(101, 532, (1, 1))]),
        (requests.Focus(FocusAction.STOP), [(101, 532, (1,))]),
        (requests.RecordVideo(True), [(101, 530, (0, 1)), (101, 2500, ())]),
        (requests.RecordVideo(False), [(101, 2501, ())]),
        (requests.Still(), [(101, 530, ()), (101, 2000, (0, 0, 1, 1))]),
        (requests.TrackPoint(0.5, 0.5), [(26, 31013, (4, 0, 0, 1)), (26, 31013, (4, 0, 1, 960, 540, 128, 128))]),
        (
            requests.TrackBox(0.25, 0.5, 0.1, 0.2),
            [(26, 31013, (4, 0, 0, 1)), (26, 31013, (4, 0, 1, 480, 540, 192, 216))],
        ),
        (requests.StopTracking(), [(26, 31013, (4,))]),
        (requests.TelemetryRate('LRF_RANGE', 10.0), [(26, 511, (2, 100000, 0, 0, 0, 0, 1))]),
        (requests.TelemetryRate('EO_ZOOM', 0.0), [(26, 511, (0, -1, 0, 0, 0, 0, 1))]),
    ],
    ids=str,
)
def test_commands_on_the_wire(bench, request_, sent):
    pending = bench.ask(request_)
    bench.run(1.0)
    assert pending.state is RequestState.ACCEPTED, pending.result.sentence
    assert pending.result.sentence == f'Done: {request_}.'
    assert bench.sent == [(to, command, pytest.approx(parameters)) for to, command, parameters in sent]


@pytest.mark.parametrize(
    ('request_', 'sent'),
    [
        (requests.TrackPoint(0.5, 0.25), [(101, 2004, (0.5, 0.25))]),
        (requests.TrackBox(0.5, 0.5, 0.2, 0.4), [(101, 2005, (0.4, 0.3, 0.6, 0.7))]),
        (requests.TrackBox(0.05, 0.95, 0.2, 0.2), [(101, 2005, (0, 0.85, 0.15, 1))]),
        (requests.StopTracking(), [(101, 2010, ())]),
    ],
    ids=str,
)
def test_tracking_by_the_standard_commands(request_, sent):
    bench = Bench(PayloadParameters(tracking_path=TrackingPath.STANDARD))
    pending = bench.ask(request_)
    bench.run(1.0)
    assert pending.state is RequestState.ACCEPTED
    assert bench.sent == [(to, command, pytest.approx(parameters, abs=1e-6)) for to, command, parameters in sent]


@pytest.mark.parametrize(
    ('result', 'sentence'),
    [
        (
            dialect.MAV_RESULT_DENIED,
            'denied it: its values are not allowed on this product or in its present state',
        ),
        (
            dialect.MAV_RESULT_UNSUPPORTED,
            'does not support it: this product has another way, or its firmware is too old',
        ),
        (dialect.MAV_RESULT_FAILED, 'failed at it: check its storage and its state, then try again'),
        (9, 'answered with result 9: see MAV_RESULT in the MAVLink documentation'),
    ],
)
def test_a_refusal_is_final_and_says_which(bench, result, sentence):
    bench.payload.results[2501] = result
    pending = bench.ask(requests.RecordVideo(False))
    bench.run(5.0)
    assert pending.state is RequestState.FAILED
    assert pending.result.sentence == f'The component 1/101 was asked for stopping the recording and {sentence}.'
    assert len(bench.sent) == 1


def test_a_busy_camera_is_asked_again_and_in_the_end_given_up(bench):
    bench.payload.results[2501] = dialect.MAV_RESULT_TEMPORARILY_REJECTED
    pending = bench.ask(requests.RecordVideo(False))
    bench.run(2.5)
    assert len(bench.sent) == 3
    bench.payload.results.clear()
    bench.run(1.0)
    assert pending.state is RequestState.ACCEPTED
    bench.payload.results[2501] = dialect.MAV_RESULT_TEMPORARILY_REJECTED
    second = bench.ask(requests.RecordVideo(False))
    bench.run(10.0)
    assert second.result.sentence == (
        'The component 1/101 was asked for stopping the recording and was busy each time: try again later.'
    )


def test_no_answer_is_said_after_six_tries(bench):
    bench.payload.silent.add(2501)
    pending = bench.ask(requests.RecordVideo(False))
    bench.run(5.9)
    assert pending.state is RequestState.WAITING
    bench.run(0.3)
    assert pending.state is RequestState.UNCONFIRMED
    assert pending.result.sentence == (
        'The component 1/101 did not answer stopping the recording, sent 6 times in 6 s: check the link; it may have '
        'been done all the same.'
    )
    assert len(bench.sent) == 6


def test_a_picture_is_never_asked_for_twice(bench):
    bench.payload.silent.add(2000)
    pending = bench.ask(requests.Still())
    bench.run(10.0)
    assert [command for _, command, _ in bench.sent].count(2000) == 1
    assert pending.state is RequestState.UNCONFIRMED
    assert 'sent once in 6 s' in pending.result.sentence


def test_two_pictures_are_two_and_the_second_waits_for_the_first(bench):
    asked = [bench.ask(requests.Still()), bench.ask(requests.Still())]
    bench.run(2.0)
    assert [each.state for each in asked] == [RequestState.ACCEPTED] * 2
    assert [parameters for _, command, parameters in bench.sent if command == 2000] == [(0, 0, 1, 1), (0, 0, 1, 2)]


def test_firmware_that_wants_it_is_asked_for_a_picture_as_by_the_vendors_sdk():
    bench = Bench(PayloadParameters(vendor_still=True))
    pending = bench.ask(requests.Still())
    bench.run(1.0)
    assert pending.state is RequestState.ACCEPTED
    assert bench.sent == [(101, 530, ()), (101, 2000, ())]


def test_a_picture_keeps_its_number_however_often_it_is_sent():
    numbers, encoder = still_numbers(7), MavlinkEncoder(OWN)
    first, second = (still(CAMERA, next(numbers), recording=True)[0] for _ in range(2))
    sent = [dialect.MAVLink(None).parse_buffer(each.pack(encoder))[0] for each in (first, first, second, first)]
    assert [message.param4 for message in sent] == [7, 7, 8, 7]


def test_numbers_of_pictures_rise_over_processes_and_stay_exact_in_a_32_bit_float():
    second, wrap = 1_000_000_000, LARGEST_STILL_NUMBER
    assert first_still_number(0) == 1
    assert first_still_number(1_700_000_001 * second) == first_still_number(1_700_000_000 * second) + 1
    assert first_still_number((wrap - 1) * second) == wrap
    assert int(np.float32(wrap)) == wrap
    assert int(np.float32(wrap - 1)) == wrap - 1
    numbers, encoder = still_numbers(wrap), MavlinkEncoder(OWN)
    steps = [still(CAMERA, next(numbers), recording=True)[0] for _ in range(2)]
    sent = [dialect.MAVLink(None).parse_buffer(step.pack(encoder))[0] for step in steps]
    assert [message.param4 for message in sent] == [wrap, 1]


def test_a_camera_without_modes_records_all_the_same(bench):
    bench.payload.results[530] = dialect.MAV_RESULT_UNSUPPORTED
    pending = bench.ask(requests.RecordVideo(True))
    bench.run(1.0)
    assert pending.state is RequestState.ACCEPTED


def test_a_picture_during_our_recording_leaves_the_mode_alone(bench):
    bench.ask(requests.RecordVideo(True))
    bench.run(1.0)
    bench.ask(requests.Still())
    bench.run(1.0)
    assert [command for _, command, _ in bench.sent] == [530, 2500, 2000]
    bench.ask(requests.RecordVideo(False))
    bench.run(1.0)
    bench.ask(requests.Still())
    bench.run(1.0)
    assert [command for _, command, _ in bench.sent][3:] == [2501, 530, 2000]


def test_an_answer_from_another_component_settles_nothing(bench):
    bench.payload.silent.add(2501)
    pending = bench.ask(requests.RecordVideo(False))
    bench.run(0.1)
    bench.control.on_event(CommandAck(GIMBAL, 2501, dialect.MAV_RESULT_UNSUPPORTED), bench.now_ns)
    bench.control.on_event(CommandAck(Sender(2, 101), 2501, ACCEPTED), bench.now_ns)
    bench.control.on_event(CommandAck(CAMERA, 2500, ACCEPTED), bench.now_ns)
    assert pending.state is RequestState.WAITING
    # The main board relays for its components and may answer for them.
    bench.control.on_event(CommandAck(BOARD, 2501, ACCEPTED), bench.now_ns)
    assert pending.state is RequestState.ACCEPTED


def test_a_late_answer_to_a_replaced_command_is_not_taken_for_the_new_ones(bench):
    bench.payload.silent.add(532)
    first = bench.ask(requests.Focus(FocusAction.NEAR))
    bench.run(0.2)
    second = bench.ask(requests.Focus(FocusAction.STOP))
    bench.run(0.2)
    bench.control.on_event(CommandAck(CAMERA, 532, dialect.MAV_RESULT_DENIED), bench.now_ns)
    assert (first.state, second.state) == (RequestState.REPLACED, RequestState.WAITING)
    bench.control.on_event(CommandAck(CAMERA, 532, ACCEPTED), bench.now_ns)
    assert second.state is RequestState.ACCEPTED


def test_focus_of_a_product_that_runs_the_other_way():
    bench = Bench(PayloadParameters(focus_inverted=True))
    bench.ask(requests.Focus(FocusAction.NEAR))
    bench.run(0.5)
    assert bench.sent == [(101, 532, (1, 1))]


# Settings and parameters.


def test_a_setting_goes_out_as_its_parameter(bench):
    pending = bench.ask(requests.SetSetting('view_source', 'ir'))
    message = dialect.MAVLink(None).parse_buffer(bench.control.due(bench.now_ns)[0])[0]
    assert (message.get_type(), message.param_id, message._param_value_raw[:1]) == (
        'PARAM_EXT_SET',
        'C_SOURCE',
        b'\x02',
    )
    assert (message.target_system, message.target_component) == (1, 101)
    assert pending.state is RequestState.WAITING


def test_whatever_is_asked_no_gimbal_message_and_no_gimbal_mode_is_written(bench):
    every = [
        requests.SetSetting('zoom_mode', 'combine'),  # 0: what stows the gimbal of the vendor's SDK
        requests.SetSetting('view_source', 'eo_ir'),
        requests.SetParameter('C_SOURCE', 0),
        requests.SetParameter('GB_MODE', 0),
        requests.ZoomTo(3.0),
        requests.RecordVideo(True),
        requests.TrackPoint(0.5, 0.5),
        requests.StopTracking(),
    ]
    asked = [bench.ask(request) for request in every]
    written = []
    for _ in range(500):
        for data in bench.control.due(bench.now_ns):
            written += dialect.MAVLink(None).parse_buffer(data)
        bench.now_ns += 20 * MS
    assert {each.get_type() for each in written} == {'PARAM_EXT_SET', 'PARAM_EXT_REQUEST_READ', 'COMMAND_LONG'}
    assert all(each.target_component in (101, 26) for each in written)
    assert 'GB_MODE' not in {each.param_id for each in written if hasattr(each, 'param_id')}
    assert asked[3].result.sentence == (
        'The camera parameter GB_MODE moves the gimbal, so it was not sent: '
        "set the mode with the driver's own services or `gremsy_gimbal mode`."
    )


@pytest.mark.parametrize(
    ('request_', 'sentence'),
    [
        (requests.ZoomTo(0.5), 'A zoom of 0.5x was not sent: use 1 .. 20.'),
        (requests.ZoomTo(float('nan')), 'A zoom of nanx was not sent: use 1 .. 20.'),
        (
            requests.TrackPoint(float('inf'), 0.0),
            'A place in the picture of inf was not sent: use shares of its width and height, 0 .. 1.',
        ),
        (
            requests.TrackBox(0.5, 0.5, 0.0, 0.1),
            'A tracking box of no size was not sent: give it a width and a height.',
        ),
        (
            requests.SetParameter('much too long a name', 1),
            "'much too long a name' cannot be the name of a camera parameter: use 1 to 16 letters, such as C_SOURCE.",
        ),
        (requests.SetParameter('C_SOURCE', -1), 'C_SOURCE = -1 was not sent: use a whole number from 0 to 4294967295.'),
        (requests.TelemetryRate('EO_ZOOM', 99.0), 'EO_ZOOM at 99 Hz was not asked for: use 0 .. 50.'),
        (
            requests.SetSetting('osd', 'loud'),
            "The setting 'osd' cannot be 'loud': use one of off, debug, status.",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_not_sent(bench, request_, sentence):
    pending = bench.ask(request_)
    assert (pending.state, pending.result.sentence) == (RequestState.FAILED, sentence)
    bench.run(1.0)
    assert bench.sent == []


def test_unknown_telemetry_is_answered_with_what_there_is(bench):
    sentence = bench.ask(requests.TelemetryRate('ZOOM', 1.0)).result.sentence
    assert sentence.startswith("The payload has no telemetry 'ZOOM': use one of EO_ZOOM, IR_ZOOM, LRF_RANGE,")


# Zoom: over when the lens is there.


@pytest.mark.parametrize('path', list(ZoomPath))
def test_a_zoom_is_over_when_the_lens_has_arrived(path):
    bench = Bench(PayloadParameters(zoom_path=path))
    pending = bench.ask(requests.ZoomTo(8.0))
    bench.run(1.0)
    assert pending.state is RequestState.IN_PROGRESS
    assert pending.result.sentence.startswith('The lens moves: ')
    bench.run(2.0)
    assert pending.state is RequestState.ACCEPTED
    assert re.fullmatch(r'Done: zoom to 8x; EO_ZOOM reports (7\.\d+|8)x\.', pending.result.sentence)
    assert bench.control.lens.factor == pytest.approx(bench.payload.zoom, rel=0.2)
    if path is ZoomPath.ABSOLUTE:
        assert bench.sent == [(26, 31013, (2, 0, 4, 8))]


def test_the_range_of_an_inverted_product_is_turned_round():
    bench = Bench(PayloadParameters(zoom_range_inverted=True))
    bench.payload.inverted = True
    pending = bench.ask(requests.ZoomTo(20.0))
    bench.run(6.0)
    assert bench.sent == [(101, 531, (2,))]  # 0 %
    assert bench.payload.zoom == pytest.approx(20.0)
    assert pending.state is RequestState.ACCEPTED


@pytest.mark.parametrize(('told', 'advice'), [(False, 'true'), (True, 'false')])
def test_a_lens_that_goes_the_wrong_way_is_said_with_the_setting_to_change(told, advice):
    bench = Bench(PayloadParameters(zoom_range_inverted=told))
    bench.payload.zoom = bench.payload.wanted = 4.0
    bench.payload.inverted = not told
    bench.run(0.5)
    pending = bench.ask(requests.ZoomTo(16.0))
    bench.run(3.0)
    assert pending.state is RequestState.FAILED
    assert pending.result.sentence.startswith('The lens went the wrong way at zoom to 16x, from 4x to 3.')
    assert pending.result.sentence.endswith(f'x: set `zoom_range_inverted` to {advice}.')


def test_a_lens_that_does_not_move_is_said(bench):
    bench.payload.stuck = True
    pending = bench.ask(requests.ZoomTo(8.0))
    bench.run(2.9)
    assert pending.state is RequestState.WAITING
    bench.run(0.3)
    assert pending.state is RequestState.UNCONFIRMED
    assert pending.result.sentence == (
        'The payload acknowledged zoom to 8x but the lens rests at 2x: it is at that end already, or this product '
        'zooms by the other `zoom_path` only.'
    )


def test_a_lens_that_stops_short_is_said(bench):
    pending = bench.ask(requests.ZoomTo(16.0))
    bench.run(1.0)
    bench.payload.stuck = True
    bench.run(3.0)
    assert pending.state is RequestState.UNCONFIRMED
    assert pending.result.sentence.startswith('The lens stopped at ')
    assert pending.result.sentence.endswith('x at zoom to 16x: the product may not zoom further that way.')


def test_without_telemetry_an_acknowledged_zoom_is_not_called_done(bench):
    bench.payload.blind = True
    bench.run(0.5)
    pending = bench.ask(requests.ZoomTo(8.0))
    bench.run(4.0)
    assert pending.state is RequestState.UNCONFIRMED
    assert pending.result.sentence == (
        'The payload acknowledged zoom to 8x but does not report EO_ZOOM, so it is not known whether the lens moved.'
    )


def test_a_lost_acknowledgement_does_not_matter_where_the_lens_is_seen_to_arrive(bench):
    bench.ask(requests.ZoomTo(4.0))
    sent = bench.control.due(bench.now_ns)
    for message in sent:
        bench.payload.take(message)  # obeyed, its answer lost
    bench.payload.silent.add(531)
    pending = bench.control._open[-1]
    bench.run(2.0)
    assert pending.state is RequestState.ACCEPTED


def test_a_refused_zoom_is_refused(bench):
    bench.payload.results[531] = dialect.MAV_RESULT_DENIED
    pending = bench.ask(requests.ZoomTo(8.0))
    bench.run(0.5)
    assert pending.state is RequestState.FAILED
    assert pending.result.sentence.startswith('The component 1/101 was asked for zoom to 8x and denied it: ')


def test_a_stream_of_zoom_setpoints_is_ten_a_second_the_newest(bench):
    before = len(bench.sent)
    asked = []
    for number in range(100):
        asked.append(bench.ask(requests.ZoomTo(2.0 + 0.02 * number)))
        bench.run(0.02)
    assert 15 <= len(bench.sent) - before <= 21
    bench.run(2.0)
    assert bench.payload.zoom == pytest.approx(2.0 + 0.02 * 99, rel=0.05)
    assert asked[-1].state is RequestState.ACCEPTED
    assert all(pending.over for pending in asked)


def test_zoom_is_what_the_telemetry_reports(bench):
    bench.payload.blind = True
    bench.control.on_event(PayloadTelemetry(BOARD, 'EO_ZOOM', 3.0), bench.now_ns)
    assert bench.control.lens.factor == 3.0


def test_the_boards_own_tracking_in_words(bench):
    assert bench.control.tracking == ''
    for value, word in ((0.0, 'idle'), (1.0, 'tracked'), (258.0, 'lost'), (7.0, '7')):
        bench.control.on_event(PayloadTelemetry(BOARD, 'TRK_STATUS', value), bench.now_ns)
        assert bench.control.tracking == word


def test_an_hour_of_requests_leaves_nothing_behind(bench):
    for number in range(300):
        bench.ask(requests.ZoomTo(2.0 + number % 7))
        bench.ask(requests.Focus(FocusAction.AUTO))
        bench.run(0.5)
    bench.run(10.0)
    assert bench.control._open == []
    assert bench.control._commands._sequences == []
    assert bench.control._commands._commands._open == []
    assert sum(bench.control.counts.values()) == 600
