# SPDX-License-Identifier: Apache-2.0
"""Two faults for real in the real suite; with --all three minutes of it, and damaged input: the benchmark itself."""

import pytest

pytest.importorskip('vision_msgs.msg', reason='the workspace is not built: run ./gremsy setup')
pytest.importorskip('fastapi', reason="the page's packages are not installed: run ./gremsy setup --extra web")
pytest.importorskip('onnx', reason='onnx is not installed: run ./gremsy setup --extra precision')

from benchmarks.faults import fault_fuzz, fault_soak
from benchmarks.faults.faults_benchmark import chosen, run_faults
from gremsy_camera.trial.trial_camera import why_no_trial_camera

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


with_a_camera = pytest.mark.skipif(why_no_trial_camera() is not None, reason=str(why_no_trial_camera()))


@with_a_camera
def test_a_camera_that_is_lost_and_a_driver_that_is_killed_end_motion_and_are_well_again():
    rows = run_faults(chosen(['camera-lost', 'gimbal-killed']))
    for row in rows.values():
        assert row['stop_s'] is not None
        assert row['recover_s'] is not None
    assert 'camera' in rows['camera-lost']['in_health'] and 'camera' in rows['camera-lost']['in_diagnostics']
    assert 'The process gimbal was ended by signal 9 and was started again.' in rows['gimbal-killed']['in_diagnostics']


@pytest.mark.slow
@pytest.mark.timeout(600)
@with_a_camera
def test_three_minutes_of_the_suite_leave_memory_threads_and_descriptors_as_they_were():
    figures = fault_soak.run(3.0)
    assert figures['soak_flat'], figures


@pytest.mark.slow
@pytest.mark.timeout(900)
@with_a_camera
def test_damaged_input_of_every_kind_crashes_nothing():
    figures = fault_fuzz.run(8.0)
    assert figures['fuzz_crashes'] == 0, figures
    assert all(each['cases'] > 3 for each in figures['fuzz'].values() if 'cases' in each)
