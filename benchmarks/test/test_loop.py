# SPDX-License-Identifier: Apache-2.0
from benchmarks.loop import longest_queue


def detection(arrived_ns, taken_ns):
    return {'kind': 'detection', 'arrived_ns': arrived_ns, 'taken_ns': taken_ns}


def test_frames_that_wait_one_after_the_other_are_no_queue():
    assert longest_queue([detection(0, 10), detection(10, 20), {'kind': 'frame'}]) == 1


def test_frames_that_wait_at_the_same_time_are_a_queue():
    assert longest_queue([detection(0, 30), detection(10, 40)]) == 2


def test_nothing_seen_is_no_queue():
    assert longest_queue([]) == 0
