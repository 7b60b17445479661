# SPDX-License-Identifier: Apache-2.0
"""Device time to ours: unbiased by queueing delay and drift, and back on its feet after a reboot."""

from __future__ import annotations

import numpy as np
import pytest

from gremsy_common.timing.clock_mapping import CounterUnwrapper, MinimumDelayClock

MS = 1_000_000
S = 1_000_000_000
START = 1_790_000_000 * S


def errors_ms(clock: MinimumDelayClock, drift: float, seconds: float, least_ms: float = 0.0, seed: int = 1):
    """Feed 20 Hz messages delayed by an exponential of mean 5 ms; error of every mapped stamp, ms, and its time, s."""
    random = np.random.default_rng(seed)
    result = []
    for number in range(int(seconds * 20)):
        true_ns = START + number * 50 * MS
        device_ns = 12 * S + int((true_ns - START) * (1 + drift))
        delay_ns = int((least_ms + random.exponential(5.0)) * MS)
        result.append((clock.map(device_ns, true_ns + delay_ns) - true_ns) / MS)
    return np.array(result)


@pytest.mark.parametrize('drift', [0.0, 100e-6, -100e-6])
def test_stamps_are_within_a_millisecond_of_the_truth_under_jitter_and_drift(drift):
    errors = errors_ms(MinimumDelayClock(), drift, 120.0)[100:]
    assert np.abs(errors).max() < 1.5
    assert abs(errors.mean()) < 0.6


def test_the_first_message_is_stamped_with_its_arrival():
    assert MinimumDelayClock().map(5 * S, START) == START


def test_a_stamp_is_never_later_than_the_arrival():
    clock = MinimumDelayClock(resolution_ns=10 * MS)
    assert clock.map(5 * S, START) == START


def test_known_least_delay_is_taken_off():
    errors = errors_ms(MinimumDelayClock(least_delay_ns=20 * MS), 0.0, 60.0, least_ms=20.0)[100:]
    assert abs(errors.mean()) < 0.6


def test_reboot_of_the_device_begins_anew_at_once():
    clock = MinimumDelayClock()
    for number in range(100):
        clock.map(100 * S + number * 50 * MS, START + number * 50 * MS)
    assert clock.map(1 * S, START + 20 * S) == START + 20 * S
    assert clock.restarts == 1


def test_our_clock_set_back_begins_anew_at_once():
    clock = MinimumDelayClock()
    clock.map(100 * S, START)
    assert clock.map(101 * S, START - 3600 * S) == START - 3600 * S


def test_a_hold_up_of_the_link_is_not_a_restart_but_a_clock_set_forward_is():
    clock = MinimumDelayClock()
    clock.map(100 * S, START)
    assert clock.map(101 * S, START + 9 * S) == START + 1 * S  # held up for 8 s
    assert clock.map(102 * S, START + 2 * S) == START + 2 * S
    assert clock.restarts == 0
    for number in range(40):
        mapped = clock.map(103 * S + number * 50 * MS, START + 3600 * S + number * 50 * MS)
    assert clock.restarts == 1
    assert mapped == START + 3600 * S + 39 * 50 * MS


def test_counter_goes_on_over_its_wrap_and_takes_a_late_message_back():
    counter = CounterUnwrapper(bits=32)
    top = 2**32
    assert [counter.unwrap(each) for each in (top - 2, 1, top - 1, 3)] == [top - 2, top + 1, top - 1, top + 3]


def test_counter_shows_a_reboot_as_a_step_back():
    counter = CounterUnwrapper(bits=32)
    counter.unwrap(500_000)
    assert counter.unwrap(20) == 20
