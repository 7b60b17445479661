# SPDX-License-Identifier: Apache-2.0
import os
import resource

import numpy as np
import pytest

from gremsy_common.ros.diagnostics import NodeDiagnostics
from gremsy_common.ros.instance_lock import AlreadyRunning, InstanceLock
from gremsy_common.timing.trace import FileTrace, read_trace
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_gimbal_sim.truth_ring import TrueState, TruthRingReader, TruthRingWriter, TruthUnavailable, ring_path


def test_locked_frame_cannot_be_written_through_its_base():
    base = np.zeros((480, 1000, 3), np.uint8)
    frame = Frame(lock_read_only(base[:, 100:740]), 1, 'eo')
    assert (frame.width, frame.height) == (640, 480)
    for array in (frame.image, frame.image.base):
        with pytest.raises(ValueError, match='read-only'):
            array[0, 0] = 1


def test_trace_comes_back_and_a_cut_line_is_left_out(tmp_path):
    trace = FileTrace(tmp_path, 'node', lambda: 43)
    trace.open()
    trace.event('seen', 42, score=0.5)
    trace.close()
    with trace.path.open('a') as file:
        file.write('{"kind": "cut')
    events = list(read_trace(tmp_path))
    # The time of an event is by the clock of the stamps, or a report of a played bag compares two clocks.
    assert events == [{'kind': 'seen', 'stamp_ns': 42, 'at_ns': 43, 'score': 0.5}]


def test_one_name_is_held_once(tmp_path):
    first = InstanceLock('/robot/eo/camera', 7, tmp_path)
    first.acquire()
    with pytest.raises(AlreadyRunning) as refused:
        InstanceLock('/robot/eo/camera', 7, tmp_path).acquire()
    assert str(refused.value).startswith(
        'A node named /robot/eo/camera already runs on this machine in ROS domain 7 (process '
    )
    InstanceLock('/robot/eo/camera', 8, tmp_path).acquire()
    first.release()
    again = InstanceLock('/robot/eo/camera', 7, tmp_path)
    again.acquire()
    again.release()


def test_truth_ring_gives_the_newest_and_the_history():
    with TruthRingWriter('unit-test', capacity=8) as writer:
        reader = TruthRingReader('unit-test')
        reader.open()
        assert reader.newest() is None
        for step in range(20):
            writer.write(TrueState(step, step * 0.1, 0.0, 0.0, 0.0, 1.0))
        assert reader.newest() == TrueState(19, pytest.approx(1.9), 0.0, 0.0, 0.0, 1.0)
        # Of the 8 slots, one may be under the writer's hand.
        assert reader.since(15)['stamp_ns'].tolist() == [16, 17, 18, 19]
        assert not reader.replaced()
    assert reader.replaced()
    reader.close()


@pytest.fixture
def ring_name():
    name = f'unit-test-{os.getpid()}'
    yield name
    ring_path(name).unlink(missing_ok=True)


def test_a_ring_left_by_a_killed_writer_is_replaced(ring_name):
    TruthRingWriter(ring_name).open()
    with TruthRingWriter(ring_name) as writer:
        writer.write(TrueState(1, 0.0, 0.0, 0.0, 0.0, 1.0))
    assert not ring_path(ring_name).exists()


def test_a_file_that_is_no_ring_is_left_alone(ring_name):
    ring_path(ring_name).write_text('my notes')
    with pytest.raises(TruthUnavailable) as refused:
        TruthRingWriter(ring_name).open()
    assert str(refused.value) == (
        f'/dev/shm/gremsy-truth-{ring_name} is not a truth ring of a simulated payload: '
        'move it away, or name another `truth_ring`.'
    )
    assert ring_path(ring_name).read_text() == 'my notes'


def test_a_writer_that_ends_leaves_the_ring_of_its_successor(ring_name):
    first, second = TruthRingWriter(ring_name), TruthRingWriter(ring_name)
    first.open()
    second.open()
    first.close()
    assert ring_path(ring_name).exists()
    second.close()
    assert not ring_path(ring_name).exists()


def test_true_state_is_carried_on_at_its_own_rates():
    state = TrueState(0, 1.0, 0.5, 0.2, -0.1, 2.0).at(500_000_000)
    assert (state.azimuth_rad, state.tilt_rad) == (pytest.approx(1.1), pytest.approx(0.45))


def test_missing_ring_says_what_to_start():
    with pytest.raises(TruthUnavailable) as missing:
        TruthRingReader('nobody').open()
    assert str(missing.value) == (
        "No simulated payload writes its true attitude under 'nobody': "
        'start `sim_payload --truth-ring nobody`, or give the camera a video file (-p source:=FILE).'
    )


def test_diagnostics_show_percentiles_and_the_last_error():
    diagnostics = NodeDiagnostics()
    for latency_ms in range(1, 101):
        diagnostics.stage('inference').record(latency_ms * 1_000_000)
    diagnostics.count('dropped frames', 3)
    diagnostics.note_error('Boo.')
    values = diagnostics.values()
    assert values['inference latency p50 (ms)'] == '50.50'
    assert values['dropped frames'] == '3'
    assert values['last error'] == 'Boo.'
    assert diagnostics.recent_error
    diagnostics.settle_error('Another.')
    assert diagnostics.recent_error
    diagnostics.settle_error('Boo.')
    assert not diagnostics.recent_error and diagnostics.last_error == 'Boo.'


def test_a_trace_is_added_to_no_file_that_is_there(tmp_path):
    """One of an earlier process with that number, or whatever somebody keeps under that name."""
    there = FileTrace(tmp_path, 'node').path
    there.write_text('mine')
    for number in (2, 3):
        trace = FileTrace(tmp_path, 'node')
        trace.open()
        trace.event('frame', number)
        trace.close()
        assert trace.path == there.with_name(f'{there.stem}-{number}.jsonl')
    assert there.read_text() == 'mine'
    there.unlink()
    assert [event['stamp_ns'] for event in read_trace(tmp_path)] == [2, 3]


def test_a_trace_on_a_full_disk_loses_events_counts_them_and_goes_on_with_whole_lines(tmp_path):
    trace = FileTrace(tmp_path, 'node')
    trace.open()
    trace.event('frame', 1)
    trace.flush()
    # No file of this process may grow beyond half a line more: the kernel's own limit, which fails as a full disk does.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (trace.path.stat().st_size + 20, before[1]))
    try:
        for stamp in (2, 3):
            trace.event('frame', stamp)
        trace.flush()
        trace.event('frame', 4)
        trace.flush()
        assert (trace.lost, trace.fault) == (3, 'File too large')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    trace.event('frame', 5)
    trace.close()
    assert (trace.lost, trace.fault) == (3, '')
    assert [event['stamp_ns'] for event in read_trace(tmp_path)] == [1, 5]
