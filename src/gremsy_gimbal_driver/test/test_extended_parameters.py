# SPDX-License-Identifier: Apache-2.0
"""Camera parameters in invented time, against a camera that can lose, refuse and delay."""

from __future__ import annotations

import random
import struct

import pytest

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import ExtendedParameter, Sender
from gremsy_gimbal_driver.payload.extended_parameters import ExtendedParameters, extended_value
from gremsy_gimbal_driver.payload.pending_request import PendingRequest, RequestState

OWN, CAMERA = Sender(1, 191), Sender(1, 100)
MS = 1_000_000
UINT32 = dialect.MAV_PARAM_EXT_TYPE_UINT32


def field(value: int) -> bytes:
    return struct.pack('<I', value).ljust(128, b'\0')


class Camera:
    """Takes our bytes and answers with events; `acknowledge` and `report` may be switched off, `share` is lost."""

    def __init__(self, seed: int = 0, lost_share: float = 0.0) -> None:
        self.values = {'C_SOURCE': 0, 'OSD_MODE': 1, 'C_T_PALETTE': 3}
        self.acknowledge = self.report = True
        self.result = dialect.PARAM_ACK_ACCEPTED
        self.ignores: set[str] = set()
        self.heard: list[tuple[str, str]] = []
        self._random = random.Random(seed)
        self._lost_share = lost_share
        self.counts = False
        self.never: set[str] = set()

    def take(self, data: bytes) -> list[ExtendedParameter]:
        answers = []
        for message in dialect.MAVLink(None).parse_buffer(data) or []:
            assert (message.target_system, message.target_component) == (CAMERA.system, CAMERA.component)
            if self._lost():
                continue
            answers += [each for each in self._answer(message) if not self._lost()]
        return answers

    def _lost(self) -> bool:
        return self._random.random() < self._lost_share

    def _answer(self, message) -> list[ExtendedParameter]:
        kind = message.get_type()
        if kind == 'PARAM_EXT_REQUEST_LIST':
            self.heard.append(('list', ''))
            return [self._value(name) for name in self.values if name not in self.never] if self.report else []
        name = message.param_id
        if kind == 'PARAM_EXT_REQUEST_READ':
            self.heard.append(('read', name))
            if message.param_index >= 0:
                name = list(self.values)[message.param_index]
            return [self._value(name)] if self.report and name in self.values.keys() - self.never else []
        assert kind == 'PARAM_EXT_SET'
        self.heard.append(('set', name))
        assert message.param_type == UINT32
        value = extended_value(message._param_value_raw, UINT32)
        if self.result == dialect.PARAM_ACK_ACCEPTED and name not in self.ignores:
            self.values[name] = int(value)
        if not self.acknowledge:
            return []
        return [ExtendedParameter(CAMERA, name, field(int(value)), UINT32, self.result)]

    def _value(self, name: str) -> ExtendedParameter:
        place = (list(self.values).index(name), len(self.values)) if self.counts else ()
        return ExtendedParameter(CAMERA, name, field(self.values[name]), UINT32, None, *place)


class Bench:
    """The machine and the camera on one clock, stepped by 20 ms as the driver's writer would."""

    def __init__(self, camera: Camera | None = None) -> None:
        self.camera = camera or Camera()
        self.parameters = ExtendedParameters(MavlinkEncoder(OWN))
        self.now_ns = 0

    def set(self, name: str, value: int) -> PendingRequest:
        pending = PendingRequest(f'the setting of {name}')
        self.parameters.set_value(pending, CAMERA, name, value, self.now_ns)
        return pending

    def read(self, name: str) -> PendingRequest:
        pending = PendingRequest(f'reading {name}')
        self.parameters.read_value(pending, CAMERA, name, self.now_ns)
        return pending

    def run(self, seconds: float) -> None:
        end_ns = self.now_ns + round(seconds * 1e9)
        while self.now_ns < end_ns:
            for message in self.parameters.due(self.now_ns):
                for answer in self.camera.take(message):
                    self.parameters.on_parameter(answer, self.now_ns)
            self.now_ns += 20 * MS

    def run_until_over(self, pending: PendingRequest) -> float:
        begun_ns = self.now_ns
        while not pending.over:
            assert self.now_ns < begun_ns + 60_000 * MS
            self.run(0.02)
        return (self.now_ns - begun_ns) * 1e-9


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize('value', [0, 1, 256, 0x00010000, 0xFFFFFFFF, 61440])
def test_every_u32_arrives_whole_also_with_zero_low_bytes(bench, value):
    pending = bench.set('C_SOURCE', value)
    bench.run(0.1)
    assert pending.state is RequestState.ACCEPTED
    assert pending.result.sentence == f'Done: the setting of C_SOURCE; C_SOURCE reads {value:g}.'
    assert (pending.result.value, bench.camera.values['C_SOURCE']) == (value, value)


