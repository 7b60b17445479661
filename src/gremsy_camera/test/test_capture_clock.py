# SPDX-License-Identifier: Apache-2.0
"""Stamps against the true capture times of a simulated camera, whose clock, drift and delays are made here, seeded."""

import numpy as np
import pytest

from gremsy_camera.live.capture_clock import CaptureClock
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import CaptureTime, LivePicture, TimeBase

ROS_EPOCH_NS = 1_700_000_000_000_000_000
MS = 1_000_000
S = 1_000_000_000
HOURS = 3600 * S
PERIOD = 33_333_333


def picture(arrived_ns, capture=None, position_ns=None):
    return LivePicture(lambda: np.zeros((2, 2, 3), np.uint8), 'bgr8', 2, 2, arrived_ns, capture, position_ns)


def reported(time_ns):
    return CaptureTime(time_ns, TimeBase.CAMERA, 'RTCP sender reports')


@pytest.fixture
def make(clock, said):
    def build(**options):
        return CaptureClock(clock, LiveParameters(**options), said)

    return build


def arrive(clock, captures, arrived_ns, **what):
    clock.now_ns = arrived_ns
    return captures.stamp(picture(arrived_ns, **what))


def errors_ms(clock, captures, offset_ns, drift=0.0, seconds=60, delay_ms=(2.0, 6.0), seed=1):
    """Stamp minus true capture, ms, of a camera whose clock shows (1 + drift) * time + offset."""
    generator = np.random.default_rng(seed)
    found, arrived_ns = [], 0
    for index in range(round(seconds * 30)):
        true_ns = S + index * PERIOD
        arrived_ns = max(arrived_ns, true_ns) + round(generator.uniform(*delay_ms) * MS)
        camera_ns = ROS_EPOCH_NS + offset_ns + round(true_ns * (1 + drift))
        stamp = arrive(clock, captures, arrived_ns, capture=reported(camera_ns))
        found.append((stamp.ros_ns - ROS_EPOCH_NS - true_ns) / MS)
    return np.array(found), stamp


def test_a_camera_whose_clock_is_ours_is_believed(clock, make):
    errors, stamp = errors_ms(clock, make(), 0)
    assert np.abs(errors).max() < 0.001
    assert stamp.origin == "RTCP sender reports, the camera's clock used as it is"


@pytest.mark.parametrize('offset_ns', [7 * HOURS, -7 * HOURS, 40 * 8766 * HOURS], ids=['ahead', 'behind', 'years'])
@pytest.mark.parametrize('drift', [0.0, 50e-6, -50e-6])
def test_a_clock_that_is_off_and_drifts_is_mapped_to_within_the_least_delay(clock, make, offset_ns, drift):
    errors, stamp = errors_ms(clock, make(), offset_ns, drift)
    # The quickest picture takes 2 ms, which nobody can see.
    assert np.percentile(np.abs(errors[60:]), 95) < 3.0
    assert stamp.origin == "RTCP sender reports, the camera's clock converted to this machine's"


def test_a_least_delay_that_is_told_is_taken_off(clock, make):
    errors, _ = errors_ms(clock, make(transport_delay_ms=2.0), 7 * HOURS)
    assert np.percentile(np.abs(errors[60:]), 95) < 0.5


def test_a_clock_that_is_to_be_believed_is_believed_however_far_behind(clock, make):
    captures = make(stamps='camera')
    stamp = arrive(clock, captures, 10 * S, capture=reported(ROS_EPOCH_NS + 8 * S))
    assert stamp.ros_ns == ROS_EPOCH_NS + 8 * S


def test_arrival_alone_is_taken_where_it_is_asked_for(clock, make):
    captures = make(stamps='arrival', transport_delay_ms=40.0)
    stamp = arrive(clock, captures, S, capture=reported(ROS_EPOCH_NS + S - 5 * MS))
    assert (stamp.ros_ns, stamp.origin) == (ROS_EPOCH_NS + S - 40 * MS, 'arrival minus 40 ms')


def test_the_streams_own_time_takes_the_jitter_out_of_arrivals(clock, make):
    captures, generator = make(), np.random.default_rng(1)
    found = []
    for index in range(300):
        true_ns = S + index * PERIOD
        arrived_ns = true_ns + round(generator.uniform(5, 25) * MS)
        stamp = arrive(clock, captures, arrived_ns, position_ns=index * PERIOD)
        found.append((stamp.ros_ns - ROS_EPOCH_NS - true_ns) / MS)
    assert stamp.origin == 'arrival'
    assert np.std(found[60:]) < 0.5 and 4.9 < np.mean(found[60:]) < 7


