# SPDX-License-Identifier: Apache-2.0
import pytest

from benchmarks.latency_score import percentile, score_latency

MS = 1_000_000


def run_of(stamp, arrived_ms=3, taken_ms=13, wire_ms=70):
    return [
        {'kind': 'frame', 'stamp_ns': stamp, 'at_ns': stamp + 3 * MS, 'render_ns': 2 * MS},
        {
            'kind': 'detection',
            'stamp_ns': stamp,
            'at_ns': stamp + 65 * MS,
            'arrived_ns': stamp + arrived_ms * MS,
            'taken_ns': stamp + taken_ms * MS,
            'preprocess_ns': 1 * MS,
            'inference_ns': 50 * MS,
            'decode_ns': MS // 2,
        },
        {'kind': 'setpoint', 'stamp_ns': stamp, 'at_ns': stamp + 67 * MS, 'fresh': True},
        {'kind': 'command', 'stamp_ns': stamp, 'at_ns': stamp + 71 * MS, 'wire_ns': stamp + wire_ms * MS},
    ]


def test_overhead_is_what_inference_render_and_waiting_leave():
    score = score_latency(run_of(1000 * MS))
    assert score.latency[0] == pytest.approx(70)
    assert score.slot_wait[0] == pytest.approx(10)
    assert score.overhead[0] == pytest.approx(70 - 50 - 2 - 10)
    assert (score.track[0], score.command[0]) == (pytest.approx(2), pytest.approx(3))


def test_only_the_first_command_that_rests_on_a_frame_counts():
    score = score_latency(run_of(1000 * MS, wire_ms=110) + run_of(1000 * MS, wire_ms=70))
    assert score.latency.tolist() == [pytest.approx(70)]


def test_frames_without_a_command_are_left_out():
    score = score_latency(run_of(1000 * MS)[:3])
    assert len(score.latency) == 0
    assert percentile(score.latency, 50) is None


def test_queue_counts_frames_that_wait_at_the_same_time():
    first, second = 1000 * MS, 1033 * MS
    one_after_the_other = run_of(first) + run_of(second)
    assert score_latency(one_after_the_other).queued_frames_max == 1
    both_wait = run_of(first, taken_ms=90) + run_of(second, taken_ms=120)
    assert score_latency(both_wait).queued_frames_max == 2