def test_the_bytes_of_a_set_are_the_vendors_field():
    message = MavlinkEncoder(OWN).set_extended_parameter(CAMERA, 'C_SOURCE', 256)
    payload = message[10:-2]
    assert message[0] == 0xFD
    assert int.from_bytes(message[7:10], 'little') == 323
    assert payload[:2] == bytes([1, 100])
    assert payload[2:18] == b'C_SOURCE'.ljust(16, b'\0')
    assert payload[18:146] == b'\x00\x01'.ljust(128, b'\0')
    assert payload[146] == 5


def test_an_acknowledgement_alone_is_not_believed(bench):
    bench.camera.ignores.add('C_SOURCE')
    pending = bench.set('C_SOURCE', 2)
    assert bench.run_until_over(pending) == pytest.approx(5.0, abs=0.1)
    assert pending.state is RequestState.UNCONFIRMED
    assert pending.result.sentence == (
        'The camera 1/100 acknowledged the setting of C_SOURCE but C_SOURCE still reads 0 instead of 2 after 5 s: '
        'something else may set it, or this product ignores it.'
    )


def test_it_asks_again_every_500_ms_for_5_s_and_no_longer(bench):
    bench.camera.acknowledge = bench.camera.report = False
    pending = bench.set('C_SOURCE', 2)
    bench.run(0.3)
    assert bench.camera.heard == [('set', 'C_SOURCE'), ('read', 'C_SOURCE')]
    bench.run(0.3)
    assert bench.camera.heard.count(('set', 'C_SOURCE')) == 2
    bench.run(10.0)
    assert bench.camera.heard.count(('set', 'C_SOURCE')) == 10
    assert pending.state is RequestState.UNCONFIRMED
    assert pending.result.sentence == (
        'The camera 1/100 did not answer the setting of C_SOURCE within 5 s: check the link, and whether this product '
        'has C_SOURCE.'
    )


def test_a_lost_acknowledgement_is_made_good_by_the_read_back(bench):
    bench.camera.acknowledge = False
    pending = bench.set('C_SOURCE', 2)
    bench.run(0.1)
    assert pending.state is RequestState.ACCEPTED


def test_an_acknowledgement_without_a_read_back_says_so(bench):
    bench.camera.report = False
    pending = bench.set('C_SOURCE', 2)
    bench.run(6.0)
    assert pending.state is RequestState.UNCONFIRMED
    assert pending.result.sentence == (
        'The camera 1/100 acknowledged the setting of C_SOURCE but did not report C_SOURCE within 5 s: read it again '
        'to be sure.'
    )
    # Once taken it is only read, not set again.
    assert bench.camera.heard.count(('set', 'C_SOURCE')) == 1


@pytest.mark.parametrize(
    ('result', 'reason'),
    [
        (dialect.PARAM_ACK_VALUE_UNSUPPORTED, 'this product does not know that value; choose another'),
        (dialect.PARAM_ACK_FAILED, 'it could not be set; check the mode it depends on, then try again'),
        (9, 'result 9'),
    ],
)
def test_a_refusal_ends_it_at_once_with_its_reason(bench, result, reason):
    bench.camera.result = result
    pending = bench.set('C_SOURCE', 77)
    bench.run(0.1)
    assert pending.state is RequestState.FAILED
    assert pending.result.sentence == f'The camera refused the setting of C_SOURCE (C_SOURCE = 77): {reason}.'