def test_monotonic_buffer_times_are_exact_and_offset_by_the_parameter(clock, make):
    capture = CaptureTime(S - 12 * MS, TimeBase.MONOTONIC, 'V4L2 buffer time')
    stamp = arrive(clock, make(stamp_offset_ms=-3.0), S, capture=capture)
    assert (stamp.ros_ns, stamp.origin) == (ROS_EPOCH_NS + S - 15 * MS, 'V4L2 buffer time')


def test_the_first_sender_report_changes_what_the_stamp_is_and_time_goes_on(clock, make):
    captures = make()
    before = arrive(clock, captures, S + 5 * MS, position_ns=0)
    after = arrive(clock, captures, S + 8 * MS, position_ns=3 * MS, capture=reported(ROS_EPOCH_NS + S + 3 * MS))
    assert before.origin == 'arrival' and after.origin.startswith('RTCP')
    assert after.ros_ns == before.ros_ns + 1_000
    assert captures.counts() == {'stamps that would have gone back': 1}


def test_a_capture_in_the_future_is_stamped_with_its_arrival_and_said_once(clock, make, said):
    captures = make()
    arrive(clock, captures, S, capture=reported(ROS_EPOCH_NS + S - 5 * MS))
    for index in (1, 2):
        arrived_ns = S + index * PERIOD
        stamp = arrive(clock, captures, arrived_ns, capture=reported(ROS_EPOCH_NS + arrived_ns + 15 * MS))
        assert stamp.ros_ns == ROS_EPOCH_NS + arrived_ns
    assert captures.counts() == {'stamps ahead of now': 2}
    assert said.sentences == [
        'The camera reports that a picture was captured 15.0 ms after it arrived: it is stamped with its arrival; '
        'where the camera stamps after its encoder, set `stamp_offset_ms`.'
    ]


@pytest.mark.parametrize('step_s', [5, -5])
def test_a_step_of_the_cameras_clock_is_said_and_counted_and_time_goes_on(clock, make, said, step_s):
    captures, stamps = make(), []
    for index in range(150):
        true_ns = S + index * PERIOD
        step_ns = step_s * S if index >= 60 else 0
        capture = reported(ROS_EPOCH_NS + 7 * HOURS + step_ns + true_ns)
        stamps.append(arrive(clock, captures, true_ns + 3 * MS, capture=capture).ros_ns - ROS_EPOCH_NS - true_ns)
    assert np.all(np.diff(stamps) > -PERIOD)
    # Two seconds after the step it is at home again.
    assert np.abs(stamps[-10:]).max() <= 3 * MS
    assert captures.counts()['stamps that jumped'] == 1
    assert "The camera's times jumped by more than a second against this machine's: they are matched again." in (
        said.sentences
    )


def test_a_clock_that_was_ours_and_runs_ahead_is_mapped_from_then_on(clock, make, said):
    captures = make()
    arrive(clock, captures, S, capture=reported(ROS_EPOCH_NS + S - 5 * MS))
    for index in range(1, 90):
        true_ns = S + index * PERIOD
        capture = reported(ROS_EPOCH_NS + true_ns + 3 * S)
        stamp = arrive(clock, captures, true_ns + 5 * MS, capture=capture)
    assert 0 <= stamp.ros_ns - ROS_EPOCH_NS - true_ns <= 5 * MS
    assert said.sentences[0] == (
        "The camera's clock runs 2.995 s ahead of this machine's: from now on its times are converted, by the pictures "
        'that arrive fastest.'
    )


@pytest.mark.parametrize('step_s', [-2, -3600, -40 * 365 * 86400])
def test_a_clock_that_was_ours_and_is_set_back_is_mapped_from_then_on(clock, make, said, step_s):
    captures, errors = make(), []
    for index in range(150):
        true_ns = S + index * PERIOD
        step_ns = step_s * S if index >= 60 else 0
        stamp = arrive(clock, captures, true_ns + 5 * MS, capture=reported(ROS_EPOCH_NS + true_ns + step_ns))
        errors.append(stamp.ros_ns - ROS_EPOCH_NS - true_ns)
    assert min(errors) >= 0 and max(errors) <= 5 * MS
    assert said.sentences[0] == (
        f"The camera's clock runs {-step_s + 0.005:.3f} s behind this machine's: from now on its times are converted, "
        'by the pictures that arrive fastest.'
    )


