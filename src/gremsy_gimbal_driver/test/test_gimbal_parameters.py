# SPDX-License-Identifier: Apache-2.0
"""Parameters of a gimbal, in invented time, against one that has them, lacks them, loses them or will not write."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gremsy_common.errors import SuiteError
from gremsy_gimbal_driver.device.gimbal_parameters import LIMIT_NAMES, GimbalParameters, ParameterState
from gremsy_gimbal_driver.device.parameter_names import NEWER_NAMES, OLDER_NAMES
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.mavlink.mavlink_events import ParameterValue, Sender

GIMBAL = Sender(1, 154)
STEP_NS = 20_000_000


class Device:
    """Answers by name and by index; what it has, what it loses and what it refuses to write are given."""

    def __init__(self, values: dict[str, int]) -> None:
        self.values = dict(values)
        self.parameters = GimbalParameters(MavlinkEncoder(Sender(1, 191)))
        self.now_ns = 0
        self.sent: list[tuple[float, str, str]] = []
        self.read_only: set[str] = set()
        self.clamp_to: int | None = None
        self.lost_share = 0.0
        self.silent = False
        self.never: set[str] = set()
        self.busiest_step = 0
        self._random = np.random.default_rng(5)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 1e9 / STEP_NS)):
            messages = self.parameters.due(GIMBAL, self.now_ns)
            self.busiest_step = max(self.busiest_step, len(messages))
            for packed in messages:
                self._take(dialect.MAVLink(None).parse_buffer(packed)[0])
            self.now_ns += STEP_NS

    def _take(self, message) -> None:
        name = getattr(message, 'param_id', '')
        self.sent.append((self.now_ns * 1e-9, message.get_type(), name))
        if message.get_type() == 'PARAM_REQUEST_LIST':
            for each in self.values:
                self._say(each)
            return
        if message.get_type() == 'PARAM_REQUEST_READ' and not name:
            self._say(list(self.values)[message.param_index])
        if name not in self.values:
            return
        if message.get_type() == 'PARAM_SET':
            assert message.param_type == dialect.MAV_PARAM_TYPE_INT16
            if name not in self.read_only:
                self.values[name] = int(message.param_value) if self.clamp_to is None else self.clamp_to
            return  # it does not echo; the request behind the write brings the value
        self._say(name)

    def _say(self, name: str) -> None:
        if self.silent or name in self.never or self._random.random() < self.lost_share:
            return
        index = list(self.values).index(name)
        self.parameters.on_value(ParameterValue(GIMBAL, name, float(self.values[name]), index, len(self.values)))

    def requests_of(self, name: str) -> list[float]:
        return [at for at, _, asked in self.sent if asked == name]

    def state(self, name: str) -> ParameterState:
        return self.parameters.results[name].state


def test_a_parameter_is_read_by_its_name():
    device = Device({'STIFF_TILT': 55})
    device.parameters.read('STIFF_TILT')
    assert device.parameters.wanted == ('STIFF_TILT',)
    device.run(0.1)
    assert (device.parameters.value('STIFF_TILT'), device.parameters.wanted) == (55, ())
    assert len(device.requests_of('STIFF_TILT')) == 1


@pytest.mark.parametrize('asked', ['STIFF_TILT', 'PITCH_P'])
@pytest.mark.parametrize('owned', ['STIFF_TILT', 'PITCH_P'])
def test_either_name_finds_a_parameter_under_either_name(asked, owned):
    device = Device({owned: -7})
    device.parameters.read(asked)
    device.run(2.0)
    result = device.parameters.results['STIFF_TILT']
    assert (result.value, result.wire_name, result.state) == (-7, owned, ParameterState.READ)
    assert device.parameters.value('PITCH_P') == device.parameters.value('STIFF_TILT') == -7


def test_a_parameter_that_does_not_exist_ends_after_fifteen_tries_a_tenth_of_a_second_apart():
    device = Device({})
    device.parameters.read('ENABLE_ADRC')
    device.run(3.0)
    times = device.requests_of('ENABLE_ADRC')
    assert np.diff(times) == pytest.approx([0.1] * 14)
    assert device.state('ENABLE_ADRC') is ParameterState.NONEXISTENT
    assert device.parameters.results['ENABLE_ADRC'].sentence == (
        'The gimbal did not answer for parameter `ENABLE_ADRC`: its firmware has no such parameter, '
        'or gTune is connected and takes the replies: disconnect it and try again.'
    )


def test_the_older_name_is_tried_before_a_parameter_is_given_up():
    device = Device({})
    device.parameters.read('STIFF_TILT')
    device.run(3.2)
    assert (len(device.requests_of('STIFF_TILT')), len(device.requests_of('PITCH_P'))) == (15, 15)
    assert device.state('STIFF_TILT') is ParameterState.NONEXISTENT
    device.values['STIFF_TILT'] = 1  # other firmware
    device.parameters.read('STIFF_TILT')
    device.run(0.1)
    assert device.parameters.value('STIFF_TILT') == 1


def test_all_known_parameters_of_a_silent_gimbal_cost_little_and_end():
    device = Device({})
    device.parameters.read(*OLDER_NAMES)
    device.run(30.0)
    assert device.parameters.wanted == ()
    assert device.busiest_step <= 4
    count = len(device.sent)
    device.run(60.0)
    assert len(device.sent) == count


def test_lost_answers_are_asked_for_again():
    device = Device({name: number for number, name in enumerate(OLDER_NAMES)})
    device.lost_share = 0.75  # of requests and answers together, as where 2 % of the bytes are lost
    device.parameters.read(*OLDER_NAMES)
    device.run(30.0)
    lost = [name for name in OLDER_NAMES if device.parameters.value(name) is None]
    assert len(lost) <= 1
    assert all(device.parameters.value(name) == device.values[name] for name in set(OLDER_NAMES) - set(lost))


# Writing.


def test_a_write_is_believed_once_the_gimbal_reports_the_value():
    device = Device({'PWR_PAN': 40})
    device.parameters.write('PWR_PAN', -300)
    assert device.state('PWR_PAN') is ParameterState.WRITING
    device.run(0.1)
    assert device.values['PWR_PAN'] == -300
    assert device.state('PWR_PAN') is ParameterState.WRITTEN
    assert device.parameters.results['PWR_PAN'].sentence == 'Parameter `PWR_PAN` is -300 (written).'
    assert [kind for _, kind, _ in device.sent] == ['PARAM_SET', 'PARAM_REQUEST_READ']


def test_a_write_goes_to_the_name_that_the_gimbal_has():
    device = Device({'YAW_POWER': 40})
    device.parameters.write('PWR_PAN', 41)
    device.run(2.0)
    assert device.values == {'YAW_POWER': 41}
    assert device.state('PWR_PAN') is ParameterState.WRITTEN


@pytest.mark.parametrize('refusal', ['read only', 'clamped'])
def test_a_value_that_is_not_taken_is_told_with_the_one_that_stands(refusal):
    device = Device({'PWR_PAN': 40})
    if refusal == 'read only':
        device.read_only.add('PWR_PAN')
    else:
        device.clamp_to = 40
    device.parameters.write('PWR_PAN', 500)
    device.run(2.0)
    result = device.parameters.results['PWR_PAN']
    assert (result.state, result.value) == (ParameterState.NOT_TAKEN, 40)
    assert result.sentence == (
        'The gimbal kept parameter `PWR_PAN` at 40: the value is out of its range, or only gTune may write it.'
    )


def test_a_write_that_nobody_answers_does_not_claim_the_value_read_before():
    device = Device({'PWR_PAN': 40})
    device.parameters.read('PWR_PAN')
    device.run(0.1)
    device.silent = True
    device.parameters.write('PWR_PAN', 50)
    device.run(2.0)
    result = device.parameters.results['PWR_PAN']
    assert result.state is ParameterState.UNANSWERED
    assert result.sentence == (
        'The gimbal did not answer for parameter `PWR_PAN`, which was 40 before: check the link and try again.'
    )


def test_the_newest_write_of_a_name_counts():
    device = Device({'PWR_PAN': 40})
    device.parameters.write('PWR_PAN', 50)
    device.parameters.write('PWR_PAN', 60)
    device.run(1.0)
    assert device.values['PWR_PAN'] == 60


@pytest.mark.parametrize(('value', 'fits'), [(32767, True), (32768, False), (-32768, True), (-32769, False)])
def test_a_value_beyond_sixteen_bits_is_refused(value, fits):
    parameters = Device({}).parameters
    if fits:
        parameters.write('PWR_PAN', value)
        assert parameters.wanted == ('PWR_PAN',)
        return
    with pytest.raises(SuiteError) as error:
        parameters.write('PWR_PAN', value)
    assert str(error.value) == (
        f'Parameter `PWR_PAN` takes a whole number from -32768 to 32767, which {value} is not: correct the value.'
    )
    assert parameters.wanted == ()


@pytest.mark.parametrize('name', ['', 'A' * 17, 'PWR_ÄN', 'PWR\n'])
def test_a_name_that_cannot_be_one_is_refused(name):
    with pytest.raises(SuiteError) as error:
        Device({}).parameters.read(name)
    assert str(error.value) == (
        f'`{name}` cannot be the name of a gimbal parameter: use 1 to 16 ASCII characters, such as PWR_TILT.'
    )


# The list, and what comes unasked.


@pytest.mark.parametrize('lost_share', [0.0, 0.4, 0.75])
def test_a_list_is_completed_by_asking_for_its_gaps(lost_share):
    values = {f'P{number}': number for number in range(30)}
    device = Device(values)
    device.lost_share = lost_share
    device.parameters.read_all()
    device.run(10.0)
    assert {name: result.value for name, result in device.parameters.results.items()} == values
    assert not device.parameters.listing
    assert [kind for _, kind, _ in device.sent].count('PARAM_REQUEST_LIST') == 1
    assert device.parameters.listed == (30, 30)


def test_a_list_with_a_gap_that_nothing_fills_ends_and_says_how_many_came():
    device = Device({f'P{number}': number for number in range(30)})
    device.never = {'P3', 'P29'}
    device.parameters.read_all()
    device.run(10.0)
    assert (device.parameters.listing, device.parameters.listed) == (False, (28, 30))


def test_a_list_that_never_comes_ends():
    device = Device({})
    device.parameters.read_all()
    device.run(30.0)
    assert not device.parameters.listing
    assert 1 < len(device.sent) < 10


def test_a_value_that_comes_unasked_is_kept():
    device = Device({'VERSION_X': 7})
    device.parameters.on_value(ParameterValue(GIMBAL, 'VERSION_X', 7.0, 0, 70))
    assert (device.parameters.value('VERSION_X'), device.parameters.wanted) == (7, ())
    device.parameters.on_value(ParameterValue(GIMBAL, 'VERSION_Y', 1e9, 0, 70))
    assert device.parameters.value('VERSION_Y') is None


def test_another_gimbal_is_asked_anew_and_nothing_of_the_first_is_left():
    device = Device({'PWR_PAN': 40})
    device.parameters.read('PWR_PAN', 'ENABLE_ADRC')
    device.run(0.04)
    assert device.parameters.value('PWR_PAN') == 40
    messages = device.parameters.due(Sender(4, 154), device.now_ns)
    assert device.parameters.value('PWR_PAN') is None
    assert [dialect.MAVLink(None).parse_buffer(each)[0].target_system for each in messages] == [4]
    assert device.parameters.due(None, device.now_ns + 10**9) == []


# Limits.


def limits_of(values: dict[str, int]) -> tuple:
    device = Device(values)
    device.parameters.read(*LIMIT_NAMES)
    device.run(10.0)
    return device.parameters.soft_limits()


def test_soft_limits_are_those_of_the_level_frame_and_pans_sign_is_turned():
    azimuth_rad, tilt_rad = limits_of(
        {
            'RC_LIM_MIN_TILT': -30,
            'RC_LIM_MAX_TILT': 90,
            'RC_LIM_MIN_PAN': -320,
            'RC_LIM_MAX_PAN': 300,
        }
    )
    assert tilt_rad == pytest.approx((math.radians(-30), math.radians(90)))
    assert azimuth_rad == pytest.approx((math.radians(-300), math.radians(320)))


def test_limits_that_are_missing_or_make_no_sense_are_not_known():
    assert limits_of({}) == (None, None)
    assert limits_of({'RC_LIM_MIN_PAN': 10, 'RC_LIM_MAX_PAN': 10, 'RC_LIM_MAX_TILT': 40}) == (None, None)


def test_older_firmwares_tilt_limits_are_not_guessed_at():
    travels = {'TRAVEL_MIN_PIT': -30, 'TRAVEL_MAX_PIT': 90, 'TRAVEL_MIN_PAN': -100, 'TRAVEL_MAX_PAN': 90}
    azimuth_rad, tilt_rad = limits_of(travels)
    assert tilt_rad is None
    assert azimuth_rad == pytest.approx((math.radians(-90), math.radians(100)))


def test_names_pair_up_one_to_one_and_fit_the_wire():
    assert len(NEWER_NAMES) == len(OLDER_NAMES)
    assert not NEWER_NAMES.keys() & OLDER_NAMES.keys()
    assert all(len(name) <= 16 for name in (*NEWER_NAMES, *OLDER_NAMES))
    assert len(OLDER_NAMES) == 28