def test_in_progress_is_waited_for_and_not_sent_again(bench):
    bench.camera.result = dialect.PARAM_ACK_IN_PROGRESS
    pending = bench.set('C_SOURCE', 2)
    bench.run(3.0)
    assert pending.state is RequestState.IN_PROGRESS
    assert pending.result.sentence == 'The camera is working on the setting of C_SOURCE.'
    assert bench.camera.heard.count(('set', 'C_SOURCE')) == 1
    bench.camera.values['C_SOURCE'] = 2
    bench.run(1.0)
    assert pending.state is RequestState.IN_PROGRESS  # it reads so, and may still fail
    accepted = ExtendedParameter(CAMERA, 'C_SOURCE', field(2), UINT32, dialect.PARAM_ACK_ACCEPTED)
    bench.parameters.on_parameter(accepted, bench.now_ns)
    bench.run(0.1)
    assert pending.state is RequestState.ACCEPTED


def test_where_the_end_of_in_progress_is_lost_the_read_back_decides(bench):
    bench.camera.result = dialect.PARAM_ACK_IN_PROGRESS
    pending = bench.set('C_SOURCE', 2)
    bench.run(1.0)
    bench.camera.values['C_SOURCE'] = 2
    bench.run(5.0)
    assert pending.state is RequestState.ACCEPTED
    assert pending.result.sentence == (
        'Done: the setting of C_SOURCE; C_SOURCE reads 2, though its final acknowledgement never came.'
    )


def test_the_newest_of_a_name_wins(bench):
    first = bench.set('C_SOURCE', 1)
    second = bench.set('C_SOURCE', 2)
    other = bench.set('OSD_MODE', 2)
    bench.run(1.0)
    assert (first.state, second.state, other.state) == (
        RequestState.REPLACED,
        RequestState.ACCEPTED,
        RequestState.ACCEPTED,
    )
    assert first.result.sentence == 'A newer request for C_SOURCE came first.'
    assert bench.camera.values == {'C_SOURCE': 2, 'OSD_MODE': 2, 'C_T_PALETTE': 3}


def test_a_refusal_of_the_replaced_value_does_not_end_the_new_one(bench):
    bench.set('C_SOURCE', 77)
    bench.parameters.due(bench.now_ns)  # sent, not answered
    second = bench.set('C_SOURCE', 2)
    late = ExtendedParameter(CAMERA, 'C_SOURCE', field(0), UINT32, dialect.PARAM_ACK_FAILED)
    bench.parameters.on_parameter(late, bench.now_ns)
    assert second.state is RequestState.WAITING
    bench.run(1.0)
    assert second.state is RequestState.ACCEPTED


def test_an_acknowledgement_of_the_replaced_value_does_not_hide_that_the_new_one_was_lost(bench):
    bench.set('C_SOURCE', 1)
    for message in bench.parameters.due(bench.now_ns):
        late = bench.camera.take(message)
    second = bench.set('C_SOURCE', 2)
    bench.parameters.due(bench.now_ns)  # lost on the way
    accepted = ExtendedParameter(CAMERA, 'C_SOURCE', field(1), UINT32, dialect.PARAM_ACK_ACCEPTED)
    for event in (accepted, *late):
        bench.parameters.on_parameter(event, bench.now_ns)
    bench.run_until_over(second)
    assert second.state is RequestState.ACCEPTED
    assert bench.camera.values['C_SOURCE'] == 2


def test_reading(bench):
    pending, missing = bench.read('C_T_PALETTE'), bench.read('NO_SUCH')
    bench.run(0.1)
    assert (pending.result.value, pending.result.sentence) == (3, 'C_T_PALETTE is 3.')
    bench.run(6.0)
    assert missing.state is RequestState.UNCONFIRMED
    assert missing.result.sentence == (
        'The camera 1/100 did not report NO_SUCH within 5 s: this product may not have it.'
    )


def test_what_is_being_set_is_not_read_beside_it(bench):
    setting = bench.set('C_SOURCE', 2)
    reading = bench.read('C_SOURCE')
    assert reading.result.sentence == 'C_SOURCE is being set: read it when that is over.'
    bench.run(0.1)
    assert setting.state is RequestState.ACCEPTED