def test_this_machines_clock_set_forward_leaves_no_stamps_in_the_past(clock, make, monkeypatch):
    captures = make()
    arrive(clock, captures, S, capture=reported(ROS_EPOCH_NS + S - 5 * MS))
    monkeypatch.setattr(type(clock), 'ros_ns', lambda self: ROS_EPOCH_NS + self.now_ns + 3600 * S)
    for index in range(1, 90):
        true_ns = S + index * PERIOD
        stamp = arrive(clock, captures, true_ns + 5 * MS, capture=reported(ROS_EPOCH_NS + true_ns))
    assert 0 <= stamp.ros_ns - ROS_EPOCH_NS - 3600 * S - true_ns <= 5 * MS


def test_pictures_that_a_network_held_up_for_long_keep_the_cameras_times(clock, make):
    captures = make()
    for index in range(300):
        true_ns = S + index * PERIOD
        # Nothing gets through between 3 and 8 s; what was held up then comes as a burst.
        arrived_ns = true_ns + 5 * MS if not 3 * S < true_ns < 8 * S else 8 * S + index * MS
        stamp = arrive(clock, captures, max(arrived_ns, clock.now_ns), capture=reported(ROS_EPOCH_NS + true_ns))
        assert stamp.ros_ns == ROS_EPOCH_NS + true_ns
    assert captures.counts() == {}


def camera_whose_reports_all_tell_one_time(index):
    """A clock beyond 2036 in GStreamer's sender: every half second another report of the largest NTP time."""
    return {'capture': reported(ROS_EPOCH_NS + index % 15 * PERIOD)}


@pytest.mark.parametrize(
    'told',
    [
        camera_whose_reports_all_tell_one_time,
        lambda _: {'position_ns': 7},
        lambda index: {'position_ns': -index * PERIOD},
        lambda index: {'capture': reported(ROS_EPOCH_NS + 7 * HOURS - index * PERIOD)},
    ],
    ids=['reports', 'stream', 'stream that runs backwards', 'reports that run backwards'],
)
def test_times_that_do_not_go_on_give_way_to_arrivals(clock, make, said, told):
    captures = make()
    for index in range(150):
        arrived_ns = S + index * PERIOD
        stamp = arrive(clock, captures, arrived_ns, **told(index))
    assert (stamp.ros_ns, stamp.origin) == (ROS_EPOCH_NS + arrived_ns, 'arrival')
    assert said.sentences[-1] == (
        "The camera's times stand still while its pictures come: stamps are arrivals until it is opened again; set its "
        'clock, or `stamps` to arrival.'
    )


def test_this_machines_clock_set_back_is_followed_and_said(clock, make, said, monkeypatch):
    captures = make(stamps='arrival')
    arrive(clock, captures, 10 * S)
    monkeypatch.setattr(type(clock), 'ros_ns', lambda self: ROS_EPOCH_NS + self.now_ns - 60 * S)
    stamp = arrive(clock, captures, 11 * S)
    assert stamp.ros_ns == ROS_EPOCH_NS - 49 * S
    assert said.sentences == ["Stamps went back by 59.0 s: this machine's clock was set."]
    assert captures.counts() == {'stamps that jumped': 1}


def test_a_clock_that_becomes_ours_is_believed_after_fifteen_seconds(clock, make, said):
    captures, origins = make(), []
    for index in range(20 * 30):
        true_ns = S + index * PERIOD
        ahead_ns = HOURS if index < 30 else 0
        stamp = arrive(clock, captures, true_ns + 5 * MS, capture=reported(ROS_EPOCH_NS + true_ns + ahead_ns))
        origins.append('used as it is' in stamp.origin)
    assert not any(origins[: 16 * 30 - 1]) and all(origins[16 * 30 + 1 :])
    assert stamp.ros_ns == ROS_EPOCH_NS + true_ns
    assert said.sentences[-1] == "The camera's clock and this machine's agree now: its stamps are taken as they are."


def test_a_single_stamp_a_little_ahead_does_not_make_the_clock_another_one(clock, make):
    captures = make()
    for index in range(600):
        true_ns = S + index * PERIOD
        ahead_ns = 15 * MS if index % 7 == 3 else 0
        stamp = arrive(clock, captures, true_ns + 5 * MS, capture=reported(ROS_EPOCH_NS + true_ns + ahead_ns))
    assert 'used as it is' in stamp.origin


def test_the_offset_counts_when_a_clock_is_judged(clock, make):
    """A sender that stamps 400 ms late seems to run ahead of the arrival by 300 until the offset takes them off."""
    captures = make(stamp_offset_ms=-400.0)
    for index in range(300):
        true_ns = S + index * PERIOD
        capture = reported(ROS_EPOCH_NS + true_ns + 400 * MS)
        stamp = arrive(clock, captures, true_ns + 100 * MS, capture=capture)
        assert stamp.ros_ns == ROS_EPOCH_NS + true_ns
    assert captures.counts() == {}