def test_the_list_ends_when_no_more_comes(bench):
    pending = PendingRequest('listing')
    bench.parameters.list_all(pending, CAMERA)
    assert bench.run_until_over(pending) == pytest.approx(1.5, abs=0.1)
    assert pending.result.sentence == 'The camera listed 3 parameters.'
    assert bench.parameters.values == {'C_SOURCE': 0, 'OSD_MODE': 1, 'C_T_PALETTE': 3}
    bench.camera.report = False
    silent = PendingRequest('listing')
    bench.parameters.list_all(silent, CAMERA)
    bench.run(6.0)
    assert silent.result.sentence == 'The camera 1/100 sent no list of parameters within 5 s.'


def test_a_list_of_so_many_is_over_when_they_came_and_asks_for_those_that_did_not():
    bench = Bench(Camera(seed=3, lost_share=0.6))
    bench.camera.counts = True
    bench.camera.values = {f'C_{number}': number for number in range(24)}
    pending = PendingRequest('listing')
    bench.parameters.list_all(pending, CAMERA)
    bench.run_until_over(pending)
    assert pending.result.sentence == 'The camera listed 24 parameters.'
    assert bench.parameters.values == bench.camera.values


def test_a_list_with_a_gap_that_nothing_fills_says_how_many_came(bench):
    bench.camera.counts = True
    bench.camera.never = {'OSD_MODE'}
    pending = PendingRequest('listing')
    bench.parameters.list_all(pending, CAMERA)
    bench.run_until_over(pending)
    assert (pending.state, pending.result.sentence) == (
        RequestState.UNCONFIRMED,
        'The camera 1/100 sent 2 of 3 parameters: check the link, which loses messages, and try again.',
    )


def test_another_cameras_answer_is_not_ours(bench):
    bench.camera.acknowledge = bench.camera.report = False
    pending = bench.set('C_SOURCE', 2)
    bench.run(0.1)
    other = ExtendedParameter(Sender(1, 101), 'C_SOURCE', field(2), UINT32, None)
    bench.parameters.on_parameter(other, bench.now_ns)
    assert pending.state is RequestState.WAITING


@pytest.mark.parametrize(
    ('kind', 'raw', 'value'),
    [
        (dialect.MAV_PARAM_EXT_TYPE_UINT8, b'\xff', 255),
        (dialect.MAV_PARAM_EXT_TYPE_INT16, b'\xfe\xff', -2),
        (dialect.MAV_PARAM_EXT_TYPE_INT32, b'\xff\xff\xff\xff', -1),
        (dialect.MAV_PARAM_EXT_TYPE_REAL32, struct.pack('<f', 1.5), 1.5),
        (UINT32, b'', 0),
        (UINT32, b'\x00\x01', 256),  # trailing zeros cut off
        (99, b'\x07', 7),
    ],
)
def test_values_of_every_type(kind, raw, value):
    assert extended_value(raw, kind) == value


def test_over_a_link_that_loses_half_of_all_messages_nothing_false_is_said():
    for seed in range(40):
        bench = Bench(Camera(seed, lost_share=0.5))
        pending = bench.set('C_SOURCE', 2)
        bench.run_until_over(pending)
        assert pending.state in (RequestState.ACCEPTED, RequestState.UNCONFIRMED)
        if pending.state is RequestState.ACCEPTED:
            assert bench.camera.values['C_SOURCE'] == 2


def test_random_requests_all_end_and_the_last_of_a_name_is_what_the_camera_has():
    for seed in range(20):
        draw = random.Random(seed)
        bench = Bench(Camera(seed, lost_share=0.3))
        asked, last = [], {}
        for _ in range(30):
            name = draw.choice(list(bench.camera.values))
            value = draw.randrange(1000)
            pending = bench.set(name, value)
            asked.append(pending)
            last[name] = (pending, value)
            bench.run(draw.random())
        bench.run(12.0)
        assert all(pending.over for pending in asked)
        for name, (pending, value) in last.items():
            if pending.state is RequestState.ACCEPTED:
                assert bench.camera.values[name] == value
